from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix, diags
from scipy.stats import spearmanr

from pytest_stbench.kernels import moran
from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.metrics import GeneStatistic, moran_concordance, morans_i, svg_recovery

pytestmark = pytest.mark.filterwarnings("error")


def grid(side):
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return lattice_graph(np.column_stack([x.ravel(), y.ravel()]).astype(float), 1.0)


def chain(n):
    ones = np.ones(n - 1)
    return csr_matrix(diags([ones, ones], [-1, 1]))


GRAPH = grid(8)


def pair(g=15, seed=0):
    """Genes from rough to smooth, and a smoother prediction of them."""
    rng = np.random.default_rng(seed)
    x, _ = np.meshgrid(np.arange(8.0), np.arange(8.0))
    share = np.linspace(0, 1, g)
    truth = share * x.reshape(-1, 1) + rng.normal(size=(64, g))
    return truth, truth + 0.5 * x.reshape(-1, 1) + 0.3 * rng.normal(size=(64, g))


def lin(a, b):
    return 2 * np.mean((a - a.mean()) * (b - b.mean())) / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)


def test_golden_chain_of_four():
    x = np.array([[1.0, 1.0], [2.0, -1.0], [3.0, 1.0], [4.0, -1.0]])
    found = morans_i(x[:, ::-1], x, graph=chain(4), min_units=4)
    assert found.values == pytest.approx([1 / 3, -1.0], abs=1e-12)
    assert found.extras["truth"] == pytest.approx([-1.0, 1 / 3], abs=1e-12)
    assert found.extras["difference"] == pytest.approx([4 / 3, -4 / 3], abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_agrees_with_scanpy_lin_and_scipy(interpreted, seed, scale):
    import scanpy

    truth, prediction = pair(seed=seed)
    with interpreted():
        left, right = (scanpy.metrics.morans_i(GRAPH, arm.T) for arm in (truth, prediction))
    found = morans_i(truth, prediction, graph=GRAPH)
    assert found.values == pytest.approx(right, abs=1e-10)
    assert found.extras["truth"] == pytest.approx(left, abs=1e-10)
    score = moran_concordance(truth, scale * prediction + 3, graph=GRAPH)
    assert score.values == pytest.approx([lin(left, right)], abs=1e-8)
    assert score.extras["spearman"] == pytest.approx([spearmanr(left, right).statistic], abs=1e-8)
    assert score.extras["bias"] == pytest.approx([(right - left).mean()], abs=1e-8)
    assert score.extras["mean_truth"] == pytest.approx([left.mean()], abs=1e-8)
    assert score.extras["mean_prediction"] == pytest.approx([right.mean()], abs=1e-8)
    order = np.random.default_rng(seed).permutation(64)
    again = moran_concordance(truth[order], prediction[order], graph=GRAPH[order][:, order])
    assert again.values == pytest.approx(score.values, abs=1e-8)


def test_a_perfect_prediction_has_one_and_a_smooth_one_a_bias():
    truth, prediction = pair()
    assert moran_concordance(truth, truth, graph=GRAPH).values == pytest.approx([1.0])
    assert moran_concordance(truth, prediction, graph=GRAPH).extras["bias"][0] > 0.1


def test_why_a_gene_has_no_value():
    truth, prediction = pair(g=14)
    truth[:, 0] = prediction[:, 0] = 2.0
    prediction[:, 1] = -1.0
    truth[:40, 2] = np.nan
    truth[:3, 3] = np.nan
    measured = np.arange(14) != 4
    found = morans_i(truth, prediction, graph=GRAPH, measured=measured)
    assert found.reasons[:6].tolist() == ["gt_constant", "pred_constant", "gt_nan", "", "gene_missing", ""]
    assert np.isfinite(found.extras["truth"][1])
    known = np.arange(64) >= 3
    alone = moran.morans_i(prediction[known, 3:4], GRAPH[known][:, known])
    assert found.values[3] == pytest.approx(alone[0], abs=1e-12)
    score = moran_concordance(truth, prediction, graph=GRAPH, measured=measured)
    assert score.extras["n_genes"] == [11]
    assert score.extras["n_dropped"] == [3]
    assert score.extras["n_constant"] == [1]
    kept = [1, 3, *range(5, 14)]
    right = np.nan_to_num(found.values[kept], nan=0.0)
    assert score.values == pytest.approx([lin(found.extras["truth"][kept], right)], abs=1e-9)


def test_units_without_neighbours_are_left_out_and_counted():
    graph = csr_matrix(np.pad(GRAPH.toarray(), ((0, 5), (0, 5))))
    truth, prediction = pair()
    moved = [np.vstack([arm, np.full((5, 15), 1e6)]) for arm in (truth, prediction)]
    for metric in (morans_i, moran_concordance):
        found, expected = metric(*moved, graph=graph), metric(truth, prediction, graph=GRAPH)
        assert found.values == pytest.approx(expected.values, abs=1e-9)
        assert set(found.extras["n_islands"]) == {5}
        assert set(expected.extras["n_islands"]) == {0}


def test_constant_predictions():
    truth, _ = pair()
    flat = np.zeros_like(truth)
    assert set(morans_i(truth, flat, graph=GRAPH).reasons) == {"pred_constant"}
    score = moran_concordance(truth, flat, graph=GRAPH)
    assert score.values == [0.0]
    assert score.extras["n_constant"] == [15]
    assert np.isnan(score.extras["spearman"]).all()


def test_too_few_units_or_genes():
    truth, prediction = pair()
    few = np.arange(19)
    for metric in (morans_i, moran_concordance, svg_recovery):
        found = metric(truth[few], prediction[few], graph=chain(19))
        assert set(found.reasons) == {"too_few_units"}
        empty = metric(truth[:0], prediction[:0], graph=csr_matrix((0, 0)))
        assert set(empty.reasons) == {"too_few_units"}
        islands = metric(truth, prediction, graph=csr_matrix((64, 64)))
        assert set(islands.reasons) == {"too_few_units"}
    assert moran_concordance(truth[:, :9], prediction[:, :9], graph=GRAPH).reasons == ["too_few_genes"]
    assert moran_concordance(truth[:, :10], prediction[:, :10], graph=GRAPH).reasons == [""]
    assert moran_concordance(truth[:, :0], prediction[:, :0], graph=GRAPH).reasons == ["too_few_genes"]
    twins = np.repeat(truth[:, :1], 12, axis=1)
    assert moran_concordance(twins, twins, graph=GRAPH).reasons == ["gt_constant"]


def test_units_that_missing_truth_leaves_alone_are_too_few():
    truth, prediction = pair(g=3)
    inside = np.arange(64) < 32
    truth[~inside, 1] = np.nan
    # The known half is joined to the other half alone.
    apart = csr_matrix(GRAPH.toarray()[::-1] * (inside[:, None] != inside))
    graph = csr_matrix(apart.maximum(apart.T))
    found = morans_i(truth, prediction, graph=graph)
    assert found.reasons.tolist() == ["", "too_few_units", ""]


def test_a_stated_statistic_is_compared_like_a_predicted_one():
    truth, prediction = pair(g=45)
    values = moran.morans_i(prediction, GRAPH)
    values[7] = np.nan
    prediction[:, 7] = 1.0
    given = GeneStatistic(values=values)
    for metric in (morans_i, moran_concordance, svg_recovery):
        found, expected = metric(truth, given, graph=GRAPH), metric(truth, prediction, graph=GRAPH)
        assert found.values == pytest.approx(expected.values, abs=1e-12, nan_ok=True)
        assert found.reasons.tolist() == expected.reasons.tolist()
        with pytest.raises(ValueError, match="give a number for each of the 45 genes"):
            metric(truth, GeneStatistic(values=values[:3]), graph=GRAPH)


def test_metrics_of_one_prediction_compute_morans_i_once(monkeypatch):
    truth, prediction = pair(g=45)
    expected = [m(truth, prediction, graph=GRAPH).values for m in (morans_i, moran_concordance, svg_recovery)]
    calls = []
    original = moran.morans_i
    monkeypatch.setattr(moran, "morans_i", lambda *a, **k: calls.append(1) or original(*a, **k))
    shared = {}
    found = [
        metric(truth, prediction, graph=GRAPH, shared=shared).values
        for metric in (morans_i, moran_concordance, svg_recovery)
    ]
    assert len(calls) == 2  # truth and prediction
    for value, alone in zip(found, expected, strict=True):
        assert value.tolist() == alone.tolist()
    # Another setting is another step.
    assert set(morans_i(truth, prediction, graph=GRAPH, min_units=65, shared=shared).reasons) == {
        "too_few_units"
    }


def test_a_graph_of_other_units():
    with pytest.raises(ValueError, match="joins 9 units and truth has 64"):
        morans_i(*pair(), graph=grid(3))


@pytest.mark.parametrize("metric", [morans_i, moran_concordance, svg_recovery])
def test_a_prediction_that_is_not_finite_is_refused(metric):
    truth, prediction = pair(g=45)
    prediction[3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        metric(truth, prediction, graph=GRAPH)


@pytest.mark.parametrize(("n", "reason"), [(19, "too_few_units"), (20, "")])
def test_twenty_units_with_neighbours_are_enough(n, reason):
    truth = np.random.default_rng(0).normal(size=(n, 12))
    assert set(morans_i(truth, truth, graph=chain(n)).reasons.tolist()) == {reason}
    assert moran_concordance(truth, truth, graph=chain(n)).reasons.tolist() == [reason]
