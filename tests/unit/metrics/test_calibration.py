from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.metrics.calibration import brier, calibration_slope, ece

pytestmark = pytest.mark.filterwarnings("error")


def slow_ece(truth, shares, classes):
    top = [float(row.max()) for row in shares]
    right = [classes[int(np.argmax(row))] == label for row, label in zip(shares, truth, strict=True)]
    rows = []
    for share in sorted(top):
        equal = [hit for other, hit in zip(top, right, strict=True) if abs(other - share) < 1e-9]
        rows.append((share, sum(equal) / len(equal)))
    error = 0.0
    for part in np.array_split(np.array(rows), 15):
        if len(part):
            error += len(part) / len(rows) * abs(part[:, 0].mean() - part[:, 1].mean())
    return error


def slow_brier(truth, shares, classes):
    total = 0.0
    for row, label in zip(shares, truth, strict=True):
        names = dict(zip(classes, row, strict=True))
        total += sum((names.get(name, 0.0) - (name == label)) ** 2 for name in {*classes, label})
    return total / len(truth)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), coarse=st.booleans())
def test_both_follow_the_definition_in_any_order(seed, n, coarse):
    rng = np.random.default_rng(seed)
    classes = ["b", "a", "c"]
    shares = rng.dirichlet(np.ones(3), n)
    if coarse:
        shares = np.eye(3)[rng.integers(0, 3, n)] * 0.4 + 0.2
    truth = np.array(["a", "b", "c", "other"])[rng.integers(0, 4, n)]
    order = rng.permutation(n)
    for metric, slow in ((ece, slow_ece), (brier, slow_brier)):
        value = metric(truth, shares, classes=classes).values[0]
        assert value == pytest.approx(slow(truth, shares, classes), abs=1e-12)
        assert metric(truth[order], shares[order], classes=classes).values[0] == pytest.approx(value)
    turned = brier(truth, shares[:, ::-1], classes=classes[::-1]).values[0]
    assert turned == pytest.approx(brier(truth, shares, classes=classes).values[0])


def test_brier_is_twice_that_of_sklearn_for_two_classes():
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(0)
    share, truth = rng.random(50), rng.integers(0, 2, 50)
    found = brier(truth, np.column_stack([1 - share, share]), classes=["0", "1"])
    assert found.values[0] == pytest.approx(2 * brier_score_loss(truth, share))


def test_sure_and_right_sure_and_wrong():
    sure = np.eye(2)[[0, 1, 1]]
    assert ece(["a", "b", "b"], sure, classes=["a", "b"]).values[0] == 0.0
    assert brier(["a", "b", "b"], sure, classes=["a", "b"]).values[0] == 0.0
    assert ece(["b", "a", "a"], sure, classes=["a", "b"]).values[0] == 1.0
    assert brier(["b", "a", "a"], sure, classes=["a", "b"]).values[0] == 2.0


def test_of_equal_probabilities_the_first_class_is_predicted():
    assert ece(["a"], [[0.5, 0.5]], classes=["a", "b"]).values[0] == pytest.approx(0.5)
    even = np.full((30, 2), 0.5)
    assert ece(["b"] * 30, even, classes=["a", "b"]).values[0] == pytest.approx(0.5)
    # As often right as it says: calibrated, though it is the same for every unit.
    assert ece(["b"] * 15 + ["a"] * 15, even, classes=["a", "b"]).values[0] == pytest.approx(0.0)


def test_bins_are_fifteen_of_equal_size():
    # Bins of two; in each, one unit is right and one is wrong, but for the last: both right.
    confidence = 0.51 + 0.01 * np.arange(30)
    right = np.arange(30) % 2 == 0
    right[-1] = True
    truth = np.where(right, "a", "b")
    value = ece(truth, np.column_stack([confidence, 1 - confidence]), classes=["a", "b"]).values[0]
    pairs = confidence.reshape(15, 2).mean(axis=1)
    expected = np.abs(pairs - np.r_[np.full(14, 0.5), 1.0]).mean()
    assert value == pytest.approx(expected)


@pytest.mark.parametrize("metric", [ece, brier])
def test_degenerate_input(metric):
    labels_only = metric(["a", "b"], ["a", "b"], classes=["a", "b"])
    assert labels_only.reasons.tolist() == ["empty_pred"]
    nobody = metric([None, "undetermined"], np.full((2, 2), 0.5), classes=["a", "b"])
    assert nobody.reasons.tolist() == ["too_few_units"]
    assert nobody.extras["n_left_out"].tolist() == [2]
    shares = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    found = metric(["a", None, "b"], shares, classes=["a", "b"])
    assert found.values == metric(["a", "b"], shares[[0, 2]], classes=["a", "b"]).values
    assert found.extras["n_left_out"].tolist() == [1]
    with pytest.raises(ValueError, match=r"shape \(3, 2\) for 2 units and 2 different classes"):
        metric(["a", "b"], shares, classes=["a", "b"])


def test_golden_slope():
    y, p = np.array([[0, 1, 2, 3, 4]]).T, np.array([[0, 1, 1, 3, 5]]).T
    assert calibration_slope(y, p, min_units=5).values == pytest.approx([0.75])


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.1, 10), shift=st.floats(-10, 10))
def test_the_slope_is_that_of_least_squares(seed, scale, shift):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(2, 15, 3))
    values = calibration_slope(y, p).values
    np.testing.assert_allclose(values, [np.polyfit(p[:, j], y[:, j], 1)[0] for j in range(3)])
    np.testing.assert_allclose(calibration_slope(y, scale * p + shift).values, values / scale, rtol=1e-6)


def test_an_undefined_slope_says_why():
    y, p = np.random.default_rng(0).normal(size=(2, 12, 5))
    y[:, 0], p[:, 1], y[:, 2], p[:, 2], y[:7, 3] = 1.0, 0.1, 1.0, 2.0, np.nan
    found = calibration_slope(y, p, measured=np.arange(5) < 4, genes=list("abcde"))
    assert found.reasons.tolist() == ["gt_constant", "pred_constant", "gt_constant", "gt_nan", "gene_missing"]
    assert calibration_slope(y[:9], p[:9]).reasons.tolist() == ["too_few_units"] * 5


def test_probabilities_that_differ_in_the_tenth_decimal_are_equal():
    top = 0.7 + np.array([4e-10, 3e-10, 0.0, 0.0])
    shares = np.column_stack([top, 1.0 - top])
    # Half of each four are right; a unit alone in its bin would be off by .3 or .7.
    assert ece(["a", "a", "b", "b"], shares, classes=["a", "b"]).values == pytest.approx([0.2], abs=1e-8)


def test_a_slope_takes_ten_units():
    x = np.arange(10.0)[:, None]
    assert calibration_slope(3 * x, x).values == pytest.approx([3.0])
    assert calibration_slope(3 * x[1:], x[1:]).reasons.tolist() == ["too_few_units"]
