"""The rules that hold for every metric, tried on each of those that need no place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.metrics import comparison as comparison_module, pearson_spot
from pytest_stbench.metrics.catalogue import METRICS as ALL
from pytest_stbench.metrics.comparison import clip, compare_genes, matrices

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

OF_VALUES = [r for r in ALL if r.needs == "expression" and r.group != "spatial"]
METRICS = [r for r in OF_VALUES if r.over in ("gene", "unit") and r.better != "context"]
RECORDS = {record.name: record for record in METRICS}
PER_GENE = [record.name for record in METRICS if record.over == "gene"]


def assert_same(found, expected, rtol=1e-9):
    assert found.reasons.tolist() == expected.reasons.tolist()
    np.testing.assert_allclose(found.values, expected.values, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", RECORDS)
def test_one_value_each_within_bounds_and_labelled(score, pair_of, name):
    truth, prediction = pair_of()
    if RECORDS[name].over == "gene":
        scores = score(name, truth, prediction, genes=[f"G{j}" for j in range(12)])
        assert scores.labels.tolist() == [f"G{j}" for j in range(12)]
    else:
        scores = score(name, truth, prediction, units=[f"u{i}" for i in range(30)])
        assert scores.labels.tolist() == [f"u{i}" for i in range(30)]
    assert scores.values.dtype == np.float64
    assert set(scores.reasons) == {""}
    low, high = RECORDS[name].bounds
    assert low is None or (scores.values >= low).all()
    assert high is None or (scores.values <= high).all()
    assert score(name, truth, prediction).labels.tolist() == [str(k) for k in range(len(scores.values))]


@pytest.mark.parametrize("name", RECORDS)
def test_a_perfect_prediction_gets_the_best_value(score, pair_of, name):
    truth, _ = pair_of()
    record = RECORDS[name]
    best = record.bounds[0] if record.better == "down" else record.bounds[1]
    scores = score(name, truth, truth)
    np.testing.assert_allclose(scores.values, best, atol=1e-9)
    assert not (np.abs(scores.values) > abs(best)).any()


@pytest.mark.parametrize("name", RECORDS)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_units_and_genes_does_not_matter(score, pair_of, inputs_of, name, seed):
    truth, prediction = pair_of(n=14, g=11, seed=seed)
    rng = np.random.default_rng(seed)
    units, genes = rng.permutation(14), rng.permutation(11)
    more = inputs_of(name, 14, 11)
    moved = {key: value[units if key == "libsize" else genes] for key, value in more.items()}
    whole = score(name, truth, prediction, **more)
    shuffled = score(name, truth[units][:, genes], prediction[units][:, genes], **moved)
    back = genes if RECORDS[name].over == "gene" else units
    np.testing.assert_allclose(shuffled.values, whole.values[back], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("layout", ["float32", "columns", "strided", "readonly", "list", "mixed"])
def test_type_and_layout_do_not_matter(score, pair_of, name, layout):
    truth, prediction = (a.astype(np.float32).astype(np.float64) for a in pair_of())
    expected = score(name, truth, prediction)
    change = {
        "float32": lambda a: a.astype(np.float32),
        "columns": np.asfortranarray,
        "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
        "readonly": lambda a: np.broadcast_to(a, a.shape),
        "list": lambda a: a.tolist(),
        "mixed": lambda a: a,
    }[layout]
    other = prediction.astype(np.float32) if layout == "mixed" else change(prediction)
    assert_same(score(name, change(truth), other), expected, rtol=1e-6)


@pytest.mark.parametrize("name", RECORDS)
def test_integers_are_numbers(score, name):
    rng = np.random.default_rng(0)
    truth, prediction = rng.poisson(5.0, size=(2, 20, 12))
    assert_same(score(name, truth, prediction), score(name, truth.astype(float), prediction.astype(float)))


@pytest.mark.parametrize("name", RECORDS)
def test_blocks_do_not_matter(score, pair_of, name, monkeypatch):
    truth, prediction = pair_of(n=40, g=50)
    truth[3, 5] = truth[4, 40] = np.nan
    prediction[:, 20] = 1.0
    expected = score(name, truth, prediction)
    monkeypatch.setattr(comparison_module, "_BLOCK_BYTES", 1)
    assert_same(score(name, truth, prediction), expected)


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_is_refused(score, pair_of, name, bad):
    truth, prediction = pair_of()
    prediction[4, 3] = bad
    label = (
        {"genes": list("abcXefghijkl")}
        if RECORDS[name].over == "gene"
        else {"units": ["X" if i == 4 else f"u{i}" for i in range(30)]}
    )
    with pytest.raises(ValueError, match=r"not finite.*first 'X'.*must return a finite number"):
        score(name, truth, prediction, **label)


@pytest.mark.parametrize("name", RECORDS)
def test_wrong_shapes_are_refused_with_advice(score, pair_of, name):
    truth, prediction = pair_of()
    with pytest.raises(ValueError, match=r"\(30, 12\) and prediction \(30, 11\).*reorder or subset"):
        score(name, truth, prediction[:, :11])
    with pytest.raises(ValueError, match=r"prediction has shape \(30,\): give units x genes"):
        score(name, truth, prediction[:, 0])
    with pytest.raises(ValueError, match="dense array of numbers"):
        score(name, truth, prediction.astype(object))
    with pytest.raises(ValueError, match="give one True or False for each of the 12 genes"):
        score(name, truth, prediction, measured=np.ones(3, bool))
    with pytest.raises(ValueError, match="dtype int64: give one True or False"):
        score(name, truth, prediction, measured=np.ones(12, np.int64))
    over = "genes" if RECORDS[name].over == "gene" else "units"
    with pytest.raises(ValueError, match=f"give one label for each of the .* {over}"):
        score(name, truth, prediction, **{over: ["a", "b"]})


@pytest.mark.parametrize("name", RECORDS)
def test_values_too_large_to_square_are_refused(score, pair_of, name):
    truth, prediction = pair_of()
    truth[1, 2] = 1e200
    with pytest.raises(ValueError, match="too large"):
        score(name, truth, prediction)


def test_clipping_takes_off_rounding_only():
    values = np.array([1 + 9e-13, -1 - 9e-13, 1 + 2e-12, -1 - 2e-12, 0.5, 1.0, np.nan])
    clipped = clip(values)
    assert clipped[:2].tolist() == [1.0, -1.0]
    assert np.array_equal(clipped[2:], values[2:], equal_nan=True)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_large_float_matrices_are_not_copied(kind):
    truth, prediction = np.zeros((2, 3, 4), kind)
    checked = matrices(truth, prediction)
    assert np.shares_memory(checked[0], truth)
    assert np.shares_memory(checked[1], prediction)
    assert checked[0].dtype == kind


def test_genes_that_were_not_measured_leave_the_comparison_of_units():
    rng = np.random.default_rng(0)
    truth, guess = rng.normal(size=(2, 8, 14))
    measured = np.arange(14) % 7 != 3
    found = pearson_spot(truth, guess, measured=measured)
    np.testing.assert_allclose(found.values, pearson_spot(truth[:, measured], guess[:, measured]).values)


def test_genes_known_for_the_same_units_come_together():
    truth = np.arange(60.0).reshape(12, 5)
    truth[:2, [1, 3]] = np.nan
    truth[4, 2] = np.nan
    found = compare_genes(truth, np.zeros((12, 5)), measured=None, genes=None)
    parts = {tuple(columns): rows for columns, rows in found.known_together()}
    assert parts.keys() == {(0, 4), (1, 3), (2,)}
    assert parts[0, 4] is None
    assert np.flatnonzero(~parts[1, 3]).tolist() == [0, 1]
    assert np.flatnonzero(~parts[2,]).tolist() == [4]
