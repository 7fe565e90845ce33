"""When a value is undefined, and with which reason: tried on every metric that needs no place."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.metrics.catalogue import METRICS as ALL

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

OF_VALUES = [r for r in ALL if r.needs == "expression" and r.group != "spatial"]
METRICS = [r for r in OF_VALUES if r.over in ("gene", "unit") and r.better != "context"]
RECORDS = {record.name: record for record in METRICS}
PER_GENE = [record.name for record in METRICS if record.over == "gene"]
PER_UNIT = [record.name for record in METRICS if record.over == "unit"]
CORRELATED = [
    "pearson_gene", "spearman_gene", "partial_pearson_gene", "partial_spearman_gene", "concordance",
    "pearson_spot", "spearman_spot", "pearson_spot_residual",
]  # fmt: skip


@pytest.mark.parametrize("name", PER_GENE)
def test_no_units(score, name):
    scores = score(name, np.zeros((0, 3)), np.zeros((0, 3)))
    assert scores.reasons.tolist() == ["too_few_units"] * 3


@pytest.mark.parametrize("name", RECORDS)
def test_nothing_to_score(score, name):
    nothing = np.zeros((5, 0)) if RECORDS[name].over == "gene" else np.zeros((0, 12))
    assert len(score(name, nothing, nothing).values) == 0


@pytest.mark.parametrize("name", PER_UNIT)
def test_no_genes(score, name):
    scores = score(name, np.zeros((3, 0)), np.zeros((3, 0)))
    assert scores.reasons.tolist() == ["too_few_genes"] * 3


@pytest.mark.parametrize("name", CORRELATED)
def test_correlations_need_ten(score, pair_of, name):
    truth, prediction = pair_of(n=10, g=10)
    assert set(score(name, truth, prediction).reasons) == {""}
    reason = "too_few_units" if RECORDS[name].over == "gene" else "too_few_genes"
    assert set(score(name, *pair_of(n=9, g=9)).reasons) == {reason}
    fewest = "min_units" if RECORDS[name].over == "gene" else "min_genes"
    assert set(score(name, *pair_of(n=9, g=9), **{fewest: 9}).reasons) == {""}
    # Not always defined: the ranks of three units are often collinear with a third variable.
    assert set(score(name, *pair_of(n=3, g=3), **{fewest: 3}).reasons) <= {
        "",
        "collinear_with_libsize",
        "pred_collinear_with_libsize",
    }
    assert set(score(name, *pair_of(n=2, g=2), **{fewest: 3}).reasons) == {reason}
    assert set(score(name, *pair_of(n=1, g=1), **{fewest: 3}).reasons) == {reason}
    with pytest.raises(ValueError, match=f"{fewest} is 2: a correlation needs at least 3"):
        score(name, truth, prediction, **{fewest: 2})


@pytest.mark.parametrize("name", [name for name in RECORDS if name not in CORRELATED])
def test_the_others_need_one(score, name):
    scores = score(name, np.array([[2.0]]), np.array([[3.0]]))
    expected = {"rmse": 1.0, "mae": 1.0, "cosine_gene": 1.0, "cosine_spot": 1.0, "jsd_map": 0.0}
    if name == "r2":
        assert scores.reasons.tolist() == ["gt_constant"]
    else:
        assert scores.values[0] == pytest.approx(expected[name])


@pytest.mark.parametrize("name", PER_GENE)
def test_a_gene_not_measured_is_missing_whatever_its_values(score, pair_of, name):
    truth, prediction = pair_of()
    expected = score(name, truth, prediction)
    measured = np.ones(12, bool)
    measured[[2, 5, 7]] = False
    truth[:, 2], truth[:, 5], truth[0, 7] = np.nan, 0.0, np.inf
    scores = score(name, truth, prediction, measured=measured)
    assert (scores.reasons == "gene_missing").tolist() == (~measured).tolist()
    np.testing.assert_allclose(scores.values[measured], expected.values[measured], rtol=1e-12)
    few = score(name, truth[:0], prediction[:0], measured=measured)
    assert (few.reasons == "gene_missing").tolist() == (~measured).tolist()


@pytest.mark.parametrize("name", PER_UNIT)
def test_a_gene_not_measured_leaves_every_unit(score, pair_of, inputs_of, name):
    truth, prediction = pair_of(g=14)
    more = inputs_of(name, 30, 14)
    measured = np.ones(14, bool)
    measured[[2, 5]] = False
    kept = {key: value[measured] for key, value in more.items()}
    expected = score(name, truth[:, measured], prediction[:, measured], **kept)
    truth[:, 2] = np.nan
    if "train_mean" in more:
        more["train_mean"] = np.where(measured, more["train_mean"], np.nan)
    found = score(name, truth, prediction, measured=measured, **more)
    assert found.reasons.tolist() == expected.reasons.tolist()
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)


@pytest.mark.parametrize("name", PER_GENE)
def test_missing_truth_is_left_out_pairwise(score, pair_of, inputs_of, name):
    truth, prediction = pair_of(n=40)
    more = inputs_of(name, 40, 12)
    rng = np.random.default_rng(5)
    for j in range(12):
        truth[rng.permutation(40)[: j + 8], j] = np.nan
    truth[rng.permutation(40)[:21], 3] = np.nan
    known = np.isfinite(truth)
    scores = score(name, truth, prediction, **more)
    assert scores.reasons.tolist() == ["gt_nan" if share < 0.5 else "" for share in known.mean(axis=0)]
    for j in np.flatnonzero(scores.reasons == ""):
        rows = known[:, j]
        left = {key: value[rows] for key, value in more.items()}
        alone = score(name, truth[rows, j : j + 1], prediction[rows, j : j + 1], **left)
        np.testing.assert_allclose(scores.values[j], alone.values[0], rtol=1e-9)


@pytest.mark.parametrize("name", PER_UNIT)
def test_missing_truth_of_a_unit_is_left_out_pairwise(score, pair_of, inputs_of, name):
    truth, prediction = pair_of(n=5, g=24)
    more = inputs_of(name, 5, 24)
    truth[0, :12], truth[1, :13], truth[2, 5] = np.nan, np.nan, np.inf
    scores = score(name, truth, prediction, **more)
    assert scores.reasons.tolist() == ["", "gt_nan", "", "", ""]
    for i in (0, 2):
        genes = np.isfinite(truth[i])
        left = {key: value[genes] for key, value in more.items()}
        alone = score(name, truth[i : i + 1, genes], prediction[i : i + 1, genes], **left)
        np.testing.assert_allclose(scores.values[i], alone.values[0], rtol=1e-9)


@pytest.mark.parametrize("name", CORRELATED)
def test_too_few_left_after_missing_truth(score, pair_of, name):
    truth, prediction = pair_of(n=16, g=16)
    if RECORDS[name].over == "gene":
        truth[:7, 0], truth[:8, 1], truth[:9, 2], reason = np.nan, np.nan, np.nan, "too_few_units"
    else:
        truth[0, :7], truth[1, :8], truth[2, :9], reason = np.nan, np.nan, np.nan, "too_few_genes"
    # 9 and 8 of 16 are half or more, but fewer than ten; 7 of 16 is less than half.
    assert score(name, truth, prediction).reasons[:4].tolist() == [reason, reason, "gt_nan", ""]


@pytest.mark.parametrize("name", [name for name in CORRELATED if name != "concordance"])
@pytest.mark.parametrize("level", [0.0, 0.1, -3.0, 1e6])
def test_constants(score, pair_of, name, level):
    truth, prediction = pair_of(n=20, g=20)
    level_mean = {"train_mean": np.zeros(20)} if "train_mean" in RECORDS[name].inputs else {}
    axis = (lambda k: (slice(None), k)) if RECORDS[name].over == "gene" else (lambda k: (k, slice(None)))
    truth[axis(0)] = level
    prediction[axis(1)] = level
    truth[axis(2)] = prediction[axis(2)] = level
    # Missing truth may leave a constant, or hide the only place where the prediction varies.
    for where, matrix in ((3, truth), (4, prediction)):
        matrix[axis(where)] = level
        matrix[axis(where)][0] = level + 5
        truth[axis(where)][0] = np.nan
    reasons = score(name, truth, prediction, **level_mean).reasons[:6].tolist()
    assert reasons == ["gt_constant", "pred_constant", "gt_constant", "gt_constant", "pred_constant", ""]


@pytest.mark.parametrize("name", [name for name in CORRELATED if name.endswith("_gene")] + ["r2"])
@pytest.mark.parametrize("level", [0.0, 1.0, 1e6])
def test_the_tolerance_of_a_constant(score, pair_of, name, level):
    truth, prediction = pair_of(n=2000, g=2)
    allowed = 1e-9 * max(1.0, level)
    truth[:] = level
    # One unit that differs is the smallest variance a range can have.
    truth[7, 0] += 0.9 * allowed
    truth[7, 1] += 1.2 * allowed
    assert score(name, truth, prediction).reasons.tolist() == ["gt_constant", ""]
    half = np.arange(2000) % 2 == 0
    truth[:] = level
    truth[half, 0] += 0.9 * allowed
    truth[half, 1] += 1.2 * allowed
    assert score(name, truth, prediction).reasons.tolist() == ["gt_constant", ""]


@pytest.mark.parametrize("level", [0.0, 1.0, 1e6])
def test_the_tolerance_of_a_constant_prediction_is_that_of_its_own_level(score, pair_of, level):
    truth, prediction = pair_of(n=20, g=2)
    allowed = 1e-9 * max(1.0, level)
    prediction[:] = level
    prediction[7] += np.array([0.9, 1.2]) * allowed
    for offset in (0.0, 1e4):
        assert score("pearson_gene", truth + offset, prediction).reasons.tolist() == ["pred_constant", ""]


@pytest.mark.parametrize("name", PER_GENE)
def test_an_all_zero_prediction(score, pair_of, name):
    truth, _ = pair_of()
    scores = score(name, truth, np.zeros_like(truth))
    reason = {"cosine_gene": "empty_pred", "jsd_map": "empty_pred"}.get(name, "pred_constant")
    reason = "" if name in {"rmse", "mae", "r2", "concordance"} else reason
    assert set(scores.reasons) == {reason}
    if name == "concordance":
        assert not scores.values.any()


@pytest.mark.parametrize("name", PER_GENE)
def test_all_zero_truth_and_prediction(score, name):
    zero = np.zeros((20, 2))
    reason = {"cosine_gene": "empty_truth", "jsd_map": "empty_truth", "rmse": "", "mae": ""}
    assert set(score(name, zero, zero).reasons) == {reason.get(name, "gt_constant")}


@pytest.mark.parametrize("name", [name for name in PER_GENE if name not in {"jsd_map", "cosine_gene"}])
def test_a_huge_offset_does_not_matter(score, pair_of, name):
    truth, prediction = (np.round(a * 4096) / 4096 for a in pair_of(n=200))
    near = score(name, truth, prediction)
    far = score(name, truth + 1e6, prediction + 1e6)
    np.testing.assert_allclose(far.values, near.values, rtol=1e-8, atol=1e-10)
