from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from pytest_stbench.models.contract import ContractError
from pytest_stbench.models.contract_labels import accept_clusters, accept_labels, accept_proportions

CLASSES = ("tumour", "stroma", "immune")
UNITS = ("u0", "u1")


def accepted(raw, accept=accept_labels):
    key = "classes" if accept is accept_labels else "types"
    return accept(raw, unit_names=UNITS, **{key: CLASSES})


@pytest.mark.parametrize("accept", [accept_labels, accept_proportions])
def test_probabilities_are_kept(accept):
    raw = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    found = accepted(raw, accept)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, raw, atol=1e-7)
    raw[0, 0] = 9
    assert found[0, 0] != 9, "a copy"


@pytest.mark.parametrize(
    "labels",
    [
        ["stroma", "tumour"],
        ("stroma", "tumour"),
        np.array(["stroma", "tumour"]),
        np.array(["stroma", "tumour"], dtype=object),
        pd.Series(["stroma", "tumour"]),
        pd.Categorical(["stroma", "tumour"], categories=["tumour", "stroma"]),
    ],
)
def test_labels_become_rows_of_one(labels):
    assert accepted(labels).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_named_frames_are_checked_by_name():
    frame = pd.DataFrame([[0.5, 0.5, 0], [0, 0, 1.0]], index=UNITS, columns=CLASSES)
    assert accepted(frame)[1].tolist() == [0, 0, 1]
    with pytest.raises(ContractError, match=r"column 0 to be 'tumour', found 'stroma'.*another order"):
        accepted(frame[["stroma", "tumour", "immune"]])


@given(arrays(np.float64, (2, 3), elements=st.floats(0, 1)).filter(lambda a: (a.sum(axis=1) > 0.01).all()))
def test_small_errors_of_the_sum_are_taken_off(values):
    normalised = values / values.sum(axis=1, keepdims=True)
    found = accepted(normalised * 1.0005)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, normalised, atol=1e-6)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "found None"),
        ("tumour", "found str"),
        (np.array([0, 1]), "found numbers of classes; name them"),
        (np.array([0.2, 0.8]), r"shape \(2, 3\) \(units, classes\)"),
        (np.full((3, 2), 1 / 3), r"transposed: return units as rows and classes as columns"),
        (np.full(6, 1 / 3), r"return two dimensions: \.reshape\(2, 3\)"),
        (np.full((2, 3), 0.5), r"sum to 1 .* found 1.5 at unit 'u0' \(2 of 2 rows\).*softmax"),
        (np.array([[1.2, -0.2, 0], [1.0, 0, 0]]), r"at least 0, found -0.2"),
        (np.array([[np.nan, 0, 0], [1, 0, 0]]), "nan"),
        (["stroma"], "2 labels, one per unit, found 1"),
        (["stroma", "tumor"], r"found 'tumor' \(1 of 2 are unknown\).*did you mean 'tumour'"),
    ],
)
def test_what_cannot_be_scored_is_refused(raw, message):
    with pytest.raises(ContractError, match=message):
        accepted(raw)


def test_labels_are_no_proportions():
    with pytest.raises(ContractError):
        accepted(["stroma", "tumour"], accept_proportions)


def clustered(raw, n=3, units=("u0", "u1", "u2", "u3")):
    return accept_clusters(raw, n, unit_names=units)


@pytest.mark.parametrize(
    "raw",
    [
        ["b", "a", "b", "c"],
        [7, -1, 7, 9],
        np.array([7, -1, 7, 9]),
        np.array([2, 1, 2, 3], dtype=np.uint8),
        pd.Series(["7", "1", "7", "9"]),
        pd.Categorical(["b", "a", "b", "c"], categories=["c", "b", "a"]),
        pd.Series([7, 1, 7, 9], index=list("wxyz")),
        np.array([[0.1, 0.8, 0.1], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]),
        pd.DataFrame(
            [[0, 1.0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float, index=["u0", "u1", "u2", "u3"]
        ).set_axis(["cluster 1", "cluster 2", "cluster 3"], axis=1),
    ],
)
def test_clusters_become_numbers(raw):
    found = clustered(raw)
    assert found.dtype == np.int32
    assert found.tolist() == [[1], [0], [1], [2]]
    assert clustered(found[:, 0]).tolist() == found.tolist(), "what was kept is read as it was returned"


def test_numbers_of_any_width_are_clusters():
    assert clustered([2**70, -1, 2**70, 3]).tolist() == [[2], [0], [2], [1]]


def test_a_series_of_labels_says_whose_they_are():
    swapped = pd.Series(["tumour", "stroma"], index=["u1", "u0"])
    kept = accept_labels(swapped.loc[["u0", "u1"]], classes=["stroma", "tumour"], unit_names=["u0", "u1"])
    assert kept.argmax(axis=1).tolist() == [0, 1]
    with pytest.raises(ContractError, match="the same names in another order"):
        accept_labels(swapped, classes=["stroma", "tumour"], unit_names=["u0", "u1"])


def test_fewer_clusters_than_asked_are_fine():
    assert clustered([0, 0, 0, 0]).tolist() == [[0]] * 4
    assert clustered(np.eye(3)[[0, 0, 2, 2]]).tolist() == [[0], [0], [2], [2]]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([0, 1, 2, 3], "cluster: expected 3 clusters at most, found 4; merge clusters"),
        ([0, 1, 2], "4 labels, one per unit, found 3"),
        (np.array([0.5, 1, 2, 2]), r"shape \(4, 3\) \(units, clusters\), found shape \(4,\)"),
        (np.ones((4, 2)) / 2, r"found shape \(4, 2\)"),
        (np.ones((4, 3)), r"rows that sum to 1 .*found 3 at unit 'u0'"),
        (np.full((4, 3), np.nan), "finite values only"),
        (None, "found None"),
        ("abcd", "found str"),
        ([], "4 labels, one per unit, found 0"),
        (["a", None, "b", "b"], "found list"),
        (
            np.array(["a", None, "b", "b"], object),
            r"a label for every unit, found none at unit 'u1' \(1 of 4",
        ),
        (pd.Series(["a", "a", None, "b"]), "a label for every unit, found none at unit 'u2'"),
        (pd.Categorical(["a", "a", "b", None]), "a label for every unit, found none at unit 'u3'"),
        (pd.Series([0, 1, 2, 0], ["u3", "u2", "u1", "u0"]), "row 0 to be 'u0', found 'u3' .*another order"),
        (pd.Series(list("abba"), [1, 0, 2, 3]), "row 0 to be '0', found '1' .*another order"),
    ],
)
def test_clusters_that_are_refused(raw, message):
    with pytest.raises(ContractError, match=message):
        clustered(raw)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4), st.permutations(range(4)))
def test_who_is_together_does_not_depend_on_names(labels, names):
    found = clustered(labels, n=4)[:, 0]
    other = clustered([f"k{names[label]}" for label in labels], n=4)[:, 0]
    together = np.equal.outer(np.array(labels), np.array(labels))
    np.testing.assert_array_equal(np.equal.outer(found, found), together)
    np.testing.assert_array_equal(np.equal.outer(other, other), together)
