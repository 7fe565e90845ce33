from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from sklearn.metrics import jaccard_score

from pytest_stbench.kernels.overlap import expected_jaccard, rank_biased_overlap
from pytest_stbench.metrics.niche_arms import NicheFoldChanges, jaccard, marker_lists
from pytest_stbench.metrics.niche_rankings import niche_logfc_spearman, niche_rbo
from pytest_stbench.metrics.niche_reference import niche_ceiling, niche_fold_changes, niche_markers
from pytest_stbench.metrics.niche_signatures import (
    niche_jaccard,
    niche_jaccard_normalised,
    niche_overlap,
    novel_recall,
)

pytestmark = pytest.mark.filterwarnings("error")

LISTED = (niche_jaccard, niche_overlap, niche_rbo, niche_jaccard_normalised, novel_recall)
CEILING = {"core": 0.6, "rim": 0.5, "stroma": 0.7}
MORE = {niche_jaccard_normalised: {"ceiling": CEILING}, novel_recall: {"known_markers": {"rim": ["G5"]}}}
NAMES = np.array(["core", "rim", "stroma"])


def some(n=120, g=80, seed=0, noise=0.5):
    """Sparse truth with markers in each of three niches, and a prediction that follows it."""
    rng = np.random.default_rng(seed)
    niche = rng.integers(0, 3, n)
    rate = rng.gamma(1.0, 1.0, g) * np.exp(0.7 * rng.normal(size=(3, g)))
    truth = np.log1p(rng.poisson(rate[niche]))
    return truth, truth + noise * rng.normal(size=(n, g)), NAMES[niche], np.array([f"G{j}" for j in range(g)])


def slow_list(values, truth, inside, genes, longest, kept):
    """The markers of one niche by T05, gene by gene; None where the list would be too short."""
    ranked, candidates = [], 0
    n1, n2, n = inside.sum(), (~inside).sum(), len(values)
    above = stats.rankdata(values, axis=0)[inside].sum(axis=0) - n1 * (n + 1) / 2
    for j in np.flatnonzero(kept):
        if (truth[inside, j] > 0).mean() < 0.1:
            continue
        candidates += 1
        x, y = values[inside, j], values[~inside, j]
        _, t = np.unique(values[:, j], return_counts=True)
        sigma = np.sqrt(n1 * n2 / 12 * (n + 1 - (t**3 - t).sum() / (n * (n - 1))))
        if round((x.mean() - y.mean()) / np.log(2), 9) > 0 and sigma > 0:
            ranked.append((-round(above[j] / sigma, 9), genes[j]))
    length = min(longest, candidates // 4)
    return [gene for _, gene in sorted(ranked)][:length], candidates


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from([5, 10, 50]))
def test_each_score_follows_the_definition(seed, n):
    truth, guess, niches, genes = some(seed=seed, n=100, g=60)
    truth[:, 3] = 0
    measured = np.arange(60) != 7
    same = {"niches": niches, "genes": genes, "measured": measured, "n": n}
    found = {
        metric: metric(
            truth, guess, **same, **MORE.get(metric, {}), **({"p": 0.9} if metric is niche_rbo else {})
        )
        for metric in LISTED
    }
    for row, niche in enumerate(np.unique(niches)):
        inside = niches == niche
        if inside.sum() < 20:
            assert {found[metric].reasons[row] for metric in LISTED} == {"empty_niche"}
            continue
        a, candidates = slow_list(truth, truth, inside, genes, n, measured)
        b, _ = slow_list(guess, truth, inside, genes, n, measured)
        common = len(set(a) & set(b))
        share = common / len(set(a) | set(b))
        floor = expected_jaccard(candidates, len(a), len(b))
        novel = [gene for gene in a if not (niche == "rim" and gene == "G5")]
        expected = {
            niche_jaccard: share,
            niche_overlap: common / min(len(a), len(b)),
            niche_rbo: rank_biased_overlap(a, b, 0.9),
            niche_jaccard_normalised: (share - floor) / (CEILING[niche] - floor),
            novel_recall: len(set(novel) & set(b)) / len(novel),
        }
        for metric, value in expected.items():
            assert found[metric].labels[row] == niche
            assert found[metric].values[row] == pytest.approx(value, abs=1e-9), metric.__name__
        one_hot = [[gene in chosen for gene in genes] for chosen in (a, b)]
        assert share == pytest.approx(jaccard_score(*one_hot))
        extras = found[niche_jaccard].extras
        assert extras["n_candidates"][row] == candidates
        assert (extras["n_truth"][row], extras["n_prediction"][row]) == (len(a), len(b))
        assert extras["expected"][row] == pytest.approx(floor)
        assert found[niche_jaccard_normalised].extras["jaccard"][row] == pytest.approx(share)
        assert found[novel_recall].extras["n_novel"][row] == len(novel)
        assert found[novel_recall].extras["chance"][row] == pytest.approx(len(b) / candidates)
        assert niche_markers(truth, **same)[niche] == tuple(a)


def test_lists_are_those_of_scanpy(interpreted):
    scanpy = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    truth, _, niches, genes = some(n=200, g=100, seed=3)
    truth[:, 0] += 1e-3 * np.arange(200)
    data = anndata.AnnData(truth.copy())
    data.var_names = genes
    data.obs["niche"] = niches
    data.obs["niche"] = data.obs["niche"].astype("category")
    with np.errstate(all="ignore"), interpreted():  # scanpy divides by zero where a gene does not vary
        scanpy.tl.rank_genes_groups(data, "niche", method="wilcoxon", tie_correct=True)
    for niche, markers in niche_markers(truth, niches=niches, genes=genes, n=12).items():
        ranked = data.uns["rank_genes_groups"]["names"][niche]
        often = {
            g
            for g, share in zip(genes, (truth[niches == niche] > 0).mean(axis=0), strict=True)
            if share >= 0.1
        }
        assert list(markers) == [gene for gene in ranked if gene in often][: len(markers)]
        assert len(markers) == 12


def test_golden_lists():
    order = np.array([[9.0, 8, 7, 6, 1, 1, 1, 1]])
    guess = np.array([[9.0, 8, 1, 1, 7, 6, 1, 1]])
    genes = np.array(list("abcdefgh"))
    everywhere, four = np.ones((1, 8), bool), np.array([4])
    (a,), _ = marker_lists(order, order, everywhere, genes, four)
    (b,), _ = marker_lists(guess, guess, everywhere, genes, four)
    assert (genes[a].tolist(), genes[b].tolist()) == (list("abcd"), list("abef"))
    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert rank_biased_overlap(a, b, 0.9) == pytest.approx(0.6085)


@pytest.mark.parametrize("metric", LISTED)
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_names_and_scale_do_not_matter(metric, seed):
    truth, guess, niches, genes = some(seed=seed, n=90, g=60)
    guess = np.round(guess)  # ties everywhere
    more = MORE.get(metric, {})
    found = metric(truth, guess, niches=niches, genes=genes, **more)
    rng = np.random.default_rng(seed)
    units, columns = rng.permutation(90), rng.permutation(60)
    moved = metric(
        truth[units][:, columns],
        2 * guess[units][:, columns] - 5,
        niches=niches[units],
        genes=genes[columns],
        **more,
    )
    np.testing.assert_allclose(moved.values, found.values, atol=1e-12)
    assert moved.flags == found.flags


@pytest.mark.parametrize("metric", LISTED)
def test_a_perfect_prediction(metric):
    truth, _, niches, genes = some()
    more = {niche_jaccard_normalised: {"ceiling": dict.fromkeys(NAMES, 1.0)}}.get(
        metric, MORE.get(metric, {})
    )
    np.testing.assert_allclose(metric(truth, truth, niches=niches, genes=genes, **more).values, 1.0)


def test_spearman_of_fold_changes_is_that_of_scipy():
    truth, guess, niches, genes = some(seed=5)
    truth[:, :4] = 0
    found = niche_logfc_spearman(truth, guess, niches=niches, genes=genes)
    for row, niche in enumerate(np.unique(niches)):
        inside = niches == niche
        often = (truth[inside] > 0).mean(axis=0) >= 0.1
        changes = [
            x[inside].mean(axis=0) - x[~inside].mean(axis=0) for x in (truth[:, often], guess[:, often])
        ]
        assert found.values[row] == pytest.approx(stats.spearmanr(*changes).statistic)
        assert found.extras["n_candidates"][row] == often.sum()
    np.testing.assert_allclose(niche_logfc_spearman(truth, -truth, niches=niches).values, -1.0)


def test_fold_changes_instead_of_expression():
    truth, guess, niches, genes = some()
    stated = niche_fold_changes(guess, niches=niches)
    assert stated.niches == NAMES.tolist()
    inside = niches == "rim"
    expected = (guess[inside].mean(axis=0) - guess[~inside].mean(axis=0)) / np.log(2)
    np.testing.assert_allclose(stated.values[1], expected)
    found = niche_logfc_spearman(truth, stated, niches=niches)
    np.testing.assert_allclose(found.values, niche_logfc_spearman(truth, guess, niches=niches).values)
    # The lists are ordered by the fold changes themselves.
    scores = niche_jaccard(truth, stated, niches=niches, genes=genes)
    length = int(scores.extras["n_truth"][1])
    often = (truth[inside] > 0).mean(axis=0) >= 0.1
    b = np.flatnonzero(often)[np.argsort(-expected[often])][:length]
    a = niche_markers(truth, niches=niches, genes=genes)["rim"]
    common = len(set(a) & set(genes[b]))
    assert scores.values[1] == pytest.approx(common / (2 * length - common))
    fewer = NicheFoldChanges(niches=["stroma", "elsewhere"], values=stated.values[[2, 0]])
    for metric in (niche_jaccard, niche_rbo):
        found = metric(truth, fewer, niches=niches, genes=genes)
        assert found.reasons.tolist() == ["empty_pred", "empty_pred", ""]
        assert found.values[2] == metric(truth, stated, niches=niches, genes=genes).values[2]
    found = niche_logfc_spearman(truth, fewer, niches=niches)
    assert found.reasons.tolist() == ["pred_constant", "pred_constant", ""]
    with pytest.raises(ValueError, match="give a finite one for each of the 2 niches and 80 genes"):
        niche_jaccard(truth, NicheFoldChanges(niches=["a", "b"], values=np.zeros((3, 80))), niches=niches)


def test_a_short_predicted_list():
    truth, _, niches, genes = some()
    markers = niche_markers(truth, niches=niches, genes=genes)["rim"]
    change = np.full((1, 80), -1.0)
    chosen = [*markers[:4], *(gene for gene in genes if gene not in markers)][:6]
    for rank, gene in enumerate(chosen):
        change[0, genes == gene] = 6 - rank
    stated = NicheFoldChanges(niches=["rim"], values=change)

    def score(metric, **more):
        return metric(truth, stated, niches=niches, genes=genes, **more)

    plain = score(niche_jaccard)
    length, shown = len(markers), int(plain.extras["n_prediction"][1])
    assert 4 <= shown <= 6 < length
    assert plain.values[1] == pytest.approx(4 / (length + shown - 4))
    assert score(niche_overlap).values[1] == pytest.approx(4 / shown)
    assert score(niche_rbo).values[1] == pytest.approx(rank_biased_overlap(markers, chosen[:shown], 0.95))
    floor = expected_jaccard(int(plain.extras["n_candidates"][1]), length, shown)
    found = score(niche_jaccard_normalised, ceiling=CEILING)
    assert found.values[1] == pytest.approx((plain.values[1] - floor) / (0.5 - floor))


def test_equal_fold_changes_are_tied_whatever_the_rounding():
    truth, guess, niches, _ = some(seed=7)
    rng = np.random.default_rng(0)
    for j in range(0, 80, 2):
        for niche in NAMES:
            inside = np.flatnonzero(niches == niche)
            guess[inside, j + 1] = guess[rng.permutation(inside), j]
    found = niche_logfc_spearman(truth, guess, niches=niches)
    for row, niche in enumerate(NAMES):
        inside = niches == niche
        often = (truth[inside] > 0).mean(axis=0) >= 0.1
        changes = [
            np.round(x[inside].mean(axis=0) - x[~inside].mean(axis=0), 9)[often] for x in (truth, guess)
        ]
        assert found.values[row] == pytest.approx(stats.spearmanr(*changes).statistic, abs=1e-9)


@pytest.mark.parametrize("metric", LISTED)
@pytest.mark.parametrize("level", [0.0, 0.1, -3.0])
def test_a_constant_prediction_has_no_markers(metric, level):
    truth, guess, niches, genes = some()
    flat = metric(truth, np.full_like(guess, level), niches=niches, genes=genes, **MORE.get(metric, {}))
    assert flat.reasons.tolist() == ["empty_pred"] * 3
    # The truth is tested first: constant on both sides is not the model's fault.
    both = metric(
        np.ones_like(truth), np.ones_like(guess), niches=niches, genes=genes, **MORE.get(metric, {})
    )
    assert both.reasons.tolist() == ["empty_signature"] * 3


def test_constant_fold_changes():
    truth, guess, niches, _ = some()
    found = niche_logfc_spearman(truth, np.full_like(guess, 0.1), niches=niches)
    assert found.reasons.tolist() == ["pred_constant"] * 3
    found = niche_logfc_spearman(np.ones_like(truth), np.ones_like(guess), niches=niches)
    assert found.reasons.tolist() == ["gt_constant"] * 3
    found = niche_logfc_spearman(truth[:, :9], guess[:, :9], niches=niches)
    assert found.reasons.tolist() == ["too_few_genes"] * 3


@pytest.mark.parametrize("metric", [*LISTED, niche_logfc_spearman])
def test_small_niches_and_units_without_one(metric):
    truth, guess, _, genes = some(n=130)
    niches = np.repeat(["big", "edge", "few", "undetermined", None], [66, 20, 19, 15, 10]).astype(object)
    more = {**MORE, niche_jaccard_normalised: {"ceiling": {"big": 0.9, "edge": 0.9, "few": 0.9}}}.get(
        metric, {}
    )
    found = metric(truth, guess, niches=niches, genes=genes, **more)
    assert found.labels.tolist() == ["big", "edge", "few"]
    assert found.reasons.tolist() == ["", "", "empty_niche"]
    assert set(found.extras["n_left_out"]) == {25}
    alone = metric(truth[:105], guess[:105], niches=niches[:105], genes=genes, **more)
    np.testing.assert_array_equal(found.values, alone.values)
    # 19 units outside are as bad as 19 inside.
    pair = np.r_[66:105]
    assert set(metric(truth[pair], guess[pair], niches=niches[pair], genes=genes, **more).reasons) == {
        "empty_niche"
    }
    one = metric(truth, guess, niches=["big"] * 130, genes=genes, **more)
    assert one.reasons.tolist() == ["empty_niche"]
    assert len(metric(truth, guess, niches=[None] * 130, genes=genes, **more).values) == 0
    assert len(metric(truth[:0], guess[:0], niches=[], genes=genes, **more).values) == 0


def test_lists_hold_a_quarter_of_the_candidates_and_at_least_five():
    truth, guess, niches, _ = some(g=80)
    truth += 0.01  # every gene is a candidate
    for g, reason in ((19, "too_few_genes"), (20, "")):
        found = niche_jaccard(truth[:, :g], guess[:, :g], niches=niches)
        assert set(found.reasons) == {reason}
        assert (found.extras["n_truth"] <= g // 4).all()
    assert niche_jaccard(truth, guess, niches=niches, n=4).reasons.tolist() == ["too_few_genes"] * 3
    assert niche_markers(truth[:, :19], niches=niches) == {"core": (), "rim": (), "stroma": ()}
    assert niche_jaccard(truth[:, :0], guess[:, :0], niches=niches).reasons.tolist() == ["too_few_genes"] * 3


def test_genes_with_missing_truth_are_no_candidates():
    truth, guess, niches, genes = some()
    expected = niche_jaccard(truth[:, 2:], guess[:, 2:], niches=niches, genes=genes[2:])
    truth[:, 0], truth[3, 1] = np.nan, np.inf
    found = niche_jaccard(truth, guess, niches=niches, genes=genes)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.extras["n_candidates"], expected.extras["n_candidates"])


def test_headroom_does_not_depend_on_the_prediction():
    truth, guess, niches, genes = some()
    full = niche_jaccard(truth, truth, niches=niches, genes=genes).extras["expected"]
    for above, reason in ((0.0499, "no_headroom"), (0.0501, "")):
        ceiling = dict(zip(NAMES, full + above, strict=True))
        for predicted in (truth, guess):
            found = niche_jaccard_normalised(truth, predicted, niches=niches, genes=genes, ceiling=ceiling)
            assert set(found.reasons) == {reason}
    flat = niche_jaccard_normalised(truth, 0 * guess, niches=niches, ceiling=dict.fromkeys(NAMES, 0.1))
    assert set(flat.reasons) == {"no_headroom"}
    missing = niche_jaccard_normalised(truth, guess, niches=niches, ceiling={"rim": 0.9, "core": np.nan})
    assert missing.reasons.tolist() == ["no_headroom", "", "no_headroom"]


def test_the_normalised_value_is_neither_cut_above_nor_below():
    truth, _, niches, genes = some()
    low = niche_jaccard_normalised(
        truth, truth, niches=niches, genes=genes, ceiling=dict.fromkeys(NAMES, 0.5)
    )
    assert (low.values > 1).all()
    opposite = niche_jaccard_normalised(truth, -truth, niches=niches, genes=genes, ceiling=CEILING)
    assert (opposite.values < 0).all()


def test_no_novel_marker():
    truth, _, niches, genes = some()
    known = niche_markers(truth, niches=niches, genes=genes)
    known["rim"] = known["rim"][1:]
    found = novel_recall(truth, truth, niches=niches, genes=genes, known_markers=known)
    assert found.reasons.tolist() == ["no_positive", "", "no_positive"]
    assert found.values[1] == 1.0
    assert found.extras["n_novel"].tolist() == [0, 1, 0]
    flat = novel_recall(truth, 0 * truth, niches=niches, genes=genes, known_markers=known)
    assert flat.reasons.tolist() == ["no_positive", "empty_pred", "no_positive"]


def test_ties_that_decide_more_than_a_tenth_are_flagged():
    genes = np.array([f"G{j:02}" for j in range(24)])
    everywhere, ten = np.ones((1, 24), bool), np.array([10])
    for tied, flag in ((2, True), (1, False)):
        order = np.linspace(9, 1, 24)[None]
        order[0, 10 - tied : 11] = order[0, 10]
        (chosen,), found = marker_lists(order, order, everywhere, genes, ten)
        assert chosen.tolist() == list(range(10))
        assert found is flag
    order[0, 8:10] = 5.0
    order[0, 10:] = 1.0
    assert marker_lists(order, order, everywhere, genes, ten)[1] is False  # tied inside the list only
    truth, guess, niches, names = some(n=300)
    assert niche_jaccard(truth, guess, niches=niches, genes=names).flags == ()
    tied = np.tile(guess[:, :1], 80)
    assert niche_jaccard(truth, tied, niches=niches, genes=names).flags == ("ties",)


def test_the_ceiling_is_the_mean_over_halves_on_the_candidates_of_the_whole():
    truth, _, niches, genes = some()
    rng = np.random.default_rng(0)
    counts = np.round(np.expm1(truth)).astype(int)
    halves = []
    for _ in range(3):
        first = rng.binomial(counts, 0.5)
        halves.append((np.log1p(first), np.log1p(counts - first)))
    found = niche_ceiling(truth, halves, niches=niches, genes=genes)
    for niche in NAMES:
        inside, values = niches == niche, []
        for first, second in halves:
            a, _ = slow_list(second, truth, inside, genes, 50, np.ones(80, bool))
            b, _ = slow_list(first, truth, inside, genes, 50, np.ones(80, bool))
            values.append(len(set(a) & set(b)) / len(set(a) | set(b)))
        assert found[niche] == pytest.approx(values)
        assert max(found[niche]) < 1
    assert niche_ceiling(truth, [(truth, truth)], niches=niches) == {name: [1.0] for name in NAMES}
    endless = niche_ceiling(truth, itertools.repeat((truth, truth)), niches=niches)
    assert endless == {name: [1.0] * 10 for name in NAMES}, "draws that do not differ suffice at once"
    assert niche_ceiling(truth, [], niches=niches) == {name: [] for name in NAMES}
    empty = niche_ceiling(truth, [(truth, 0 * truth)], niches=niches)
    assert np.isnan(list(empty.values())).all()


@pytest.mark.parametrize("metric", [*LISTED, niche_logfc_spearman])
def test_bad_input_is_refused_with_advice(metric):
    truth, guess, niches, _ = some()
    more = MORE.get(metric, {})
    with pytest.raises(ValueError, match="truth has 120 units and niches 119: give the niche of each unit"):
        metric(truth, guess, niches=niches[1:], **more)
    with pytest.raises(ValueError, match=r"truth has shape \(120, 80\) and prediction \(120, 79\)"):
        metric(truth, guess[:, 1:], niches=niches, **more)
    guess[3, 3] = np.nan
    with pytest.raises(ValueError, match="prediction is not finite"):
        metric(truth, guess, niches=niches, **more)


def test_one_matrix_may_lack_genes():
    """Slides of other panels have nan for the genes they did not measure."""
    truth, guess, niches, genes = some()
    gaps, measured = truth.copy(), np.arange(80) >= 5
    gaps[:, ~measured] = np.nan
    gaps[1:, 0] = truth[1:, 0]
    halves = [(guess, gaps)]
    assert niche_markers(gaps, niches=niches, genes=genes) == niche_markers(
        truth, niches=niches, genes=genes, measured=measured
    )
    assert niche_ceiling(gaps, halves, niches=niches) == niche_ceiling(
        truth, [(guess, truth)], niches=niches, measured=measured
    )
    found = niche_fold_changes(gaps, niches=niches)
    assert np.isnan(found.values[:, ~measured]).all()
    np.testing.assert_array_equal(
        found.values[:, measured], niche_fold_changes(truth, niches=niches).values[:, measured]
    )
    # What is not known is no change.
    assert niche_logfc_spearman(truth, found, niches=niches).values == pytest.approx(
        niche_logfc_spearman(
            truth,
            NicheFoldChanges(niches=found.niches, values=np.nan_to_num(found.values)),
            niches=niches,
        ).values
    )


def test_lists_are_fifty_genes_long_unless_told():
    truth, guess, niches, _ = some(g=320)
    found = niche_jaccard(truth, guess, niches=niches)
    assert (found.extras["n_candidates"] > 204).all()
    assert found.extras["n_truth"].tolist() == found.extras["n_prediction"].tolist() == [50.0] * 3


def test_novel_markers_are_found_by_chance_as_often_as_the_extra_says():
    truth, _, niches, genes = some(n=200, g=60, seed=5)
    rng = np.random.default_rng(6)
    found = [
        novel_recall(truth, truth[:, rng.permutation(60)], niches=niches, genes=genes, known_markers={}, n=12)
        for _ in range(200)
    ]
    for row in np.flatnonzero(found[0].reasons == ""):
        values = np.array([scores.values[row] for scores in found])
        chance = np.mean([scores.extras["chance"][row] for scores in found])
        assert abs(values.mean() - chance) < 4 * values.std() / np.sqrt(len(values))


def test_what_each_draw_of_the_ceilings_does_to_the_scores():
    truth, guess, niches, genes = some()
    rng = np.random.default_rng(3)
    draws = {niche: rng.uniform(0.7, 0.9, 5) for niche in NAMES}
    given_draws = {niche: values.tolist() for niche, values in draws.items()}
    found = niche_jaccard_normalised(truth, guess, niches=niches, genes=genes, ceiling=given_draws)
    means = {niche: float(values.mean()) for niche, values in draws.items()}
    mean = niche_jaccard_normalised(truth, guess, niches=niches, genes=genes, ceiling=means)
    np.testing.assert_allclose(found.values, mean.values)
    floor = found.extras["expected"]
    for row, niche in enumerate(found.labels):
        deviation = draws[niche] - means[niche]
        slope = -found.values[row] / (means[niche] - floor[row])
        np.testing.assert_allclose(found.effects[row], slope * deviation)


def test_the_lists_behind_a_value_are_given_with_it():
    truth, prediction, niches, genes = some()
    for metric in (niche_jaccard, niche_jaccard_normalised):
        found = metric(truth, prediction, niches=niches, genes=genes, **MORE.get(metric, {}))
        plain = found.extras.get("jaccard", found.values)
        for (true, guess), value in zip(found.members, plain, strict=True):
            common = len({*true.tolist()} & {*guess.tolist()})
            assert common / (len(true) + len(guess) - common) == value
    known = novel_recall(truth, prediction, niches=niches, genes=genes, known_markers={})
    assert known.members is None
