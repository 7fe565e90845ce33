from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.checks import gene_ids
from pytest_stbench.resources import gene_aliases, gene_symbols

SYMBOLS = sorted(name for name in gene_symbols() if name.isalnum() and name.isupper() and len(name) > 3)


def _human(n):
    return tuple(SYMBOLS[-n:] if n else ())


def _judge(make_dataset, *panels, notes=None, **params):
    named = {f"S{i}": tuple(genes) for i, genes in enumerate(panels)}
    return gene_ids(make_dataset(panels=named, notes=notes), **params)


def test_current_symbols_pass_reading_frames_included(make_dataset):
    names = (
        "ERBB2",
        "HLA-DRA",
        "MT-CO1",
        "C1orf159",
        "C20orf27",
        "CXorf40",
        "F2",
        "C3",
        "FO538757.1",
        "TRBV7-2",
    )
    result = _judge(make_dataset, names, names)
    assert result.status == "pass"
    assert result.details["reference"] == "GENCODE 48"


def test_the_rows_minimal_example(make_dataset):
    result = _judge(make_dataset, ("ENSG00000141736", "ERBB2"))
    assert result.status == "fail"
    assert result.genes == ("ENSG00000141736",)
    assert result.message.endswith(result.fix)


@pytest.mark.parametrize(
    ("number", "status"),
    [(0, "pass"), (1, "pass"), (2, "fail"), (50, "fail"), (98, "fail"), (99, "warn"), (100, "warn")],
)
@pytest.mark.parametrize("pattern", ["ENSG{:011d}", "ENSMUSG{:011d}.3"])
def test_share_of_ensembl_ids(make_dataset, number, status, pattern):
    names = [*(pattern.format(i) for i in range(number)), *_human(100 - number)]
    assert _judge(make_dataset, names).status == status


@pytest.mark.parametrize(
    ("number", "status"), [(0, "pass"), (1, "pass"), (2, "fail"), (50, "fail"), (98, "fail"), (100, "warn")]
)
def test_share_of_mouse_case(make_dataset, number, status):
    names = [*(f"Gene{i}" for i in range(number)), *_human(100 - number)]
    assert _judge(make_dataset, names).status == status


def test_slides_that_disagree_fail_although_each_is_pure(make_dataset):
    human = _judge(make_dataset, _human(5000), [f"Gene{i}" for i in range(40)])
    assert human.status == "fail"
    assert human.slides == ("S1",)
    ids = _judge(make_dataset, _human(5000), [f"ENSG{i:011d}" for i in range(40)])
    assert ids.status == "fail"


@pytest.mark.parametrize(
    "name", ["1-Mar", "2-Sep", "01-MAR", "Mar-01", "15-Sept", "1-Dec-19", "2001-09-02", "2024-03-01 00:00:00"]
)
def test_dates_fail(make_dataset, name):
    result = _judge(make_dataset, (*_human(500), name))
    assert result.status == "fail"
    assert result.genes == (name,)


@pytest.mark.parametrize(
    "name", ["MARCHF1", "SEPTIN2", "DECR1", "MAR1", "NOVA1", "HLA-A", "1-8D", "APR-2A-1"]
)
def test_symbols_like_months_are_no_dates(make_dataset, name):
    assert _judge(make_dataset, (*_human(500), name)).status == "pass"


@pytest.mark.parametrize("old", ["CTGF", "FAM101B", "CXorf36", "KIAA1324", "UTP11L", "SEPT2", "MARCH1"])
def test_retired_symbols_warn_and_name_the_current_one(make_dataset, old):
    result = _judge(make_dataset, (*_human(500), old))
    assert result.status == "warn"
    assert result.genes == (old,)
    assert gene_aliases()[old] in result.message


def test_the_alias_table_leads_to_current_symbols_in_one_step():
    table = gene_aliases()
    assert not set(table) & set(table.values())
    assert len(set(table.values())) == len(table)


@pytest.mark.parametrize(
    "notes",
    [
        {"duplicate_genes": {"S0": 2}},
        {"duplicate_genes": {"S0": 2}, "duplicate:TBCE": {"S0": 3}, "duplicate:PINX1": {"S0": 2}},
    ],
)
def test_duplicates_that_a_reader_summed_warn(make_dataset, notes):
    result = _judge(make_dataset, _human(100), _human(100), notes=notes)
    assert result.status == "warn"
    assert result.slides == ("S0",)
    assert result.statistic == 2
    assert "2 genes with more than one column" in result.message
    assert ("(PINX1, TBCE)" in result.message) is (len(notes) > 1)
    assert result.genes == (("PINX1", "TBCE") if len(notes) > 1 else ())


def test_no_duplicate_noted_is_no_finding(make_dataset):
    assert (
        _judge(
            make_dataset, _human(100), notes={"duplicate_symbols_summed": {"S0": 0}, "units": {"S0": 9}}
        ).status
        == "pass"
    )


def test_an_old_and_a_new_symbol_on_one_slide_are_two_columns_of_a_gene(make_dataset):
    result = _judge(make_dataset, (*_human(100), "CTGF", "CCN2"))
    assert result.status == "warn"
    assert any("more than one column" in finding.text for finding in result.findings)


@pytest.mark.parametrize("name", [None, "", "  ", float("nan"), np.nan])
def test_blank_names_fail(make_dataset, name):
    result = _judge(make_dataset, (*_human(100), name))
    assert result.status == "fail"
    assert "blank" in result.message


def test_numbers_as_names_do_not_crash(make_dataset):
    assert _judge(make_dataset, (1, 2, "A")).status == "pass"


def test_no_gene_is_a_skip(make_dataset):
    assert _judge(make_dataset, ()).status == "skip"
    assert _judge(make_dataset).status == "skip"


@pytest.mark.parametrize(
    ("unknown", "status"), [(0, "pass"), (19, "pass"), (20, "pass"), (21, "warn"), (90, "warn")]
)
def test_symbols_that_no_annotation_knows(make_dataset, unknown, status):
    names = [*(f"NOVEL{i}X" for i in range(unknown)), *_human(100 - unknown)]
    result = _judge(make_dataset, names)
    assert result.status == status
    if status == "warn":
        assert result.statistic == pytest.approx(1 - unknown / 100)
        assert "NOVEL0X" in result.genes
        assert "GENCODE 48" in result.message


def test_a_handful_of_genes_and_retired_symbols_are_not_held_against_the_annotation(make_dataset):
    assert _judge(make_dataset, [f"NOVEL{i}X" for i in range(19)]).status == "pass"
    assert _judge(make_dataset, [f"NOVEL{i}X" for i in range(20)]).status == "warn"
    retired = _judge(make_dataset, [*list(gene_aliases())[:30], *_human(70)])
    assert not any("are known" in finding.text for finding in retired.findings)


def test_thousands_of_unknown_names_do_not_stand_behind_a_few_retired_ones(make_dataset):
    unknown = [f"NOVEL{i}X" for i in range(6168)]
    result = _judge(make_dataset, [*list(gene_aliases())[:30], *unknown, *_human(100)])
    assert [len(finding.genes) for finding in result.findings] == [6168, 30]
    assert result.status == "warn"
    assert "are known (GENCODE 48)" in result.message
    assert "30 retired symbols" in result.findings[1].text


@pytest.mark.parametrize("header", ["", "id,gene\n"])
@pytest.mark.parametrize(("listed", "status"), [(100, "pass"), (80, "pass"), (79, "warn"), (0, "warn")])
def test_overlap_with_a_reference_list(make_dataset, tmp_path, header, listed, status):
    lines = [f"{i},{name}" if header else name for i, name in enumerate(_human(listed))]
    path = tmp_path / "symbols.csv"
    path.write_text(header + "\n".join([*lines, "9,OTHER" if header else "OTHER"]))
    result = _judge(make_dataset, _human(100), reference=str(path))
    assert result.status == status
    assert result.details["reference"] == str(path)


def test_a_reference_list_that_is_not_there_warns(make_dataset, tmp_path):
    result = _judge(make_dataset, _human(100), reference=str(tmp_path / "none.txt"))
    assert result.status == "warn"
    assert "cannot be read" in result.message


def test_very_many_names(make_dataset):
    names = tuple(f"GENE{i}" for i in range(200_000))
    assert _judge(make_dataset, names, names).status == "warn"  # none of them is known


def test_names_mixed_in_a_file(make_dataset, tmp_path):
    """Two gene naming schemes written into one raw h5ad file, read without any helper of the check."""
    import anndata
    import pandas as pd

    names = [f"ENSG{i:011d}" if i % 4 == 0 else f"SYM{i}" for i in range(200)]
    counts = sparse.csr_matrix(np.ones((5, 200), dtype=np.int32))
    anndata.AnnData(counts, var=pd.DataFrame(index=names)).write_h5ad(tmp_path / "raw.h5ad")
    read = anndata.read_h5ad(tmp_path / "raw.h5ad")
    result = _judge(make_dataset, read.var_names)
    assert result.status == "fail"
    assert result.statistic == pytest.approx(0.25)
