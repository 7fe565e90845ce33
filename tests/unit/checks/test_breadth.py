from __future__ import annotations

import pytest

from pytest_stbench.checks import metric_monoculture, narrow_scope, no_panel_independent_eval
from pytest_stbench.splits.table import Sample


@pytest.mark.parametrize(
    ("metrics", "family", "status"),
    [
        ({"pearson_gene": "agreement", "rmse": "error"}, "expression", "pass"),
        ({"pearson_gene": "agreement", "spearman_gene": "agreement"}, "expression", "warn"),
        ({"pearson_gene": "agreement"}, "imputation", "warn"),
        ({"pearson_spot": "agreement"}, "expression", "fail"),
        ({"pearson_spot": "agreement"}, "imputation", "warn"),
        ({"pearson_spot": "agreement", "rmse": "error"}, "expression", "pass"),
        ({}, "expression", "skip"),
    ],
)
def test_kinds_of_metrics(metrics, family, status):
    result = metric_monoculture(metrics=metrics, family=family)
    assert result.status == status
    assert result.statistic == (len(set(metrics.values())) if metrics else None)


def suite(**fields):
    """One sample for each value of the fields, which are of one length."""
    columns = [[(name, value) for value in values] for name, values in fields.items()]
    return {"d": [Sample(slide=str(i), **dict(row)) for i, row in enumerate(zip(*columns, strict=True))]}


@pytest.mark.parametrize(
    ("organs", "status"),
    [(["breast"], "fail"), (["breast", "Breast ", "lung"], "fail"), (["breast", "lung", "skin"], "pass"),
     ([None, "unknown", "lung"], "fail")],
)  # fmt: skip
def test_pan_cancer_needs_three_organs(organs, status):
    result = narrow_scope(suite=suite(organ=organs), scope=("pan-cancer",))
    assert result.status == status
    assert narrow_scope(suite=suite(organ=organs)).status == "pass"


@pytest.mark.parametrize(("sites", "status"), [(["a", "a"], "warn"), (["a", "b"], "pass"), ([None], "warn")])
def test_generalising_needs_two_sites(sites, status):
    assert narrow_scope(suite=suite(site=sites), scope=("generalises",)).status == status


def test_organs_are_counted_over_all_data_sets():
    three = {name: [Sample(slide="s", organ=name)] for name in ("breast", "lung", "skin")}
    assert narrow_scope(suite=three, scope=("pan-cancer",)).status == "pass"
    assert narrow_scope(suite={"d": []}, scope=("pan-cancer",)).status == "skip"


@pytest.mark.parametrize(
    ("panels", "families", "status"),
    [
        (["a", "b"], ["T01"], "warn"),
        (["a", "b", "c"], ["T01", "T08"], "pass"),
        (["a", "b"], ["T10"], "pass"),
        (["a", "A "], ["T01"], "pass"),
        (["a", "whole_transcriptome"], ["T01"], "pass"),
        ([None, "NA"], ["T01"], "pass"),
        ([], ["T01"], "pass"),
    ],
)
def test_several_panels_ask_for_something_beside_genes(panels, families, status):
    assert no_panel_independent_eval(suite=suite(panel=panels), families=families).status == status
