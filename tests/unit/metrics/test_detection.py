from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, roc_auc_score

from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.metrics.detection import auprc, auroc, detection_f1, false_positives_per_mm2

pytestmark = pytest.mark.filterwarnings("error")

CLASSES = ("other", "tls")
TLS = {"positive": "tls", "classes": CLASSES}


def shares(score):
    score = np.asarray(score, dtype=np.float64)
    return np.column_stack([1 - score, score])


def names(positive):
    return np.where(np.asarray(positive, bool), "tls", "other").astype(object)


def grid(rows, columns):
    return np.array([(x, y) for y in range(rows) for x in range(columns)], dtype=float)


def test_golden_values():
    truth, guess = names([0, 0, 1, 1, 0]), shares([0.1, 0.4, 0.35, 0.8, 0.2])
    precision = auprc(truth, guess, **TLS)
    assert precision.values == pytest.approx([0.833333], abs=1e-6)
    assert precision.extras["prevalence"][0] == 0.4
    assert auroc(truth, guess, **TLS).values == pytest.approx([0.833333], abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40))
def test_values_are_those_of_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    positive[:2] = True, False
    score = np.round(rng.random(n), 1)
    truth, guess = names(positive), shares(score)
    precision, area = auprc(truth, guess, **TLS).values[0], auroc(truth, guess, **TLS).values[0]
    assert precision == pytest.approx(average_precision_score(positive, score), abs=1e-12)
    assert area == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
    order = rng.permutation(n)
    assert auprc(truth[order], guess[order], **TLS).values[0] == pytest.approx(precision)
    # Any rising function of the score ranks alike; the other class is found from the other end.
    assert auprc(truth, shares(score**2), **TLS).values[0] == pytest.approx(precision)
    assert auroc(truth, shares(1 - score), **TLS).values[0] == pytest.approx(1 - area)


def test_a_constant_prediction_gets_the_prevalence():
    truth, guess = names([1, 0, 0, 0]), shares([0.3] * 4)
    assert auprc(truth, guess, **TLS).values[0] == 0.25
    assert auroc(truth, guess, **TLS).values[0] == 0.5


def test_labels_count_as_certain():
    truth = names([1, 1, 0, 0])
    assert auprc(truth, names([1, 0, 0, 0]), positive="tls").values[0] == pytest.approx(0.5 + 0.25)
    assert auroc(truth, names([1, 0, 0, 0]), positive="tls").values[0] == pytest.approx(0.75)
    assert auprc(truth, np.array(["other"] * 4), positive="tls").values[0] == 0.5


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ([None, None, None], "too_few_units"),
        (["other", None, "other"], "no_positive"),
        (["tls", "tls", "undetermined"], "no_negative"),
        ([], "too_few_units"),
    ],
)
def test_what_cannot_be_ranked(truth, reason):
    truth = np.array(truth, dtype=object)
    guess = shares(np.linspace(0, 1, len(truth)))
    for metric in (auprc, auroc):
        found = metric(truth, guess, **TLS)
        assert found.reasons.tolist() == [reason]
        assert found.extras["n_left_out"][0] == sum(x in (None, "undetermined") for x in truth)


STRIP = lattice_graph(grid(1, 10), 1.0)


def f1(positive, score, **changes):
    return detection_f1(names(positive), shares(score), graph=STRIP, **{**TLS, **changes})


def false(positive, score, area=0.5):
    return false_positives_per_mm2(names(positive), shares(score), graph=STRIP, area_mm2=area, **TLS)


def test_objects_are_found_by_hand():
    truth = [1, 1, 1, 0, 0, 0, 1, 1, 0, 0]
    guess = [0, 0, 0.9, 0, 0.9, 0, 0.6, 0.7, 0.5, 0]
    # Two true objects, three predicted; one in three of the first is found, all of the second.
    found = f1(truth, guess)
    assert found.values[0] == pytest.approx(2 * 2 / 5)
    assert (found.extras["precision"][0], found.extras["recall"][0]) == pytest.approx((2 / 3, 1))
    assert (found.extras["n_objects"][0], found.extras["n_predicted"][0]) == (2, 3)
    assert f1(truth, guess, min_overlap=0.34).values[0] == pytest.approx(2 * 1 / 5)
    assert false(truth, guess).values[0] == pytest.approx(1 / 0.5)
    assert false(truth, guess).extras["n_false"][0] == 1


def test_an_object_matches_once_and_painting_everything_finds_nothing():
    truth = [1, 1, 0, 1, 1, 0, 0, 0, 0, 0]
    assert f1(truth, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]).values[0] == pytest.approx(2 * 1 / 3)
    assert f1(truth, [1] * 10).values[0] == 0
    assert false(truth, [1] * 10).values[0] == pytest.approx(2)
    assert f1(truth, truth).values[0] == 1
    assert f1(truth, [0] * 10).values[0] == 0
    assert f1(truth, [0] * 10).extras["precision"][0] == 0


def test_as_many_objects_match_as_can():
    # The long object overlaps two predictions, one of which overlaps no other: both are taken.
    truth = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    guess = [1, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    found = f1(truth, guess, min_overlap=0.2)
    assert (found.extras["n_objects"][0], found.extras["n_predicted"][0]) == (2, 2)
    assert found.values[0] == 1.0


def test_units_without_a_label_join_nothing():
    truth = names([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    truth[1] = None
    found = detection_f1(truth, shares([1, 1, 1] + [0] * 7), graph=STRIP, **TLS)
    assert (found.extras["n_objects"][0], found.extras["n_left_out"][0]) == (2, 1)
    assert found.values[0] == 1


def test_slides_without_positives_have_false_positives_only():
    truth, guess = [0] * 10, [0, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    assert f1(truth, guess).reasons.tolist() == ["no_positive"]
    assert false(truth, guess).values[0] == pytest.approx(4)
    assert false(truth, [0] * 10).values[0] == 0
    # Nothing but positives is one object like any other.
    assert f1([1] * 10, [1] * 10).values[0] == 1
    assert false(truth, guess, area=np.nan).reasons.tolist() == ["too_few_units"]
    nobody = np.full(10, None, dtype=object)
    assert detection_f1(nobody, shares([1] * 10), graph=STRIP, **TLS).reasons.tolist() == ["too_few_units"]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_objects_are_those_of_an_image(seed):
    rng = np.random.default_rng(seed)
    true, guess = rng.random((2, 12, 12)) < 0.3
    true[0, 0] = True
    graph = lattice_graph(grid(12, 12), 1.0)
    found = detection_f1(names(true.ravel()), shares(guess.ravel()), graph=graph, **TLS)
    marks, n_true = label(true, np.ones((3, 3)))
    guesses, n_guess = label(guess, np.ones((3, 3)))
    assert (found.extras["n_objects"][0], found.extras["n_predicted"][0]) == (n_true, n_guess)
    fits = [
        [((marks == t) & (guesses == p)).sum() / ((marks == t) | (guesses == p)).sum() >= 0.3
         for p in range(1, n_guess + 1)]
        for t in range(1, n_true + 1)
    ]  # fmt: skip
    assert found.values[0] == pytest.approx(2 * most(np.array(fits, bool)) / max(n_true + n_guess, 1))


def most(fits):
    """The largest number of pairs, by augmenting paths."""
    owner = {}

    def give(row, seen):
        for column in np.flatnonzero(fits[row]):
            if column not in seen:
                seen.add(column)
                if column not in owner or give(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    return sum(give(row, set()) for row in range(len(fits))) if fits.size else 0


@pytest.mark.parametrize("metric", [auprc, auroc])
def test_bad_input_is_refused(metric):
    truth = names([1, 0, 0])
    with pytest.raises(ValueError, match="3 units and prediction 2"):
        metric(truth, np.array(["tls", "other"]), positive="tls")
    with pytest.raises(ValueError, match="1 units have no predicted label"):
        metric(truth, np.array(["tls", "other", None], dtype=object), positive="tls")
    with pytest.raises(ValueError, match="one column for each"):
        metric(truth, np.ones((3, 3)), **TLS)
    with pytest.raises(ValueError, match="finite and not negative"):
        metric(truth, np.full((3, 2), np.nan), **TLS)


def test_a_graph_of_other_units_is_refused():
    truth = names([1, 0, 0])
    with pytest.raises(ValueError, match=r"graph has shape \(10, 10\) for 3 units"):
        detection_f1(truth, shares([1, 0, 0]), graph=STRIP, **TLS)
    with pytest.raises(ValueError, match="threshold is 0"):
        f1([1] * 10, [1] * 10, min_overlap=0)
