from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics as sk

from pytest_stbench.metrics.clusters import ami, ari, nmi
from pytest_stbench.metrics.labels import balanced_accuracy, kappa, macro_f1

pytestmark = pytest.mark.filterwarnings("error")

CLUSTERINGS = (ari, nmi, ami)
CLASSIFIERS = (macro_f1, balanced_accuracy, kappa)
Y, P = (0, 0, 0, 1, 1, 1), (0, 0, 1, 1, 2, 2)
CLASSES, GUESSES = (0, 0, 0, 0, 1, 1, 2), (0, 0, 0, 1, 1, 2, 2)


@pytest.mark.parametrize(("metric", "value"), [(ari, 0.242424), (nmi, 0.515804), (ami, 0.298792)])
def test_golden_clusterings(metric, value):
    assert metric(Y, P).values == pytest.approx([value], abs=1e-6)


@pytest.mark.parametrize(
    ("metric", "value"), [(macro_f1, 0.674603), (balanced_accuracy, 0.75), (kappa, 0.548387)]
)
def test_golden_classifications(metric, value):
    assert metric(CLASSES, GUESSES).values.mean() == pytest.approx(value, abs=1e-6)


codes = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=2, max_size=40)


@pytest.mark.filterwarnings("default")
@settings(deadline=None, max_examples=80)
@given(codes.filter(lambda pairs: len({a for a, _ in pairs}) > 1), st.randoms())
def test_clusterings_are_those_of_sklearn(pairs, random):
    truth, guess = map(list, zip(*pairs, strict=True))
    peers = (sk.adjusted_rand_score, sk.normalized_mutual_info_score, sk.adjusted_mutual_info_score)
    random.shuffle(pairs)
    moved = [f"class {a}" for a, _ in pairs], np.array([float(-b) for _, b in pairs])
    for metric, peer in zip(CLUSTERINGS, peers, strict=True):
        found = metric(truth, guess)
        # sklearn 1.4 gives two clusterings that are one, each unit a class of its own, an adjusted mutual
        # information of 0.
        same = len(set(zip(truth, guess, strict=True))) == len(set(truth)) == len(set(guess))
        expected = 1.0 if same else peer(truth, guess)
        assert found.values[0] == pytest.approx(expected, abs=1e-9)
        assert metric(*moved).values[0] == pytest.approx(found.values[0], abs=1e-9)
        if len(set(guess)) > 1:
            assert metric(guess, truth).values[0] == pytest.approx(found.values[0], abs=1e-9)
        assert metric(truth, truth).values[0] == pytest.approx(1.0)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_ari_counts_pairs(data):
    n = data.draw(st.integers(3, 12))
    truth = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n).filter(lambda y: len(set(y)) > 1))
    guess = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    same_t = np.array([truth[i] == truth[j] for i, j in pairs])
    same_p = np.array([guess[i] == guess[j] for i, j in pairs])
    chance = same_t.sum() * same_p.sum() / len(pairs)
    most = (same_t.sum() + same_p.sum()) / 2
    if most > chance:
        expected = ((same_t & same_p).sum() - chance) / (most - chance)
        assert ari(truth, guess).values[0] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(codes.filter(lambda pairs: len({a for a, _ in pairs}) > 1))
def test_classifications_are_those_of_sklearn(pairs):
    truth, guess = (np.array(column) for column in zip(*pairs, strict=True))
    present = np.unique(truth)
    f1 = sk.f1_score(truth, guess, labels=present, average=None, zero_division=0.0)
    recall = sk.recall_score(truth, guess, labels=present, average=None, zero_division=0.0)
    precision = sk.precision_score(truth, guess, labels=present, average=None, zero_division=0.0)
    found = macro_f1(truth, guess)
    assert found.labels.tolist() == [str(label) for label in present]
    np.testing.assert_allclose(found.values, f1)
    np.testing.assert_allclose(found.extras["recall"], recall)
    np.testing.assert_allclose(found.extras["precision"], precision)
    assert set(found.extras["n_spurious"]) == {len(set(guess) - set(truth))}
    balanced = balanced_accuracy(truth, guess)
    np.testing.assert_allclose(balanced.values, recall)
    assert set(balanced.extras["chance"]) == {1 / len(present)}
    assert kappa(truth, guess).values[0] == pytest.approx(sk.cohen_kappa_score(truth, guess), abs=1e-12)


def test_f1_counts_one_class_after_the_other():
    truth, guess = np.array(CLASSES), np.array(GUESSES)
    for label, value in zip((0, 1, 2), macro_f1(truth, guess).values, strict=True):
        hits = sum(a == b == label for a, b in zip(truth, guess, strict=True))
        assert value == 2 * hits / ((truth == label).sum() + (guess == label).sum())


@pytest.mark.parametrize("metric", CLUSTERINGS)
def test_degenerate_clusterings(metric):
    alone = np.arange(6)
    assert metric(Y, np.zeros(6)).values == pytest.approx([0.0], abs=1e-12)
    assert metric(alone, alone).values == pytest.approx([1.0])
    assert metric(alone, np.zeros(6)).values == pytest.approx([0.0], abs=1e-12)
    assert metric(np.zeros(6), P).reasons.tolist() == ["single_cluster"]
    assert metric(np.zeros(1), np.zeros(1)).reasons.tolist() == ["too_few_units"]
    assert metric([], []).reasons.tolist() == ["too_few_units"]
    assert metric([None, "undetermined", "a"], [1, 2, 3]).reasons.tolist() == ["too_few_units"]


@pytest.mark.parametrize("metric", CLUSTERINGS + CLASSIFIERS)
@pytest.mark.parametrize("missing", [None, np.nan, "", "undetermined"])
def test_units_without_a_label_are_left_out_and_counted(metric, missing):
    truth = np.array(["b", "a", missing, "a", "b", missing, "a", "c"], dtype=object)
    guess = np.array(["b", "a", "z", "b", "b", "a", "a", "c"], dtype=object)
    kept = [0, 1, 3, 4, 6, 7]
    found, expected = metric(truth, guess), metric(truth[kept], guess[kept])
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.labels.tolist() == expected.labels.tolist()
    assert set(found.extras["n_left_out"]) == {2}
    assert set(expected.extras["n_left_out"]) == {0}
    # A class predicted only for units that are left out is not spurious.
    if metric is macro_f1:
        assert set(found.extras["n_spurious"]) == {0}


@pytest.mark.parametrize("metric", CLASSIFIERS)
def test_probabilities_give_the_most_probable_class_and_the_first_of_equals(metric):
    shares = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.2, 0.4, 0.4]])
    truth = ["y", "z", "x", "x"]
    expected = metric(truth, ["y", "z", "x", "x"])
    found = metric(truth, shares, classes=["y", "x", "z"])
    np.testing.assert_array_equal(found.values, expected.values)


def test_rare_classes_may_be_left_without_a_value():
    truth, guess = ["a"] * 5 + ["b"] * 2, ["a"] * 6 + ["b"]
    for metric in (macro_f1, balanced_accuracy):
        found = metric(truth, guess, min_units=3)
        assert found.reasons.tolist() == ["", "too_few_units"]
        assert np.isnan(found.values[1])
        assert found.extras["support"].tolist() == [5, 2]


def test_a_class_never_predicted_and_a_class_only_predicted():
    found = macro_f1(["a", "a", "b"], ["a", "x", "y"])
    assert found.labels.tolist() == ["a", "b"]
    assert found.values.tolist() == [pytest.approx(2 / 3), 0.0]
    assert found.extras["n_spurious"].tolist() == [2, 2]


def test_one_true_class_has_no_kappa_whatever_is_predicted():
    assert kappa(["a", "a"], ["a", "a"]).reasons.tolist() == ["single_cluster"]
    assert kappa(["a", "a"], ["a", "b"]).reasons.tolist() == ["single_cluster"]
    assert kappa([], []).reasons.tolist() == ["too_few_units"]
    assert kappa(["a", "b"], ["b", "a"]).values[0] == -1.0
    assert kappa(["a", "b", "b"], ["b", "b", "b"]).values[0] == pytest.approx(0.0)


def test_no_class_at_all():
    for metric in (macro_f1, balanced_accuracy):
        assert len(metric([None], ["a"]).values) == 0


@pytest.mark.parametrize("metric", CLUSTERINGS + CLASSIFIERS)
def test_bad_input_is_refused_with_advice(metric):
    with pytest.raises(ValueError, match="truth has 2 units and prediction 3"):
        metric(["a", "b"], ["a", "b", "c"])
    with pytest.raises(ValueError, match="1 units have no predicted label: a model must label every unit"):
        metric(["a", "b"], ["a", None])
    with pytest.raises(ValueError, match=r"truth has shape \(1, 2\): give one label for each unit"):
        metric([["a", "b"]], ["a", "b"])


@pytest.mark.parametrize("classes", [None, ["a"], ["a", "a"], []])
def test_probabilities_need_a_class_each(classes):
    with pytest.raises(ValueError, match="give one column for each of `classes`"):
        kappa(["a", "b"], np.full((2, 2), 0.5), classes=classes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_probabilities_are_finite_and_not_negative(bad):
    with pytest.raises(ValueError, match="finite and not negative"):
        macro_f1(["a", "b"], [[0.5, 0.5], [bad, 1.0]], classes=["a", "b"])


@pytest.mark.parametrize("metric", [macro_f1, balanced_accuracy])
def test_every_extra_has_a_place_for_each_class(metric):
    found = metric(["a", "b", None], ["a", "a", "a"], not_covered=["c", "d"])
    assert found.labels.tolist() == ["a", "b", "c", "d"]
    assert {name: len(extra) for name, extra in found.extras.items()} == dict.fromkeys(found.extras, 4)
    assert found.extras["n_left_out"].tolist() == [1.0] * 4
