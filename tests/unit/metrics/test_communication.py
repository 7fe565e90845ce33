from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.metrics.communication import lr_auprc, lr_local, lr_spearman
from pytest_stbench.metrics.communication_pathways import lr_pathway
from pytest_stbench.metrics.pair_arms import PairAssociations, lr_thresholds, pair_associations

pytestmark = pytest.mark.filterwarnings("error")

GENES = np.array([f"G{j:02}" for j in range(40)])
PAIRS = [(f"G{j:02}", f"G{j + 15:02}") for j in range(15)]
PATHWAYS = np.repeat(list("abcde"), 3)
ALL = (lr_auprc, lr_spearman, lr_local, lr_pathway)
RANKED = (lr_auprc, lr_spearman, lr_pathway)


def slide(side=8, seed=0, noise=0.5):
    """Counts on a grid; the first five pairs follow one smooth field each."""
    rng = np.random.default_rng(seed)
    xy = np.argwhere(np.ones((side, side))) * 100.0
    n = len(xy)
    depth = rng.lognormal(7, 0.5, n)
    rate = np.full((n, 40), 2.0)
    for j in range(5):
        field = np.exp(np.sin(xy @ rng.normal(0, 0.006, 2) + j))
        rate[:, j] *= field
        rate[:, j + 15] *= field
    counts = rng.poisson(rate * (depth / depth.mean())[:, None])
    truth = np.log1p(counts / depth[:, None] * 1e3)
    return truth, truth + noise * rng.normal(size=truth.shape), lattice_graph(xy, 100.0), depth


def inputs(metric, graph, depth, **more):
    given_inputs = {"pairs": PAIRS, "graph": graph, "libsize": depth, "genes": GENES}
    if metric in (lr_auprc, lr_local):
        given_inputs["lr_threshold"] = np.full(15, 0.05)
    if metric is lr_pathway:
        given_inputs["pathways"] = PATHWAYS
    return {**given_inputs, **more}


def standard(values, depth):
    design = np.column_stack([np.ones(len(depth)), np.log(depth)])
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return rest / rest.std(axis=0)


def maps(values, graph, depth):
    """The map of each pair: its mean is the association."""
    z, weights = standard(values, depth), graph.toarray()
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.stack([z[:, j] * (weights @ z[:, j + 15]) for j in range(15)], axis=1)


def slow_precision(active, score):
    """Sum of recall gained times precision, one threshold per distinct score."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        found = score >= threshold
        recall = (found & active).sum() / active.sum()
        total += (recall - before) * (found & active).sum() / found.sum()
        before = recall
    return total


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_follows_the_definition(seed):
    truth, guess, graph, depth = slide(seed=seed)
    m_t, m_p = maps(truth, graph, depth), maps(guess, graph, depth)
    l_t, l_p = m_t.mean(axis=0), m_p.mean(axis=0)
    threshold = np.sort(l_t)[-5] - 1e-6
    active = (l_t > 0) & (l_t > threshold)
    thresholds = np.full(15, threshold)
    found = lr_auprc(truth, guess, **inputs(lr_auprc, graph, depth, lr_threshold=thresholds))
    if active.sum() >= 3:
        assert found.values[0] == pytest.approx(slow_precision(active, l_p))
        assert found.extras["prevalence"][0] == active.sum() / 15
        assert found.extras["gain"][0] == pytest.approx(found.values[0] - active.sum() / 15)
    found = lr_local(truth, guess, **inputs(lr_local, graph, depth, lr_threshold=thresholds))
    assert (found.reasons == "no_positive").tolist() == (~active).tolist()
    expected = [stats.pearsonr(m_t[:, j], m_p[:, j]).statistic for j in np.flatnonzero(active)]
    np.testing.assert_allclose(found.values[active], expected)
    assert found.labels[:2].tolist() == ["G00_G15", "G01_G16"]
    found = lr_spearman(truth, guess, **inputs(lr_spearman, graph, depth))
    assert found.values[0] == pytest.approx(stats.spearmanr(l_t, l_p).statistic)
    found = lr_pathway(truth, guess, **inputs(lr_pathway, graph, depth))
    by_t, by_p = l_t.reshape(5, 3).mean(axis=1), l_p.reshape(5, 3).mean(axis=1)
    assert found.values[0] == pytest.approx(stats.spearmanr(by_t, by_p).statistic)
    assert found.extras["same_sign"][0] == np.mean(np.sign(by_t) == np.sign(by_p))
    assert found.extras["n_pathways"][0] == 5


def test_golden_average_precision():
    # Five pairs with associations that are given, repeated so that there are enough of them.
    truth, _, graph, depth = slide(noise=0.0)
    l_t = maps(truth, graph, depth).mean(axis=0)
    order = np.argsort(-l_t)
    active = np.tile([0, 0, 1, 1, 0], 3)
    score = np.tile([0.1, 0.4, 0.35, 0.8, 0.2], 3)
    threshold = np.full(15, np.sort(l_t)[-6] - 1e-9)
    stated = np.empty(15)
    stated[order] = np.concatenate([score[active == 1], score[active == 0]])
    found = lr_auprc(
        truth, PairAssociations(values=stated), **inputs(lr_auprc, graph, depth, lr_threshold=threshold)
    )
    assert found.extras["n_positive"][0] == 6
    # Three copies of each score share a threshold: the value is that of one copy.
    assert found.values[0] == pytest.approx(0.833333, abs=1e-6)


@pytest.mark.parametrize("metric", ALL)
@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_scale_and_pairs_in_another_order(metric, seed):
    truth, guess, graph, depth = slide(seed=seed)
    found = metric(truth, guess, **inputs(metric, graph, depth))
    rng = np.random.default_rng(seed)
    units, genes, pairs = rng.permutation(64), rng.permutation(40), rng.permutation(15)
    more = inputs(metric, graph[units][:, units], 7 * depth[units])
    more["genes"], more["pairs"] = GENES[genes], np.array(PAIRS)[pairs]
    if "pathways" in more:
        more["pathways"] = more["pathways"][pairs]
    moved = metric(truth[units][:, genes], 3 * guess[units][:, genes] + 1, **more)
    back = pairs if metric is lr_local else slice(None)
    np.testing.assert_allclose(moved.values, found.values[back], atol=1e-9)
    assert moved.reasons.tolist() == found.reasons[back].tolist()


@pytest.mark.parametrize("metric", ALL)
def test_a_perfect_prediction(metric):
    truth, _, graph, depth = slide()
    values = metric(truth, truth, **inputs(metric, graph, depth)).values
    np.testing.assert_allclose(values[np.isfinite(values)], 1.0)
    assert np.isfinite(values).any()


@pytest.mark.parametrize("metric", RANKED)
def test_associations_instead_of_expression(metric):
    truth, guess, graph, depth = slide()
    stated = PairAssociations(values=maps(guess, graph, depth).mean(axis=0))
    more = inputs(metric, graph, depth)
    assert metric(truth, stated, **more).values == pytest.approx(metric(truth, guess, **more).values)
    for bad in (np.zeros(14), np.full(15, np.inf)):
        with pytest.raises(ValueError, match="give a finite one for each of the 15 pairs"):
            metric(truth, PairAssociations(values=bad), **more)
    unknown = metric(truth, PairAssociations(values=np.full(15, np.nan)), **more)
    none = metric(truth, PairAssociations(values=np.zeros(15)), **more)
    assert (unknown.values[0], unknown.reasons[0]) == pytest.approx(
        (none.values[0], none.reasons[0]), nan_ok=True
    )
    with pytest.raises(ValueError, match="associations have no map"):
        lr_local(truth, stated, **inputs(lr_local, graph, depth))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_constants_and_functions_of_depth(kind):
    truth, guess, graph, depth = slide()
    for flat in (np.full_like(guess, 0.1), 0.3 * np.log(depth)[:, None] + np.arange(40)):
        predicted = flat.astype(kind)
        found = lr_auprc(truth, predicted, **inputs(lr_auprc, graph, depth))
        assert found.values[0] == pytest.approx(found.extras["prevalence"][0])
        assert (
            lr_spearman(truth, predicted, **inputs(lr_spearman, graph, depth)).reasons[0] == "pred_constant"
        )
        found = lr_pathway(truth, predicted, **inputs(lr_pathway, graph, depth))
        assert found.reasons[0] == "pred_constant"
        assert found.extras["same_sign"][0] == 0.0
        found = lr_local(truth, predicted, **inputs(lr_local, graph, depth))
        assert set(found.reasons) == {"pred_constant", "no_positive"}
        flat_truth = lr_spearman(np.ones_like(truth), predicted, **inputs(lr_spearman, graph, depth))
        assert flat_truth.reasons[0] == "gt_constant"


@pytest.mark.parametrize("metric", ALL)
def test_pairs_that_cannot_be_used_are_counted(metric):
    truth, guess, graph, depth = slide()
    expected = metric(truth, guess, **inputs(metric, graph, depth))
    pairs = [*PAIRS, ("G00", "ELSEWHERE"), ("G01", "G38"), ("G39", "G01"), ("G02", "G37"), ("G38", "G01")]
    truth[:, 39], truth[:7, 39] = 0, 1  # 7 of 64 units: more than a tenth
    truth[:, 38], truth[:6, 38] = 0, 1
    truth[0, 37] = np.nan
    measured = np.arange(40) != 39
    more = inputs(metric, graph, depth, pairs=pairs, measured=measured)
    if "lr_threshold" in more:
        more["lr_threshold"] = np.full(20, 0.05)
    if "pathways" in more:
        more["pathways"] = [*PATHWAYS, *"aaaaa"]
    found = metric(truth, guess, **more)
    if metric is lr_local:
        assert found.reasons[15:].tolist() == [
            "gene_missing",
            "not_covered",
            "gene_missing",
            "gene_missing",
            "not_covered",
        ]
        np.testing.assert_allclose(found.values[:15], expected.values)
    else:
        assert found.values == pytest.approx(expected.values)
        counts = [found.extras[name][0] for name in ("n_pairs", "n_usable", "n_missing", "n_rare")]
        assert counts == [20, 15, 3, 2]
    more["measured"] = None
    found = metric(truth, guess, **more)
    usable = found.reasons[17] != "gene_missing" if metric is lr_local else found.extras["n_usable"][0] == 16
    assert usable


def test_why_there_is_no_average_precision():
    truth, guess, graph, depth = slide()
    l_t = maps(truth, graph, depth).mean(axis=0)

    def score(**more):
        return lr_auprc(truth, guess, **inputs(lr_auprc, graph, depth, **more))

    third = np.sort(l_t)[-3]
    assert score(lr_threshold=np.full(15, third - 1e-9)).reasons[0] == ""
    assert score(lr_threshold=np.full(15, third + 1e-9)).reasons[0] == "no_positive"
    few = score(pairs=PAIRS[:9], lr_threshold=np.full(9, 0.05))
    assert few.reasons[0] == "too_few_pairs"
    everything = [pair for pair, value in zip(PAIRS, l_t, strict=True) if value > 0]
    all_active = score(pairs=everything, lr_threshold=np.full(len(everything), -1.0), min_pairs=3)
    assert all_active.reasons[0] == "no_negative"
    # A threshold below 0 does not make a pair that avoids its neighbours active.
    negative = score(lr_threshold=np.full(15, -9.0))
    assert negative.extras["n_positive"][0] == (l_t > 0).sum() < 15
    thresholds = np.full(15, 0.05)
    thresholds[:2] = np.nan
    unmatched = score(lr_threshold=thresholds)
    assert unmatched.extras["n_unmatched"][0] == 2
    reference = score(pairs=PAIRS[2:], lr_threshold=thresholds[2:])
    assert unmatched.values == pytest.approx(reference.values)
    local = lr_local(truth, guess, **inputs(lr_local, graph, depth, lr_threshold=thresholds))
    assert local.reasons[:2].tolist() == ["not_covered"] * 2


@pytest.mark.parametrize("metric", ALL)
def test_units_without_neighbours_are_left_out(metric):
    truth, guess, graph, depth = slide(side=5)
    expected = metric(truth, guess, **inputs(metric, graph, depth))
    rng = np.random.default_rng(0)
    far = rng.gamma(3.0, size=(4, 40)) * 10
    wide = csr_matrix((graph.data, graph.indices, np.r_[graph.indptr, [graph.indptr[-1]] * 4]), (29, 29))
    more = inputs(metric, wide, np.r_[depth, rng.lognormal(9, 1, 4)])
    found = metric(np.vstack([truth, far]), np.vstack([guess, far]), **more)
    np.testing.assert_allclose(found.values, expected.values)
    few = slice(0, 19)
    small = metric(truth[few], guess[few], **inputs(metric, graph[few][:, few], depth[few]))
    assert set(small.reasons) == {"too_few_units"}
    none = metric(truth[:0], guess[:0], **inputs(metric, csr_matrix((0, 0)), depth[:0]))
    assert set(none.reasons) <= {"too_few_units", "not_covered"}
    no_genes = metric(truth[:, :0], guess[:, :0], **inputs(metric, graph, depth, genes=[]))
    assert set(no_genes.reasons) <= {"too_few_pairs", "gene_missing"}


def test_too_few_pathways_and_pairs():
    truth, guess, graph, depth = slide()
    four = inputs(lr_pathway, graph, depth, pathways=np.repeat(list("abcd"), [3, 3, 3, 6]))
    assert lr_pathway(truth, guess, **four).reasons[0] == "too_few_pairs"
    m_t, m_p = (maps(values, graph, depth).mean(axis=0) for values in (truth, guess))
    for seed in range(5):
        names = np.random.default_rng(seed).permutation(np.repeat(list("abc"), [9, 3, 3]))
        uneven = inputs(lr_pathway, graph, depth, pathways=names)
        means = [[values[names == name].mean() for name in "abc"] for values in (m_t, m_p)]
        found = lr_pathway(truth, guess, **uneven, min_pathways=3)
        assert found.values[0] == pytest.approx(stats.spearmanr(*means).statistic)
    thin = inputs(lr_pathway, graph, depth, pathways=np.repeat(list("abcdef"), [3, 3, 3, 3, 2, 1]))
    assert lr_pathway(truth, guess, **thin).extras["n_pathways"][0] == 4
    none = inputs(lr_pathway, graph, depth, pairs=[], pathways=[])
    assert lr_pathway(truth, guess, **none).reasons[0] == "too_few_pairs"
    nine = inputs(lr_spearman, graph, depth, pairs=PAIRS[:9])
    assert lr_spearman(truth, guess, **nine).reasons[0] == "too_few_pairs"
    assert (
        len(lr_local(truth, guess, **inputs(lr_local, graph, depth, pairs=[], lr_threshold=[])).values) == 0
    )


def test_thresholds_find_the_pairs_that_share_a_field():
    truth, _, graph, depth = slide(side=16, seed=3)
    rng = np.random.default_rng(1)
    others = rng.poisson(np.linspace(0.3, 6, 300), (256, 300))
    everything = np.hstack([truth, np.log1p(others / depth[:, None] * 1e3)])
    genes = np.array([*GENES, *(f"X{j:03}" for j in range(300))])
    more = {"pairs": PAIRS, "graph": graph, "libsize": depth}
    thresholds = lr_thresholds(everything, genes=genes, **more)
    assert thresholds.shape == (15,)
    assert np.isfinite(thresholds).all()
    order = rng.permutation(340)
    moved = lr_thresholds(everything[:, order], genes=genes[order], **more)
    np.testing.assert_allclose(moved, thresholds)
    active = maps(truth, graph, depth).mean(axis=0) > thresholds
    assert active[:5].all()
    assert active[5:].sum() <= 3
    everything[:, 0] = 0
    measured = np.arange(340) != 1
    gone = lr_thresholds(everything, genes=genes, measured=measured, **more)
    assert np.isnan(gone).tolist() == [True, True] + [False] * 13
    none = lr_thresholds(everything, pairs=[("A", "B")], graph=graph, libsize=depth, genes=genes)
    assert np.isnan(none).tolist() == [True]


@pytest.mark.parametrize("metric", ALL)
def test_bad_input_is_refused_with_advice(metric):
    truth, guess, graph, depth = slide()
    with pytest.raises(ValueError, match="both must be of the 64 units of truth"):
        metric(truth, guess, **inputs(metric, graph, depth[1:]))
    with pytest.raises(ValueError, match="both must be of the 64 units of truth"):
        metric(truth, guess, **inputs(metric, graph[:9][:, :9], depth))
    with pytest.raises(ValueError, match="leave out units without counts before scoring"):
        metric(truth, guess, **inputs(metric, graph, np.zeros(64)))
    with pytest.raises(ValueError, match=r"pairs have shape \(15, 3\): give a ligand and a receptor each"):
        metric(truth, guess, **inputs(metric, graph, depth, pairs=[(*pair, "x") for pair in PAIRS]))
    if metric in (lr_auprc, lr_local):
        with pytest.raises(ValueError, match="give one for each of the 15 pairs"):
            metric(truth, guess, **inputs(metric, graph, depth, lr_threshold=[0.1]))
    if metric is lr_pathway:
        with pytest.raises(ValueError, match="give one for each of the 15 pairs"):
            metric(truth, guess, **inputs(metric, graph, depth, pathways=["a"]))
    guess[0, 0] = np.inf
    with pytest.raises(ValueError, match="prediction is not finite"):
        metric(truth, guess, **inputs(metric, graph, depth))


def test_associations_that_differ_in_the_tenth_decimal_are_tied():
    truth, _, graph, depth = slide()
    alike = PairAssociations(values=0.3 + 3e-11 * np.arange(15))
    found = lr_auprc(truth, alike, **inputs(lr_auprc, graph, depth))
    assert found.values == pytest.approx(found.extras["prevalence"], abs=1e-12)


@pytest.mark.parametrize(("n", "reason"), [(19, "too_few_units"), (20, "")])
def test_twenty_units_with_neighbours_are_enough(n, reason):
    truth, guess, _, depth = slide()
    line = lattice_graph(np.column_stack([np.arange(n), np.zeros(n)]) * 100.0, 100.0)
    found = lr_spearman(truth[:n], guess[:n], **inputs(lr_spearman, line, depth[:n]))
    assert found.reasons.tolist() == [reason]


def test_genes_with_gaps_take_no_part():
    truth, _, graph, depth = slide()
    gaps, measured = truth.copy(), ~np.isin(GENES, ["G14", "G39"])
    gaps[0, ~measured] = np.nan
    for statistic in (lr_thresholds, lambda *a, **given: pair_associations(*a, **given).values):
        given = {"pairs": PAIRS, "graph": graph, "libsize": depth, "genes": GENES}
        found, expected = statistic(gaps, **given), statistic(truth, measured=measured, **given)
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(found[14])
        assert np.isfinite(found).any()


def test_one_infinite_association_is_refused():
    truth, _, graph, depth = slide()
    endless = PairAssociations(values=np.r_[np.inf, np.zeros(14)])
    with pytest.raises(ValueError, match="associations"):
        lr_spearman(truth, endless, **inputs(lr_spearman, graph, depth))
