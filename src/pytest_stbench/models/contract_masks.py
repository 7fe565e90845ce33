"""Instance masks a model returned, checked before anything is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.models.contract import claimed_shape, plain_array, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = int(np.iinfo(np.int32).max)


def accept_mask(raw: object, shape: tuple[int, int], where: str = "segment") -> NDArray[np.int32]:
    """Return a checked copy of an instance mask, (H, W) int32: 0 background, 1..N instances.

    Parameters
    ----------
    raw
        What the model returned: an array of whole numbers of any width, or anything with
        ``__array__`` (a tensor on the CPU). Numbers need not be consecutive; all pixels of one
        number are one instance.
    shape
        Rows and columns that were asked for.
    where
        What is named in the message.

    Raises
    ------
    ContractError
        What was expected, what was found and what to do.
    """
    claimed = claimed_shape(raw, shape)
    if claimed != shape:
        refuse(where, f"shape {shape} (rows, columns)", f"shape {claimed}", _to_shape(claimed, shape))
    values = plain_array(raw, where, array="a numpy array of int32 (or tensor on the CPU)", dtype="int32")
    if values.dtype.kind not in "iu":
        refuse(where, "whole numbers, one for each instance", f"dtype {values.dtype}", _to_instances(values))
    if values.shape != shape:
        found, fix = f"shape {values.shape}", _to_shape(values.shape, shape)
        refuse(where, f"shape {shape} (rows, columns)", found, fix)
    if values.size:
        low, high = int(values.min()), int(values.max())
        if low < 0:
            number = int((values < 0).sum())
            fix = "0 is background, instances are 1 to N; write 0 where there is none"
            refuse(
                where, "labels of at least 0", f"{low} ({number} of {values.size} pixels are below 0)", fix
            )
        if high > _LARGEST:
            fix = "number the instances anew, for example by skimage.segmentation.relabel_sequential"
            refuse(where, f"labels up to {_LARGEST}", f"{high}", fix)
    return np.array(values, dtype=np.int32, order="C", copy=True)


def _to_instances(values: NDArray[Any]) -> str:
    if values.dtype == bool:
        return "tell instances apart, for example by skimage.measure.label(mask)"
    if values.dtype.kind == "f":
        return "cast labels by .astype(np.int32); make labels of probabilities first (threshold, label)"
    return "return an integer array: 0 background, 1..N instances"


def _to_shape(found: tuple[int, ...], shape: tuple[int, int]) -> str:
    if found == shape[::-1]:
        return "the mask is transposed: rows are y, columns are x (.T)"
    if tuple(length for length in found if length != 1) == tuple(x for x in shape if x != 1):
        return "drop the axes of length 1 (.squeeze())"
    return "return one label for each pixel of region.image, at its resolution"
