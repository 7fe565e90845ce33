from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.kernels.moran import morans_i
from pytest_stbench.metrics import GeneStatistic, hvg_recovery, svg_recovery

pytestmark = pytest.mark.filterwarnings("error")

X, Y = np.meshgrid(np.arange(8.0), np.arange(8.0))
GRAPH = lattice_graph(np.column_stack([X.ravel(), Y.ravel()]), 1.0)


def top(values, genes, k):
    """The k genes with the highest values, ties by name, nan last."""
    keyed = sorted(
        (np.inf if np.isnan(v) else -round(v, 9), gene) for v, gene in zip(values, genes, strict=True)
    )
    return {gene for _, gene in keyed[:k]}


def pair(g=30, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.linspace(0, 1, g)) * X.reshape(-1, 1) + rng.normal(size=(64, g))
    return truth, truth + rng.normal(size=(64, g))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 15))
def test_spatial_genes_are_those_with_the_highest_morans_i(seed, k):
    truth, prediction = pair(seed=seed)
    genes = np.array([f"g{i}" for i in np.random.default_rng(seed).permutation(30)])
    found = svg_recovery(truth, prediction, graph=GRAPH, genes=genes, k=k)
    tops = [top(morans_i(arm, GRAPH), genes, k) for arm in (truth, prediction)]
    assert found.values == [len(tops[0] & tops[1]) / k]
    assert found.extras["chance"] == [k / 30]
    order = np.random.default_rng(seed + 1).permutation(30)
    again = svg_recovery(truth[:, order], prediction[:, order], graph=GRAPH, genes=genes[order], k=k)
    assert again.values == found.values
    assert svg_recovery(truth, truth, graph=GRAPH, genes=genes, k=k).values == [1.0]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 15))
def test_variable_genes_are_those_with_the_highest_score_and_variance(seed, k):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1.0, 3.0, size=(64, 30)))
    prediction = rng.normal(size=(64, 30)) * rng.random(30)
    genes = np.array([f"g{i}" for i in rng.permutation(30)])
    score = standardised_variance(counts)
    found = hvg_recovery(np.log1p(counts), prediction, hvg_score=score, genes=genes, k=k)
    assert found.values == [len(top(score, genes, k) & top(prediction.var(axis=0), genes, k)) / k]
    given = GeneStatistic(values=prediction.var(axis=0))
    assert hvg_recovery(np.log1p(counts), given, hvg_score=score, genes=genes, k=k).values == found.values


def test_equal_values_follow_the_alphabet_and_raise_a_flag():
    truth = np.zeros((30, 8)) + np.arange(30)[:, None] % 2
    genes = np.array(list("hgfedcba"))
    score = np.array([9.0, 8, 7, 6, 5, 4, 3, 2])
    flat = hvg_recovery(truth, np.zeros((30, 8)), hvg_score=score, genes=genes, k=4)
    assert flat.values == [0.0]  # a, b, c, d against h, g, f, e
    assert flat.flags == ("ties",)
    rounding = np.arange(8) * 1e-12
    nearly = GeneStatistic(values=rounding)
    found = hvg_recovery(truth, nearly, hvg_score=score, genes=genes, k=4)
    assert found.values == [0.0]
    assert found.flags == ("ties",)
    clear = GeneStatistic(values=score)
    found = hvg_recovery(truth, clear, hvg_score=score, genes=genes, k=4)
    assert found.values == [1.0]
    assert found.flags == ()
    tied_inside = GeneStatistic(values=np.array([9.0, 9, 9, 9, 1, 1, 1, 1]))
    assert hvg_recovery(truth, tied_inside, hvg_score=score, genes=genes, k=4).flags == ()


def test_a_tenth_of_the_list_may_be_tied():
    truth = np.arange(60.0)[:, None] % 7 * np.ones(40)
    score = np.arange(40.0)[::-1]
    for tied, flags in ((2, ()), (3, ("ties",))):
        values = score.copy()
        values[20 - tied : 21] = values[20 - tied]
        found = hvg_recovery(truth, GeneStatistic(values=values), hvg_score=score, k=20)
        assert found.flags == flags


def test_genes_without_a_value_rank_last():
    truth, prediction = pair(g=12)
    truth[:, 0], prediction[:, 1] = 3.0, 5.0
    genes = np.array(list("abcdefghijkl"))
    found = svg_recovery(truth, prediction, graph=GRAPH, genes=genes, k=5)
    tops = [top(morans_i(arm, GRAPH), genes, 5) for arm in (truth, prediction)]
    assert "a" not in tops[0]
    assert "b" not in tops[1]
    assert found.values == [len(tops[0] & tops[1]) / 5]
    assert found.extras["n_dropped"] == [1]


@pytest.mark.parametrize("metric", [svg_recovery, hvg_recovery])
def test_a_gene_that_is_not_known_is_found_by_neither_arm(metric):
    truth, prediction = pair(g=13)
    prediction[:, 4] = 9 * X.ravel()
    truth[:40, 4] = np.nan
    rest = np.arange(13) != 4
    score = np.where(rest, np.arange(13.0), 99.0)
    more, less = [
        {"graph": GRAPH} if metric is svg_recovery else {"hvg_score": given} for given in (score, score[rest])
    ]
    found = metric(truth, prediction, k=6, **more)
    assert found.values == metric(truth[:, rest], prediction[:, rest], k=6, **less).values
    assert found.extras["n_dropped"] == [1]


def test_the_universe_is_what_the_slide_measured():
    truth, prediction = pair()
    measured = np.arange(30) >= 6
    measured_only = [arm[:, measured] for arm in (truth, prediction)]
    for metric, more, less in (
        (svg_recovery, {"graph": GRAPH}, {"graph": GRAPH}),
        (hvg_recovery, {"hvg_score": np.arange(30.0)}, {"hvg_score": np.arange(6.0, 30.0)}),
    ):
        found = metric(truth, prediction, measured=measured, k=8, **more)
        assert found.extras["n_genes"] == [24]
        assert found.extras["chance"] == pytest.approx([8 / 24])
        assert found.values == metric(*measured_only, k=8, **less).values
        assert metric(truth, prediction, measured=measured, k=12, **more).reasons == [""]
        assert metric(truth, prediction, measured=measured, k=13, **more).reasons == ["too_few_genes"]


def test_undefined():
    truth, prediction = pair(g=10)
    nothing = np.full(10, np.nan)
    assert hvg_recovery(truth, prediction, hvg_score=nothing, k=5).reasons == ["too_few_genes"]
    assert hvg_recovery(truth[:0], prediction[:0], hvg_score=nothing, k=5).reasons == ["too_few_units"]
    none = truth[:, :0], prediction[:, :0]
    assert hvg_recovery(*none, hvg_score=nothing[:0], k=5).reasons == ["too_few_genes"]
    assert svg_recovery(*none, graph=GRAPH, k=5).reasons == ["too_few_genes"]
    flat = np.ones_like(truth)
    assert svg_recovery(flat, prediction, graph=GRAPH, k=5).reasons == ["too_few_genes"]
    with pytest.raises(ValueError, match="k is 0"):
        svg_recovery(truth, prediction, graph=GRAPH, k=0)
    with pytest.raises(ValueError, match="give one for each of the 10 genes"):
        hvg_recovery(truth, prediction, hvg_score=nothing[:3])


def test_the_variance_is_over_the_units_whose_truth_is_known():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 4))
    truth[::2, 0] = np.nan
    # Gene 0 varies most but has half of the units: its sum of squares is not the largest.
    prediction = np.tile([np.sqrt(1.5), 1.0, 0.5, 0.2], (40, 1))
    prediction[np.arange(40) % 4 < 2] *= -1.0
    genes = ["a", "b", "c", "d"]
    found = hvg_recovery(truth, prediction, hvg_score=[4.0, 3.0, 2.0, 1.0], k=1, genes=genes)
    assert found.values == [1.0]
