"""Sums of labels: against the pixels one by one, in any cut into parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from pytest_stbench.kernels import label_sums as module
from pytest_stbench.kernels.label_sums import joined, label_sums

IMAGES = hnp.arrays(
    st.sampled_from([np.uint8, np.uint32, np.int32, np.int64, np.uint64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.integers(0, 5),
)


def one_by_one(image, corner=(0, 0)):
    found = {}
    for (row, column), label in np.ndenumerate(image):
        if label:
            n, x, y = found.get(label, (0, 0.0, 0.0))
            found[label] = (n + 1, x + corner[1] + column + 0.5, y + corner[0] + row + 0.5)
    return {int(label): found[label] for label in sorted(found)}


def as_dict(sums):
    rows = zip(sums.labels, sums.pixels, sums.x, sums.y, strict=True)
    return {int(label): (int(n), float(x), float(y)) for label, n, x, y in rows}


@given(IMAGES, st.tuples(st.integers(0, 9), st.integers(0, 9)), st.integers(1, 40))
def test_sums_are_those_of_the_pixels(image, corner, strip):
    before, module.STRIP = module.STRIP, strip
    try:
        found = label_sums(image, corner)
    finally:
        module.STRIP = before
    assert as_dict(found) == one_by_one(image, corner)
    assert found.labels.dtype == image.dtype


@given(IMAGES, st.integers(1, 6), st.integers(1, 6))
def test_parts_make_the_whole(image, rows, columns):
    parts = [
        label_sums(image[top : top + rows, left : left + columns], (top, left))
        for top in range(0, image.shape[0], rows)
        for left in range(0, image.shape[1], columns)
    ]
    assert as_dict(joined(parts, image.dtype)) == as_dict(label_sums(image))


def test_labels_of_64_bits_are_exact():
    large = 2**64 - 2
    found = label_sums(np.array([[large, 0, large - 1]], dtype=np.uint64))
    assert found.labels.tolist() == [large - 1, large]
    np.testing.assert_array_equal(found.centroids, [(2.5, 0.5), (0.5, 0.5)])


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (0, 3), (2, 2)])
def test_nothing_but_background(shape):
    found = label_sums(np.zeros(shape, np.int32))
    assert len(found.labels) == 0
    assert found.centroids.shape == (0, 2)
