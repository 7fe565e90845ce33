from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from scipy.spatial import distance

from pytest_stbench.metrics import aji, count_error, dice, pq, segmentation_ap, without_border

pytestmark = pytest.mark.filterwarnings("error")

ALL = (dice, segmentation_ap, pq, aji, count_error)
AGREEMENT = ALL[:4]
EMPTY = np.zeros((4, 5), np.int32)

images = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: st.tuples(*(arrays(np.int32, shape, elements=st.integers(0, 5)) for _ in range(2)))
)


def golden():
    """Three true and three predicted instances, two pairs with an IoU of 0.9 and 0.6."""
    truth, prediction = np.zeros((2, 6, 20), np.int32)
    truth[0, :10], prediction[0, :9] = 7, 2
    truth[2, :8], prediction[2, 2:10] = 3, 9
    truth[4, :3], prediction[4, 10:15] = 11, 4
    return truth, prediction


def masks(image):
    return [image == label for label in np.unique(image[image > 0])]


def iou_table(truth, prediction):
    table = np.zeros((len(masks(truth)), len(masks(prediction))))
    for i, a in enumerate(masks(truth)):
        for j, b in enumerate(masks(prediction)):
            table[i, j] = (a & b).sum() / (a | b).sum()
    return table


def ap_of(truth, prediction, threshold):
    """A dense table and an assignment, as is usual."""
    iou = iou_table(truth, prediction)
    rows, columns = linear_sum_assignment(-1.0 * (iou >= threshold) - iou / (2 * max(1, min(iou.shape))))
    tp = int((iou[rows, columns] >= threshold).sum())
    return tp / (sum(iou.shape) - tp)


def aji_of(truth, prediction):
    iou, a, b = iou_table(truth, prediction), masks(truth), masks(prediction)
    shared, union, used = 0, 0, set()
    for i, true in enumerate(a):
        if iou.shape[1] == 0 or iou[i].max() == 0:
            union += true.sum()
            continue
        j = int(iou[i].argmax())
        used.add(j)
        shared += (true & b[j]).sum()
        union += (true | b[j]).sum()
    return shared / (union + sum(m.sum() for j, m in enumerate(b) if j not in used))


def pq_of(truth, prediction):
    iou = iou_table(truth, prediction)
    found = iou[iou > 0.5]
    return found.sum() / (len(found) + (iou.shape[0] - len(found)) / 2 + (iou.shape[1] - len(found)) / 2)


def test_golden_values():
    pair = golden()
    found = pq(*pair)
    assert found.values[0] == pytest.approx(0.5)
    assert found.extras["sq"][0] == pytest.approx(0.75)
    assert found.extras["rq"][0] == pytest.approx(2 / 3)
    assert [found.extras[name][0] for name in ("tp", "fp", "fn")] == [2, 1, 1]
    found = segmentation_ap(*pair, thresholds=(0.5, 0.75, 0.95))
    assert found.values.tolist() == [0.5, 0.2, 0.0]
    assert found.labels.tolist() == ["0.5", "0.75", "0.95"]
    assert found.extras["tp"].tolist() == [2, 1, 0]
    assert found.extras["fp"].tolist() == found.extras["fn"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.extras["matched_iou"], [0.75, 0.9, np.nan])
    assert segmentation_ap(*pair).labels.tolist() == ["0.5", "0.6", "0.7", "0.8", "0.9"]
    assert dice(*pair).values[0] == pytest.approx(2 * 15 / (21 + 22))
    assert aji(*pair).values[0] == pytest.approx(15 / (10 + 10 + 3 + 5))
    assert count_error(*pair).values[0] == 0


@settings(deadline=None, max_examples=50)
@given(images)
def test_values_are_those_of_dense_masks(pair):
    truth, prediction = pair
    if not (truth > 0).any() and not (prediction > 0).any():
        return
    foreground = [(image > 0).ravel() for image in pair]
    assert dice(*pair).values[0] == pytest.approx(1 - distance.dice(*foreground))
    assert pq(*pair).values[0] == pytest.approx(pq_of(*pair))
    assert aji(*pair).values[0] == pytest.approx(aji_of(*pair))
    thresholds = (0.1, 0.25, 0.5, 0.6, 1.0)
    expected = [ap_of(*pair, threshold) for threshold in thresholds]
    np.testing.assert_allclose(segmentation_ap(*pair, thresholds=thresholds).values, expected)


@settings(deadline=None, max_examples=50)
@given(images, st.randoms(use_true_random=False))
def test_what_must_not_matter(pair, random):
    numbers = random.sample(range(1, 1000), 5)
    renamed = [np.array([0, *numbers])[image] for image in pair]
    turned = [np.rot90(image) for image in pair]
    larger = [image.repeat(2, axis=0).repeat(2, axis=1) for image in pair]
    for metric in (dice, segmentation_ap, pq, count_error):
        expected = metric(*pair)
        for changed in (renamed, turned, larger):
            np.testing.assert_allclose(metric(*changed).values, expected.values)
    for changed in (turned, larger):
        np.testing.assert_allclose(aji(*changed).values, aji(*pair).values)
    for metric in (dice, segmentation_ap, pq):
        np.testing.assert_allclose(metric(*pair[::-1]).values, metric(*pair).values)
    for metric in AGREEMENT:
        values = metric(*pair).values
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()


@settings(deadline=None, max_examples=50)
@given(images)
def test_perfect_predictions(pair):
    truth = pair[0].copy()
    truth[0, 0] = 3
    for metric in AGREEMENT:
        assert set(metric(truth, truth).values) == {1.0}
    assert count_error(truth, truth).values[0] == 0


def test_nothing_true_or_nothing_predicted():
    some = EMPTY.copy()
    some[1, 1:3] = 1
    for metric in ALL:
        found = metric(EMPTY, EMPTY)
        assert set(found.reasons) == {"empty_truth"}
        assert np.isnan(found.values).all()
    for metric in AGREEMENT:
        assert set(metric(EMPTY, some).values) == {0.0}
        assert set(metric(some, EMPTY).values) == {0.0}
    assert count_error(EMPTY, some).reasons.tolist() == ["empty_truth"]
    assert count_error(some, EMPTY).values[0] == 1
    found = pq(some, EMPTY)
    assert np.isnan(found.extras["sq"][0])
    assert found.extras["rq"][0] == 0
    for metric in ALL:
        assert set(metric(np.empty((0, 3), int), np.empty((0, 3), int)).reasons) == {"empty_truth"}
        assert set(metric([], []).reasons) == {"empty_truth"}


def test_a_number_is_one_instance_whatever_its_pieces_and_holes():
    truth = np.array([[5, 5, 0, 0, 5, 5], [5, 5, 0, 0, 5, 5]])
    filled = np.full((2, 6), 5)
    assert pq(truth, truth).extras["tp"].tolist() == [1]
    assert pq(truth, filled).values[0] == pytest.approx(8 / 12)
    halves = np.array([[1, 1, 0, 0, 2, 2], [1, 1, 0, 0, 2, 2]])
    assert pq(truth, halves).values[0] == 0, "an IoU of exactly a half is no match of PQ"
    assert segmentation_ap(truth, halves, thresholds=[0.5]).values[0] == 0.5, "but of AP, once"
    assert aji(truth, halves).values[0] == pytest.approx(4 / (8 + 4)), "of equals the lowest number"


def test_a_prediction_may_serve_several_true_instances_of_aji():
    truth, whole = np.array([[1, 1, 2, 2, 2]]), np.array([[1, 1, 1, 1, 1]])
    found = aji(truth, whole)
    assert found.values[0] == pytest.approx((2 + 3) / (5 + 5))
    assert found.extras["n_unused"][0] == found.extras["n_missed"][0] == 0


def test_count_error_has_a_sign():
    truth = np.array([[1, 2, 3, 4]])
    found = count_error(truth, np.array([[1, 1, 2, 0]]))
    assert found.values[0] == 0.5
    assert found.extras["signed"][0] == -0.5
    assert count_error(truth[:, :2], np.array([[4, 9]])).values[0] == 0


def test_tiles_are_scored_together():
    first, second = golden()
    tiles = pq([first, EMPTY, second], [second, EMPTY, second])
    # 3 + 3 true, 3 + 3 predicted; IoU .9, .6 and three of 1: of tiles, not the mean of .5 and 1
    assert tiles.values[0] == pytest.approx((1.5 + 3) / 6)
    stacked = pq(np.stack([first, second]), np.stack([second, second]))
    assert stacked.values.tolist() == tiles.values.tolist()
    for metric in ALL:
        np.testing.assert_allclose(metric([first], [second]).values, metric(first, second).values)
    with pytest.raises(ValueError, match="truth has 2 tiles and prediction 1"):
        pq([first, second], [first])
    with pytest.raises(ValueError, match=r"tile 1 has shape \(6, 20\) in truth and \(4, 5\) in prediction"):
        pq([first, first], [first, EMPTY])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint64, ">i4"])
def test_any_whole_numbers_will_do(dtype):
    pair = [image.astype(dtype) for image in golden()]
    assert pq(*pair).values[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((6, 20), -1), "prediction has the label -1"),
        (np.ones((6, 20)), "prediction has shape .6, 20. and type float64: a label image"),
        (np.ones((6, 20), bool), "type bool"),
        (np.ones(20, int), "shape .20,."),
        (np.full((6, 20), 2**31), "labels beyond 2147483647"),
        (np.ones((20, 6), int), r"shape \(6, 20\) in truth and \(20, 6\) in prediction"),
    ],
)
def test_what_is_no_label_image_is_refused(bad, message):
    for metric in ALL:
        with pytest.raises(ValueError, match=message):
            metric(golden()[0], bad)


@settings(deadline=None, max_examples=50)
@given(images)
def test_instances_at_the_border_are_left_out_and_counted(pair):
    image = pair[0]
    kept, n_ignored = without_border(image)
    np.testing.assert_array_equal(kept, clear_border_by_label(image))
    assert len(np.unique(image[image > 0])) == n_ignored + len(np.unique(kept[kept > 0]))
    assert kept.dtype == np.int32


def clear_border_by_label(image):
    """One label after the other."""
    kept = image.copy()
    for label in np.unique(image[image > 0]):
        rows, columns = np.nonzero(image == label)
        if {0, image.shape[0] - 1} & set(rows) or {0, image.shape[1] - 1} & set(columns):
            kept[image == label] = 0
    return kept


def test_a_border_instance_goes_with_all_its_pieces():
    image = np.zeros((5, 7), np.uint16)
    image[1, 1], image[3, 5], image[3, 6], image[2, 3] = 1, 2, 2, 3
    image[1, 3] = 2
    kept, n_ignored = without_border(image)
    assert n_ignored == 1
    assert kept.max() == 3
    assert (kept == 2).sum() == 0
    assert image[3, 6] == 2, "the image given stays as it is"
    with pytest.raises(ValueError, match="label -2"):
        without_border(np.full((2, 2), -2))
    assert without_border(np.zeros((0, 4), int))[1] == 0


def test_connected_instances_are_those_scikit_image_keeps():
    from skimage.measure import label
    from skimage.segmentation import clear_border

    image = label(np.random.default_rng(3).random((40, 50)) < 0.4, connectivity=1)
    assert without_border(image)[0].tolist() == clear_border(image).tolist()


def test_the_largest_label_there_is_counts():
    image = np.array([[0, 2**31 - 1]], np.int64)
    assert dice(image, image).values.tolist() == [1.0]
