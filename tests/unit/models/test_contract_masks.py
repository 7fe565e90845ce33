from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.models.contract import ContractError
from pytest_stbench.models.contract_labels import accept_mask

MASK = np.array([[0, 0, 7], [2, 2, 7]])


class Tensor:
    def __array__(self, dtype=None, copy=None):
        return MASK.astype(np.int64)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.uint8, np.uint32, ">i4"])
def test_whole_numbers_of_any_width_are_kept(dtype):
    raw = MASK.astype(dtype)
    found = accept_mask(raw, (2, 3))
    assert found.dtype == np.int32
    assert found.tolist() == MASK.tolist()
    raw[0, 0] = 9
    assert found[0, 0] == 0, "a copy"


def test_tensors_and_empty_masks():
    assert accept_mask(Tensor(), (2, 3)).tolist() == MASK.tolist()
    assert accept_mask(np.zeros((2, 3), int), (2, 3)).max() == 0
    assert accept_mask(np.asfortranarray(MASK), (2, 3)).flags.c_contiguous


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "array of int32 .*found None; return the prediction"),
        (MASK.tolist(), r"found list; .*dtype=np.int32"),
        (MASK.astype(float), r"whole numbers.*dtype float64; cast labels by .astype\(np.int32\)"),
        (MASK > 0, r"dtype bool; tell instances apart, for example by skimage.measure.label"),
        (MASK.astype(str), "dtype <U"),
        (MASK.T, r"shape \(2, 3\) \(rows, columns\), found shape \(3, 2\); the mask is transposed"),
        (MASK[None], r"found shape \(1, 2, 3\); drop the axes of length 1"),
        (MASK[:, :2], "found shape .2, 2.; return one label for each pixel of region.image"),
        (MASK - 1, r"labels of at least 0, found -1 \(2 of 6 pixels are below 0\)"),
        (MASK + 2**31, r"labels up to 2147483647, found 2147483655; number the instances anew"),
        (np.ma.masked_equal(MASK, 7), "2 masked values"),
    ],
)
def test_what_cannot_be_scored_is_refused(raw, message):
    with pytest.raises(ContractError, match=message):
        accept_mask(raw, (2, 3), "Mine.segment")
