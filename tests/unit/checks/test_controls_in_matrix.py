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
    assert (
        controls_in_matrix(dataset, measure(dataset)).message == "no control probe among 100,000 gene names"
    )
