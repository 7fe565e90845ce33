from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import controls_in_matrix

CONTROLS = (
    "NegControlProbe_00042",
    "BLANK_0006",
    "Unassigned codeword 12",
    "DeprecatedCodeword_7",
    "antisense_X",
)


def _slide(make_slide, spoil, names):
    slide = make_slide(n_genes=20)
    genes = slide.genes.astype("U40")
    genes[: len(names)] = names
    return spoil(slide, genes=genes)


@pytest.mark.parametrize("name", CONTROLS)
def test_an_evaluated_control_fails(make_dataset, make_slide, measure, spoil, name):
    dataset = make_dataset([_slide(make_slide, spoil, [name])])
    result = controls_in_matrix(dataset, measure(dataset))
    assert result.status == "fail"
    assert result.genes == (name,)
    assert result.message.endswith(result.fix)


def test_controls_that_are_not_evaluated_warn(make_dataset, make_slide, measure, spoil):
    dataset = make_dataset([_slide(make_slide, spoil, CONTROLS)])
    result = controls_in_matrix(dataset, measure(dataset, columns=np.arange(5, 20)))
    assert result.status == "warn"
    assert result.statistic == 5
    assert result.slides == ("S1",)


@pytest.mark.parametrize("gene", ["BLNK", "NEGR1", "ANTXR1", "BLCAP", "GENE1"])
def test_genes_of_similar_names_pass(make_dataset, make_slide, measure, spoil, gene):
    dataset = make_dataset([_slide(make_slide, spoil, [gene])])
    assert controls_in_matrix(dataset, measure(dataset)).status == "pass"


def test_very_many_names(make_dataset, make_slide, measure):
    dataset = make_dataset([make_slide()], panels={"S1": tuple(map(str, range(100_000)))})
    found = controls_in_matrix(dataset, measure(dataset))
    assert found.message == "no antibody and no control among 100,000 gene names"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["CD4_TotalSeqB"], ["CD4_TotalSeqB"]),
        (["mouse_IgG2a"], ["mouse_IgG2a"]),
        (["PanCK"], ["PanCK"]),
        (["HLA-DR", "CD45RA"], ["CD45RA", "HLA-DR"]),
        (["CD45", "Ki-67", "EPCAM"], ["CD45", "Ki-67"]),
        (["CD4", "CD4-1"], ["CD4-1"]),
        (["CD4", "CD4.1"], ["CD4.1"]),
        (["PTPRC", "PTPRC_2", "GENE5-1"], ["PTPRC_2"]),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"columns": np.arange(10, 20)}])
def test_an_antibody_fails_wherever_it_stands(make_dataset, make_slide, measure, spoil, names, found, asked):
    dataset = make_dataset([_slide(make_slide, spoil, names)])
    result = controls_in_matrix(dataset, measure(dataset, **asked))
    assert result.status == "fail"
    assert result.genes == tuple(found)
    assert result.statistic == len(found)
    assert "feature_types" in result.fix


@pytest.mark.parametrize(
    "names",
    [
        ["CD97"],
        ["CD99", "CD99-1"],
        ["TBCE", "TBCE-1", "MATR3", "MATR3-1"],
        ["CD4-1"],
        ["CD24", "CD8A", "CD4", "MS4A1", "NKX2-1", "HLA-DRB1", "ERVW-1", "MHC I"],
        ["Cd24a", "Cd59a", "Cd59b", "Cd8a", "Cd4"],
        ["BCL2", "FN1", "VIM", "IL18"],
    ],
)
def test_genes_are_no_antibodies(make_dataset, make_slide, measure, spoil, names):
    dataset = make_dataset([_slide(make_slide, spoil, names)])
    assert controls_in_matrix(dataset, measure(dataset)).status == "pass"


NOTED = {"features:isotype_control": {"S1": 2}}


@pytest.mark.parametrize(
    ("notes", "status"),
    [
        ({"duplicate:CD4": {"S1": 2}}, "fail"),
        ({"duplicate:GENE1": {"S1": 2}}, "pass"),
        (NOTED, "fail"),
        (NOTED | {"features:antibody": {"S2": 30}}, "fail"),
        (NOTED | {"features:antibody": {"S1": 30}}, "pass"),
        (NOTED | {"features:protein": {"S1": 30}}, "pass"),
    ],
)
def test_what_was_counted_while_reading_tells_of_antibodies(make_dataset, make_slide, measure, notes, status):
    dataset = make_dataset([make_slide()])
    dataset.notes = notes
    result = controls_in_matrix(dataset, measure(dataset))
    assert result.status == status
    if status == "fail":
        assert result.slides == ("S1",)


def test_symbols_that_were_renamed_are_judged_by_their_own_names(make_dataset, make_slide, measure):
    dataset = make_dataset([make_slide()])
    dataset.renamed = {"CD45": "PTPRC", "CD20": "MS4A1"}
    assert controls_in_matrix(dataset, measure(dataset)).status == "fail"
