from __future__ import annotations

from itertools import permutations as all_orders, repeat

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform
from skimage.metrics import structural_similarity
from sklearn.metrics import adjusted_rand_score, silhouette_score

from pytest_stbench.metrics.coexpression import coexpression_ssim, coexpression_ssim_normalised
from pytest_stbench.metrics.coexpression_arms import (
    GeneCorrelations,
    NicheCorrelations,
    gene_correlations,
    niche_correlations,
    rank_one,
)
from pytest_stbench.metrics.coexpression_modules import module_ari
from pytest_stbench.metrics.coexpression_partial import (
    partial_coexpression_mantel,
    partial_coexpression_rv,
    partial_coexpression_ssim,
    partial_coexpression_ssim_normalised,
)
from pytest_stbench.metrics.coexpression_reference import (
    coexpression_ceiling,
    coexpression_floor,
)
from pytest_stbench.metrics.coexpression_structure import (
    coexpression_mantel,
    coexpression_rv,
    coexpression_sign,
)
from pytest_stbench.metrics.coexpression_subsets import lr_coexpression_ssim, niche_coexpression_ssim

pytestmark = pytest.mark.filterwarnings("error")

PLAIN = (
    coexpression_ssim, coexpression_ssim_normalised, lr_coexpression_ssim, coexpression_mantel,
    coexpression_rv, module_ari, coexpression_sign,
)  # fmt: skip
PARTIAL = (
    partial_coexpression_ssim, partial_coexpression_ssim_normalised, partial_coexpression_mantel,
    partial_coexpression_rv,
)  # fmt: skip
ALL = (*PLAIN, *PARTIAL, niche_coexpression_ssim)
GENES = np.array([f"G{j:02}" for j in range(18)])
DEPTH = np.exp(np.random.default_rng(9).normal(7, 0.5, 60))


def slide(seed=0, n=60, g=18, noise=0.5):
    """Three modules of genes and a prediction that follows them."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 3)) @ np.kron(np.eye(3), np.ones((1, g // 3))) + rng.normal(size=(n, g))
    return truth, truth + noise * rng.normal(size=(n, g))


def run(metric, truth, prediction, **options):
    given_inputs = {"genes": GENES[: np.shape(truth)[1]], **options}
    if metric in PARTIAL:
        given_inputs.setdefault("libsize", DEPTH[: len(truth)])
    if "normalised" in metric.__name__:
        given_inputs = {"ceiling": 0.9, "floor": 0.2, **given_inputs}
    if metric is niche_coexpression_ssim:
        given_inputs.setdefault("niches", np.full(len(truth), "all"))
    return metric(truth, prediction, **given_inputs)


def nothing(metric, g=18):
    """A statistic of which nothing is known."""
    if metric is niche_coexpression_ssim:
        return NicheCorrelations(niches=["all"], values=np.full((1, g, g), np.nan))
    return GeneCorrelations(values=np.full((g, g), np.nan))


def only(scores):
    assert len(scores.values) == 1
    return float(scores.values[0]), str(scores.reasons[0])


def zero_diagonal(values):
    matrix = np.corrcoef(values.T)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def slow_ssim(c_truth, c_prediction):
    tree = linkage(
        squareform(1 - c_truth - np.eye(len(c_truth)), checks=False), "average", optimal_ordering=True
    )
    order = leaves_list(tree)
    left, right = (m[np.ix_(order, order)] + 1 for m in (c_truth, c_prediction))
    return structural_similarity(left, right, win_size=7, data_range=2)


def slow_modules(c_truth, c_prediction):
    cut = [
        lambda k, c=c: fcluster(
            linkage(squareform(1 - c - np.eye(len(c)), checks=False), "average"), k, "maxclust"
        )
        for c in (c_truth, c_prediction)
    ]
    distance = 1 - c_truth - np.eye(len(c_truth))
    widths = {k: silhouette_score(distance, cut[0](k), metric="precomputed") for k in range(2, 11)}
    best = max(widths, key=widths.get)
    return adjusted_rand_score(cut[0](best), cut[1](best)), best


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.1, 5.0))
def test_each_follows_the_definition(seed, noise):
    truth, guess = slide(seed, noise=noise)
    left, right = zero_diagonal(truth), zero_diagonal(guess)
    above = np.triu_indices(18, 1)
    ssim = slow_ssim(left, right)
    found = run(coexpression_ssim, truth, guess)
    assert only(found) == (pytest.approx(ssim, abs=1e-9), "")
    assert found.extras["zero_matrix"][0] == pytest.approx(slow_ssim(left, 0 * right))
    found = run(coexpression_ssim_normalised, truth, guess)
    assert only(found) == (pytest.approx((ssim - 0.2) / 0.7, abs=1e-9), "")
    assert found.extras["ssim"][0] == pytest.approx(ssim)
    assert only(run(lr_coexpression_ssim, truth, guess))[0] == pytest.approx(ssim)
    expected = stats.pearsonr(left[above], right[above]).statistic
    assert only(run(coexpression_mantel, truth, guess)) == (pytest.approx(expected), "")
    expected = np.trace(left @ right) / np.sqrt(np.trace(left @ left) * np.trace(right @ right))
    assert only(run(coexpression_rv, truth, guess)) == (pytest.approx(expected), "")
    expected, count = slow_modules(left, right)
    found = run(module_ari, truth, guess)
    assert only(found) == (pytest.approx(expected), "")
    assert found.extras["n_modules"][0] == count
    strong = np.abs(left[above]) > 0.2
    expected = np.mean(np.sign(left[above][strong]) == np.sign(right[above][strong]))
    found = run(coexpression_sign, truth, guess)
    assert only(found) == (pytest.approx(expected), "")
    assert found.extras["n_strong"][0] == strong.sum()


@pytest.mark.parametrize("plain", PLAIN[:2] + PLAIN[3:5], ids=lambda f: f.__name__)
def test_partial_is_the_same_of_residuals(plain):
    partial = next(f for f in PARTIAL if f.__name__ == f"partial_{plain.__name__}")
    truth, guess = slide(noise=1.0)
    guess += 2 * np.log(DEPTH)[:, None]
    design = np.column_stack([np.ones(60), np.log(DEPTH)])
    rest = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (truth, guess)]
    assert only(run(partial, truth, guess))[0] == pytest.approx(only(run(plain, *rest))[0], abs=1e-9)
    assert only(run(partial, truth, guess))[0] > only(run(plain, truth, guess))[0] + 0.05
    same = run(partial, truth, guess, libsize=np.full(60, 900.0))
    assert same.flags[-1:] == ("libsize_constant",)
    assert only(same) == only(run(plain, truth, guess))


@pytest.mark.parametrize("metric", ALL, ids=lambda f: f.__name__)
@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_neither_order_nor_scale_of_genes_and_units_matters(metric, seed):
    rng = np.random.default_rng(seed)
    truth, guess = slide(seed)
    value, reason = only(run(metric, truth, guess))
    units, genes = rng.permutation(60), rng.permutation(18)
    moved = run(
        metric, truth[units][:, genes], guess[units][:, genes], genes=GENES[genes],
        **({"libsize": DEPTH[units]} if metric in PARTIAL else {}),
    )  # fmt: skip
    assert only(moved) == (pytest.approx(value, abs=1e-9), reason)
    scaled = run(metric, truth * 3 - 5, guess * np.linspace(0.1, 9, 18) + 2)
    assert only(scaled) == (pytest.approx(value, abs=1e-9), reason)
    low, high = (-np.inf, 1.2) if "normalised" in metric.__name__ else (-1, 1)
    assert low <= value <= high


@pytest.mark.parametrize("metric", ALL, ids=lambda f: f.__name__)
def test_the_truth_scores_best(metric):
    truth, _ = slide()
    best = {True: (1 - 0.2) / 0.7, False: 1.0}["normalised" in metric.__name__]
    assert only(run(metric, truth, truth)) == (pytest.approx(best), "")


@pytest.mark.parametrize("metric", ALL, ids=lambda f: f.__name__)
def test_a_constant_prediction_is_the_matrix_of_zeros(metric):
    truth, _ = slide()
    found = run(metric, truth, np.full_like(truth, 2.0))
    stated = run(metric, truth, nothing(metric))
    np.testing.assert_array_equal(found.values, stated.values)
    assert found.extras["n_pred_constant"][0] == stated.extras["n_pred_constant"][0] == 18
    value, reason = only(found)
    if "mantel" in metric.__name__ or "rv" in metric.__name__:
        assert reason == "pred_constant"
    elif metric is coexpression_sign:
        assert value == 0.5
    elif metric is module_ari:
        assert value == 0.0
    else:
        zero = found.extras["zero_matrix"][0]
        assert value == pytest.approx((zero - 0.2) / 0.7 if "normalised" in metric.__name__ else zero)


def test_genes_that_cannot_be_compared_leave_and_are_counted():
    truth, guess = slide(g=18)
    truth, guess = np.hstack([truth, truth[:, :4]]), np.hstack([guess, guess[:, :4]])
    names = np.append(GENES, ["A", "B", "C", "D"])
    truth[:, 18] = 1.0
    truth[3, 19] = np.nan
    truth[:, 21] = np.log(DEPTH) * 2
    measured = np.arange(22) != 20
    kept = run(coexpression_ssim, truth, guess, genes=names, measured=measured)
    counts = {name: kept.extras[name][0] for name in ("n_genes", "n_missing", "n_gaps", "n_constant")}
    assert counts == {"n_genes": 22, "n_missing": 1, "n_gaps": 1, "n_constant": 1}
    assert kept.extras["n_compared"][0] == 19
    partial = run(partial_coexpression_ssim, truth, guess, genes=names, measured=measured)
    assert (partial.extras["n_explained"][0], partial.extras["n_compared"][0]) == (1, 18)
    assert only(partial)[0] == pytest.approx(only(run(partial_coexpression_ssim, *slide()))[0])


def test_one_constant_gene_of_the_prediction_correlates_with_nothing():
    truth, guess = slide()
    guess[:, 4] = 7.0
    found = run(coexpression_mantel, truth, guess)
    right = np.zeros((18, 18))
    rest = np.arange(18) != 4
    right[np.ix_(rest, rest)] = np.corrcoef(guess[:, rest].T)
    above = np.triu_indices(18, 1)
    expected = stats.pearsonr(np.corrcoef(truth.T)[above], right[above]).statistic
    assert only(found) == (pytest.approx(expected), "")
    assert found.extras["n_pred_constant"][0] == 1


@pytest.mark.parametrize("metric", ALL, ids=lambda f: f.__name__)
def test_reasons(metric):
    truth, guess = slide()
    short = "empty_niche" if metric is niche_coexpression_ssim else "too_few_units"
    assert only(run(metric, truth[:9], guess[:9]))[1] == short
    few = 14 if "ssim" in metric.__name__ else 9
    assert only(run(metric, truth[:, :few], guess[:, :few]))[1] == "too_few_genes"
    assert only(run(metric, np.zeros((60, 18)), guess))[1] == "too_few_genes"
    assert only(run(metric, truth[:, : few + 1], guess[:, : few + 1]))[1] == ""
    empty = run(metric, np.zeros((0, 18)), np.zeros((0, 18)))
    assert set(empty.reasons) <= {"too_few_units"}
    bad = guess.copy()
    bad[0, 0] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        run(metric, truth, bad)
    with pytest.raises(
        ValueError, match=r"correlations have shape .*3, 3\): give one for each pair of the 18"
    ):
        run(metric, truth, nothing(metric, 3))


def test_headroom():
    truth, guess = slide()
    for ceiling, floor in ((0.5, 0.46), (0.2, 0.5), (np.nan, 0.2), (0.8, np.nan)):
        found = run(coexpression_ssim_normalised, truth, guess, ceiling=ceiling, floor=floor)
        assert only(found)[1] == "no_headroom"
    assert only(run(coexpression_ssim_normalised, truth, guess, ceiling=0.5, floor=0.44))[1] == ""


def test_mantel_p_is_the_share_of_orders_that_agree_as_well():
    rng = np.random.default_rng(3)
    truth, guess = rng.normal(size=(2, 30, 5))
    left, right = zero_diagonal(truth), zero_diagonal(guess)
    observed = (left * right).sum()
    as_good = [
        (left * right[np.ix_(order, order)]).sum() >= observed - 1e-9
        for order in map(list, all_orders(range(5)))
    ]
    found = run(coexpression_mantel, truth, guess, min_genes=5, permutations=20_000)
    assert found.extras["p"][0] == pytest.approx(np.mean(as_good), abs=0.015)
    assert np.isnan(run(coexpression_mantel, truth, guess, min_genes=5, permutations=0).extras["p"][0])
    truth, _ = slide()
    assert run(coexpression_mantel, truth, truth).extras["p"][0] == 0.001


def test_equal_correlations_everywhere():
    equal = GeneCorrelations(values=np.ones((18, 18)))
    truth, _ = slide()
    assert only(run(coexpression_mantel, truth, equal))[1] == "pred_constant"
    assert only(run(coexpression_rv, truth, equal))[1] == ""
    found = run(coexpression_ssim, truth, equal)
    assert found.flags == ("rank_one",)
    assert found.reasons[0] == ""
    axis = np.random.default_rng(0).normal(size=(60, 1))
    assert run(coexpression_ssim, truth, axis * np.linspace(1, 2, 18)).flags == ("rank_one",)
    assert run(coexpression_ssim, truth, truth).flags == ()
    assert not rank_one(np.zeros((4, 4)))
    alike = np.full((4, 4), 0.8) + 0.2 * np.eye(4)
    assert not rank_one(alike)
    assert rank_one(np.full((4, 4), 0.9) + 0.1 * np.eye(4))


def test_no_strong_pair():
    truth = np.random.default_rng(0).normal(size=(4000, 15))
    assert only(run(coexpression_sign, truth, truth))[1] == "no_positive"


def test_within_niches():
    truth, guess = slide()
    niches = np.repeat(["b", "a", "few", ""], [25, 22, 5, 8]).astype(object)
    found = run(niche_coexpression_ssim, truth, guess, niches=niches)
    assert found.labels.tolist() == ["a", "b", "few"]
    assert found.reasons.tolist() == ["", "", "empty_niche"]
    for row, inside in enumerate((niches == "a", niches == "b")):
        assert found.values[row] == only(run(coexpression_ssim, truth[inside], guess[inside]))[0]
    stated = niche_correlations(guess, niches=niches)
    assert stated.niches == ["a", "b"]
    again = run(niche_coexpression_ssim, truth, stated, niches=niches)
    np.testing.assert_allclose(again.values, found.values, atol=1e-12)
    unknown = NicheCorrelations(niches=["b"], values=np.asarray(stated.values)[1:])
    again = run(niche_coexpression_ssim, truth, unknown, niches=niches)
    assert again.values[0] == again.extras["zero_matrix"][0]
    assert again.values[1] == pytest.approx(found.values[1])
    nobody = run(niche_coexpression_ssim, truth, guess, niches=np.full(60, None, object))
    assert len(nobody.values) == 0
    with pytest.raises(ValueError, match="60 units and niches 3"):
        run(niche_coexpression_ssim, truth, guess, niches=["a", "b", "c"])


@pytest.mark.parametrize("libsize", [None, DEPTH], ids=["plain", "partial"])
def test_the_statistic_of_one_arm_scores_as_the_expression_does(libsize):
    truth, guess = slide()
    guess[:, 2] = 1.0
    metrics = PARTIAL if libsize is not None else PLAIN
    stated = gene_correlations(guess, libsize=libsize)
    assert np.isnan(np.asarray(stated.values)[2]).all()
    for metric in metrics:
        expected = run(metric, truth, guess)
        found = run(metric, truth, stated)
        np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
        assert found.extras["n_pred_constant"][0] == 1
    assert np.isnan(np.asarray(gene_correlations(guess[:9]).values)).all()
    unknown = gene_correlations(guess, measured=np.arange(18) != 5)
    assert np.isnan(np.asarray(unknown.values)[5]).all()


def test_ceiling_and_floor():
    truth, guess = slide()
    other, worse = slide(1)
    pair = [only(run(coexpression_ssim, truth, guess))[0], only(run(coexpression_ssim, other, worse))[0]]
    ceiling = coexpression_ceiling([(guess, truth), (worse, other)], genes=GENES, floor=0.1)
    assert ceiling == pytest.approx(pair)
    partial = coexpression_ceiling([(guess, truth)], genes=GENES, libsize=[DEPTH], floor=0.1)
    assert partial == pytest.approx([only(run(partial_coexpression_ssim, truth, guess))[0]])
    assert np.isnan(coexpression_ceiling([(guess[:5], truth[:5])], floor=0.1)).all()
    endless = coexpression_ceiling(repeat((guess, truth)), genes=GENES, floor=0.1)
    assert len(endless) == 10, "draws that do not differ suffice at once"
    zero = run(coexpression_ssim, truth, guess).extras["zero_matrix"][0]
    assert coexpression_floor(truth, [], genes=GENES) == pytest.approx(zero)
    assert coexpression_floor(truth, [-guess, guess], genes=GENES) == pytest.approx(pair[0])
    assert np.isnan(coexpression_floor(truth[:5], [guess[:5]]))


def test_the_fewest_units_that_give_a_value():
    truth, guess = slide(n=20)
    assert only(run(coexpression_ssim, truth[:10], guess[:10]))[1] == ""
    inside = np.full(20, "a")
    assert only(run(niche_coexpression_ssim, truth, guess, niches=inside))[1] == ""
    assert niche_correlations(truth, niches=inside).niches == ["a"]
    small = niche_correlations(truth[:8], niches=inside[:8], min_units=8)
    np.testing.assert_allclose(small.values[0], np.corrcoef(truth[:8].T), atol=1e-12)


@pytest.mark.parametrize(("correlation", "one"), [(0.81, True), (0.79, False)])
def test_two_genes_can_share_one_axis(correlation, one):
    assert rank_one(np.array([[1.0, correlation], [correlation, 1.0]])) is one


def test_what_each_draw_of_the_ceiling_does_to_the_score():
    truth, guess = slide()
    draws = np.array([0.6, 0.62, 0.58, 0.61])
    found = coexpression_ssim_normalised(truth, guess, ceiling=draws.tolist(), floor=0.1, genes=GENES)
    mean = coexpression_ssim_normalised(truth, guess, ceiling=float(draws.mean()), floor=0.1, genes=GENES)
    np.testing.assert_allclose(found.values, mean.values)
    step = 1e-6
    for number in range(4):
        moved = np.delete(draws, number).tolist()
        moved.insert(number, draws[number] + step)
        more = coexpression_ssim_normalised(truth, guess, ceiling=moved, floor=0.1, genes=GENES).values[0]
        slope = (more - found.values[0]) / step * 4
        np.testing.assert_allclose(
            found.effects[0, number], slope * (draws[number] - draws.mean()), rtol=1e-3
        )
    nothing = coexpression_ssim_normalised(truth, guess, ceiling=[0.12, 0.13], floor=0.1, genes=GENES)
    assert nothing.reasons.tolist() == ["no_headroom"]
