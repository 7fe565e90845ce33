"""Label images as metrics take them: one image, or the tiles of a slide."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.label_overlap import joined, overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.kernels.label_overlap import Overlaps

    Masks = ArrayLike | Sequence[ArrayLike]


mask_metric = partial(metric, needs="masks", over="slide", group="segmentation")


def mask_overlaps(truth: Masks, prediction: Masks) -> Overlaps:
    """Return the instances of both and what they share; those of different tiles stay apart.

    Raises
    ------
    ValueError
        If the number of tiles, their shapes or types do not fit, or a label is negative.
    """
    return joined([overlaps(*pair) for pair in mask_pairs(truth, prediction)])


def mask_pairs(truth: Masks, prediction: Masks) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Return true and predicted label image of each tile, int32; errors as :func:`mask_overlaps`."""
    true, predicted = label_images(truth, "truth"), label_images(prediction, "prediction")
    if len(true) != len(predicted):
        message = f"truth has {len(true)} tiles and prediction {len(predicted)}: give both for every tile"
        raise ValueError(message)
    for number, (first, second) in enumerate(zip(true, predicted, strict=True)):
        if first.shape != second.shape:
            raise ValueError(
                f"tile {number} has shape {first.shape} in truth and {second.shape} in prediction: "
                "both must show the same pixels"
            )
    return list(zip(true, predicted, strict=True))


def without_border(labels: ArrayLike) -> tuple[NDArray[np.int32], int]:
    """Return a label image without the instances that touch its edge, and how many these are.

    What a tile cuts off can be outlined correctly by nobody, so its rest is not judged. An instance
    of several pieces goes as a whole.

    Parameters
    ----------
    labels
        Shape (H, W), whole numbers; 0 is background.

    Raises
    ------
    ValueError
        If `labels` is no label image.
    """
    image = _label_image(labels, "labels")
    touching = np.unique(np.concatenate([image[:1].ravel(), image[-1:].ravel(), image[:, 0], image[:, -1]]))
    touching = touching[touching != 0]
    if not len(touching):
        return image.copy(), 0
    if touching[0] < 0:
        message = f"labels has the label {touching[0]}: 0 is background, instances are numbered from 1"
        raise ValueError(message)
    return np.where(np.isin(image, touching), np.int32(0), image), len(touching)


def label_images(masks: Masks, name: str) -> list[NDArray[np.int32]]:
    """Return the label images of one argument as int32; raises ValueError."""
    given: Any = masks
    several = np.ndim(given) == 3 if hasattr(given, "ndim") else not given or np.ndim(given[0]) == 2
    if several:
        return [_label_image(tile, f"tile {number} of {name}") for number, tile in enumerate(given)]
    return [_label_image(given, name)]


def _label_image(values: Any, name: str) -> NDArray[np.int32]:
    image = np.asarray(values)
    if image.ndim != 2 or not (image.dtype.kind in "iu" or image.size == 0):
        raise ValueError(
            f"{name} has shape {image.shape} and type {image.dtype}: a label image has two axes and whole "
            "numbers, 0 for background and one number for each instance"
        )
    if image.dtype.itemsize >= 4 and image.dtype != np.int32 and image.size:
        beyond = max(int(image.max()), -int(image.min()))
        if beyond > np.iinfo(np.int32).max:
            raise ValueError(f"{name} has labels beyond 2147483647 ({beyond}): number the instances from 1")
    return image.astype(np.int32, copy=False)
