from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from pytest_stbench.kernels import label_overlap
from pytest_stbench.kernels.label_overlap import by_runs, joined, overlaps
from pytest_stbench.kernels.matching import clear_pairs, matched_pairs

pytestmark = pytest.mark.filterwarnings("error")

images = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(*(arrays(np.int32, shape, elements=st.integers(0, 4)) for _ in range(2)))
)


def dense(truth, prediction):
    """Common pixels and IoU of all against all, by masks."""
    true, predicted = (np.unique(image[image > 0]) for image in (truth, prediction))
    shared = np.zeros((len(true), len(predicted)), int)
    union = np.zeros_like(shared)
    for i, j in np.ndindex(*shared.shape):
        a, b = truth == true[i], prediction == predicted[j]
        shared[i, j], union[i, j] = (a & b).sum(), (a | b).sum()
    return true, predicted, shared, union


def best_matching(iou, threshold):
    """Most pairs, then the largest sum, by trying every matching."""
    n_rows, n_columns = iou.shape
    best = (0, 0.0)
    for size in range(1, min(iou.shape) + 1):
        for rows in itertools.combinations(range(n_rows), size):
            for columns in itertools.permutations(range(n_columns), size):
                taken = iou[list(rows), list(columns)]
                if (taken >= threshold).all():
                    best = max(best, (size, float(taken.sum())))
    return best


@settings(deadline=None, max_examples=50)
@given(images)
def test_overlaps_are_those_of_dense_masks(pair):
    found = overlaps(*pair)
    true, predicted, shared, union = dense(*pair)
    assert found.true_ids.tolist() == true.tolist()
    assert found.predicted_ids.tolist() == predicted.tolist()
    assert found.true_area.tolist() == [(pair[0] == i).sum() for i in true]
    assert found.predicted_area.tolist() == [(pair[1] == i).sum() for i in predicted]
    rows, columns = np.nonzero(shared)
    assert found.true.tolist() == rows.tolist()
    assert found.predicted.tolist() == columns.tolist()
    assert found.shared.tolist() == shared[rows, columns].tolist()
    assert found.union().tolist() == union[rows, columns].tolist()


@settings(deadline=None, max_examples=50)
@given(images, st.sampled_from([0.05, 0.2, 0.25, 1 / 3, 0.5, 0.75, 1.0]))
def test_matchings_have_the_most_pairs_and_then_the_largest_sum(pair, threshold):
    found = overlaps(*pair)
    chosen = matched_pairs(found, threshold)
    assert len(np.unique(found.true[chosen])) == len(np.unique(found.predicted[chosen])) == len(chosen)
    iou = found.iou()[chosen]
    assert (iou >= threshold).all()
    assert (np.diff(chosen) > 0).all()
    _, _, shared, union = dense(*pair)
    number, total = best_matching(shared / np.maximum(union, 1), threshold)
    assert (len(chosen), iou.sum()) == (number, pytest.approx(total))


@settings(deadline=None, max_examples=50)
@given(images)
def test_pairs_above_a_half_need_no_matching(pair):
    found = overlaps(*pair)
    clear = clear_pairs(found)
    assert set(clear) <= set(matched_pairs(found, 0.5))
    assert clear.tolist() == matched_pairs(found, np.nextafter(0.5, 1)).tolist()


def test_one_pair_more_outweighs_a_larger_sum():
    # A truth of 6 pixels and one of 2; a prediction that has most of the first and all of the other.
    truth = np.array([[1, 1, 1, 1, 1, 1, 2, 2]], np.int32)
    prediction = np.array([[1, 2, 2, 2, 2, 2, 2, 0]], np.int32)
    found = overlaps(truth, prediction)
    # 1-1 (1/6), 1-2 (5/7), 2-2 (1/7): the best single pair blocks a matching of two.
    chosen = matched_pairs(found, 0.1)
    assert [(found.true[i], found.predicted[i]) for i in chosen] == [(0, 0), (1, 1)]
    assert matched_pairs(found, 0.2).tolist() == [1]


@settings(deadline=None, max_examples=50)
@given(images)
def test_arrays_and_compiled_loops_agree(pair):
    flat = [image.ravel() for image in pair]
    for ours, theirs in zip(by_runs(*flat), label_overlap._by_hash(*flat), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_without_numba_the_same_comes_out(monkeypatch):
    def missing(*_):
        raise ImportError

    pair = np.random.default_rng(0).integers(0, 5, (2, 40, 30)).astype(np.int32)
    expected = overlaps(*pair)
    monkeypatch.setattr(label_overlap, "_count", missing)
    monkeypatch.setattr(label_overlap, "_PIXELS_AT_ONCE", 100)
    assert overlaps(*pair).shared.tolist() == expected.shared.tolist()
    pair[0, 3, 3] = -4
    with pytest.raises(ValueError, match="truth has the label -4"):
        overlaps(*pair)


def test_tables_grow_with_the_number_of_pairs():
    truth = np.arange(60_000, dtype=np.int32).reshape(200, 300)
    prediction = np.int32(2**31 - 1) - truth[::-1]
    found = overlaps(truth, prediction)
    assert len(found.true_ids) == 59_999
    assert len(found.predicted_ids) == 60_000
    assert set(found.shared) == {1}
    assert len(found.shared) == 59_999


def test_tiles_are_joined_side_by_side():
    pairs = [np.random.default_rng(seed).integers(0, 4, (2, 5, 5)).astype(np.int32) for seed in (1, 2)]
    parts = [overlaps(*pair) for pair in pairs]
    whole = joined(parts)
    apart = np.concatenate([np.where(pairs[1] > 0, pairs[1] + 10, 0), pairs[0]], axis=1)
    expected = overlaps(*apart)
    assert sorted(whole.iou()) == sorted(expected.iou())
    assert len(whole.true_ids) == len(expected.true_ids)
    assert joined([]).shared.tolist() == []


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01, np.nan])
def test_thresholds_out_of_range_are_refused(threshold):
    with pytest.raises(ValueError, match="IoU threshold is"):
        matched_pairs(overlaps(*np.ones((2, 1, 1), np.int32)), threshold)


def test_negative_labels_and_unequal_shapes_are_refused():
    image = np.array([[0, 1, -3]], np.int32)
    with pytest.raises(ValueError, match=r"prediction has the label -3: 0 is background"):
        overlaps(np.abs(image), image)
    with pytest.raises(ValueError, match=r"true image has shape \(1, 3\), the predicted one \(3, 1\)"):
        overlaps(image, image.T)


def test_pairs_met_before_and_after_the_table_grew_are_one():
    pairs = np.random.default_rng(0).permutation(np.arange(1, 12_001)).astype(np.int32)
    truth = np.repeat(np.concatenate([pairs, pairs]), 2)[None]
    prediction = truth[:, ::-1].copy()
    found, expected = overlaps(truth, prediction), by_runs(truth.ravel(), prediction.ravel())
    np.testing.assert_array_equal(
        found.true_ids[found.true] << 32 | found.predicted_ids[found.predicted], expected[0]
    )
    np.testing.assert_array_equal(found.shared, expected[1])


def test_an_instance_that_stays_alone_takes_nobody():
    """One true instance meets three predictions, one of which meets two more true ones."""
    truth = np.array([[1, 1, 1, 2, 3]], np.int32)
    prediction = np.array([[7, 8, 9, 7, 7]], np.int32)
    pairs = overlaps(truth, prediction)
    found = matched_pairs(pairs, 0.1)
    taken = list(
        zip(pairs.true_ids[pairs.true[found]], pairs.predicted_ids[pairs.predicted[found]], strict=True)
    )
    assert len(found) == 2
    assert len({true for true, _ in taken}) == len({predicted for _, predicted in taken}) == 2
