"""Agreement of predicted and true instances: pixels, matched objects, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.matching import clear_pairs, matched_pairs
from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.masks import mask_metric, mask_overlaps
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    Masks = ArrayLike | Sequence[ArrayLike]

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


@mask_metric("M44", bounds=(0.0, 1.0), better="up", fill=0.0, source="10.2307/1932409")
def dice(truth: Masks, prediction: Masks) -> Scores:
    """Dice coefficient of the pixels that true and predicted instances cover.

    2 card(A and B) / (card A + card B). It does not see whether instances are told apart. Range
    [0, 1], higher is better.

    Parameters
    ----------
    truth, prediction
        Label images of the same pixels, (H, W) whole numbers: 0 is background, all pixels of one
        positive number are one instance, connected or not. Or one such image for each tile of a
        slide, as a list or (tiles, H, W): instances of different tiles are different, and all of
        them make one score.

    Returns
    -------
    Scores
        One value. Undefined: ``empty_truth`` (neither has an instance).

    Raises
    ------
    ValueError
        If the shapes differ, a label is negative or no whole number.

    References
    ----------
    Dice: 10.2307/1932409.
    """
    pairs = mask_overlaps(truth, prediction)
    total = int(pairs.true_area.sum() + pairs.predicted_area.sum())
    if total == 0:
        return slide_score(np.nan, "empty_truth")
    return slide_score(2.0 * float(pairs.shared.sum()) / total)


@mask_metric(
    "M45",
    bounds=(0.0, 1.0),
    better="up",
    fill=0.0,
    over="threshold",
    params=("thresholds",),
    source="10.1038/s41592-019-0612-7",
)
def segmentation_ap(truth: Masks, prediction: Masks, *, thresholds: Sequence[float] = THRESHOLDS) -> Scores:
    """Matched instances over matched, missed and false ones, by IoU threshold; not COCO AP.

    Average precision of cell segmentation at each threshold of the intersection over union.

    TP / (TP + FP + FN), where TP pairs of instances with an IoU of at least the threshold are
    matched one to one: as many as possible and, of such matchings, the one with the largest sum of
    IoU. This is the convention of cell segmentation, not the area under a precision-recall curve
    (COCO). Range [0, 1], higher is better.

    Parameters
    ----------
    truth, prediction
        As in :func:`dice`.
    thresholds
        Thresholds of the IoU, above 0 and at most 1.

    Returns
    -------
    Scores
        One value for each threshold, which is its label; their mean is the value of a slide.
        Predictions without any true instance give 0. Undefined: ``empty_truth`` (neither has an
        instance). Extras: ``tp``, ``fp``, ``fn``, ``matched_iou`` (mean IoU of the matched pairs,
        nan without any).

    Raises
    ------
    ValueError
        As :func:`dice`, or if a threshold is out of range.

    References
    ----------
    Nucleus segmentation evaluation: 10.1038/s41592-019-0612-7.
    """
    pairs = mask_overlaps(truth, prediction)
    iou = pairs.iou()
    matched = [matched_pairs(pairs, float(threshold)) for threshold in thresholds]
    tp = np.array([len(found) for found in matched], dtype=np.float64)
    sums = np.array([iou[found].sum() for found in matched])
    n_true, n_predicted = len(pairs.true_ids), len(pairs.predicted_ids)
    # With no instance at all there is no threshold to judge, whatever the value written here.
    empty = n_true + n_predicted == 0
    values = np.full(len(tp), np.nan) if empty else tp / (n_true + n_predicted - tp)
    return Scores(
        values=values,
        reasons=np.full(len(tp), "empty_truth" if empty else "", dtype="U32"),
        labels=np.array([f"{threshold:g}" for threshold in thresholds], dtype=np.str_),
        extras={
            "tp": tp,
            "fp": n_predicted - tp,
            "fn": n_true - tp,
            "matched_iou": np.divide(sums, tp, out=np.full(len(tp), np.nan), where=tp > 0),
        },
    )


@mask_metric("M46", bounds=(0.0, 1.0), better="up", fill=0.0, source="10.1109/CVPR.2019.00963")
def pq(truth: Masks, prediction: Masks) -> Scores:
    """Panoptic quality: instances found with IoU above 0.5, times their mean IoU.

    Sum of IoU over TP / (TP + FP / 2 + FN / 2), where TP are the pairs of instances with an IoU
    above 0.5 (strictly, so that each instance is in one pair at most). Range [0, 1], higher is
    better.

    Parameters
    ----------
    truth, prediction
        As in :func:`dice`.

    Returns
    -------
    Scores
        One value; 0 if no pair matches. Undefined: ``empty_truth`` (neither has an instance).
        Extras: ``sq`` (mean IoU of the matched pairs, nan without any) and ``rq`` (F1 of finding
        instances), of which it is the product; ``tp``, ``fp``, ``fn``.

    Raises
    ------
    ValueError
        As :func:`dice`.

    References
    ----------
    Panoptic quality: 10.1109/CVPR.2019.00963.
    """
    pairs = mask_overlaps(truth, prediction)
    found = clear_pairs(pairs)
    tp, n_true, n_predicted = len(found), len(pairs.true_ids), len(pairs.predicted_ids)
    total = float(pairs.iou()[found].sum())
    half = (n_true + n_predicted) / 2
    return slide_score(
        total / max(half, 0.5),
        "empty_truth" if half == 0 else "",
        sq=total / tp if tp else np.nan,
        rq=tp / half if half else np.nan,
        tp=tp,
        fp=n_predicted - tp,
        fn=n_true - tp,
    )


@mask_metric("M47", bounds=(0.0, 1.0), better="up", fill=0.0, source="10.1109/TMI.2017.2677499")
def aji(truth: Masks, prediction: Masks) -> Scores:
    """Jaccard index aggregated over true instances and the predictions nearest to them.

    Each true instance is joined with the predicted one of the largest IoU (of equals the lowest
    number; one prediction may serve several). The sum of their common pixels is divided by the sum
    of their unions, the area of true instances without any overlap and that of predictions that
    serve none. Range [0, 1], higher is better.

    Parameters
    ----------
    truth, prediction
        As in :func:`dice`.

    Returns
    -------
    Scores
        One value. Undefined: ``empty_truth`` (neither has an instance). Extras: ``n_missed`` (true
        instances without overlap), ``n_unused`` (predictions that serve none).

    Raises
    ------
    ValueError
        As :func:`dice`.

    References
    ----------
    Aggregated Jaccard index: 10.1109/TMI.2017.2677499.
    """
    pairs = mask_overlaps(truth, prediction)
    # By true instance, the best first; the order of the pairs settles ties.
    order = np.lexsort((pairs.predicted, -pairs.iou(), pairs.true))
    best = order[np.flatnonzero(np.diff(pairs.true[order], prepend=-1))]
    missed, unused = np.ones(len(pairs.true_ids), bool), np.ones(len(pairs.predicted_ids), bool)
    missed[pairs.true[best]] = False
    unused[pairs.predicted[best]] = False
    area = int(pairs.union()[best].sum() + pairs.true_area[missed].sum() + pairs.predicted_area[unused].sum())
    return slide_score(
        float(pairs.shared[best].sum()) / max(area, 1),
        "" if area else "empty_truth",
        n_missed=int(missed.sum()),
        n_unused=int(unused.sum()),
    )


@mask_metric("T10", bounds=(0.0, None), better="down")
def count_error(truth: Masks, prediction: Masks) -> Scores:
    """Difference of the numbers of predicted and true instances, over that of true ones.

    The absolute value; the extra ``signed`` is positive where too many are predicted. Range
    [0, inf), lower is better.

    Parameters
    ----------
    truth, prediction
        As in :func:`dice`.

    Returns
    -------
    Scores
        One value. Undefined: ``empty_truth`` (no true instance). Extras: ``signed`` (nan if
        undefined), ``n_true``, ``n_predicted``.

    Raises
    ------
    ValueError
        As :func:`dice`.
    """
    pairs = mask_overlaps(truth, prediction)
    n_true, n_predicted = len(pairs.true_ids), len(pairs.predicted_ids)
    signed = (n_predicted - n_true) / n_true if n_true else np.nan
    reason = "" if n_true else "empty_truth"
    return slide_score(abs(signed), reason, signed=signed, n_true=n_true, n_predicted=n_predicted)
