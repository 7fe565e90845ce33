"""Size and place of each label of an image, from runs of equal pixels along its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

STRIP = 1 << 18
"""Pixels that are gone through at once: what is made of them is small beside the image."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelSums:
    """Labels of an image but 0, ascending, with number and summed centres of their pixels, (k,) each."""

    labels: NDArray[Any]
    pixels: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def centroids(self) -> NDArray[np.float64]:
        """Mean x and y of the pixel centres of each label, (k, 2); pixel 0 has its centre at 0.5."""
        return np.column_stack([self.x, self.y]) / self.pixels[:, None]

    def chosen(self, kept: NDArray[np.bool_]) -> LabelSums:
        """Return some of the labels."""
        return LabelSums(self.labels[kept], self.pixels[kept], self.x[kept], self.y[kept])


def label_sums(image: NDArray[Any], corner: tuple[int, int] = (0, 0)) -> LabelSums:
    """Return the sums of an image of labels, (H, W) of integers.

    Parameters
    ----------
    image
        0 is background. An image of fewer runs needs less memory; the worst takes some 40 bytes for
        each of 2^18 pixels beside the image.
    corner
        Row and column of its first pixel in a larger image, in whose pixels x and y are counted.
    """
    height, width = image.shape
    rows = max(1, STRIP // max(1, width))
    return joined(
        (_strip(image[top : top + rows], (corner[0] + top, corner[1])) for top in range(0, height, rows)),
        image.dtype,
    )


def joined(parts: Iterable[LabelSums], dtype: np.dtype[Any]) -> LabelSums:
    """Return the sums of an image from those of its parts."""
    empty = LabelSums(np.empty(0, dtype), np.empty(0, np.int64), np.empty(0), np.empty(0))
    found = [empty, *parts]
    labels, place = np.unique(np.concatenate([part.labels for part in found]), return_inverse=True)

    def summed(name: str) -> NDArray[np.float64]:
        weights = np.concatenate([getattr(part, name) for part in found]).astype(np.float64)
        return np.bincount(place, weights=weights, minlength=len(labels))

    return LabelSums(labels, summed("pixels").astype(np.int64), summed("x"), summed("y"))


def _strip(strip: NDArray[Any], corner: tuple[int, int]) -> LabelSums:
    width = strip.shape[1]
    begins = np.ones(strip.shape, dtype=bool)
    np.not_equal(strip[:, 1:], strip[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    length = np.diff(np.append(start, strip.size))
    value = strip[begins]
    kept = np.flatnonzero(value)
    start, length, value = start[kept], length[kept], value[kept]
    labels, place = np.unique(value, return_inverse=True)
    row, column = np.divmod(start, max(1, width))

    def summed(weights: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(place, weights=weights, minlength=len(labels))

    return LabelSums(
        labels,
        np.bincount(place, weights=length, minlength=len(labels)).astype(np.int64),
        summed(length * (corner[1] + column + length / 2)),
        summed(length * (corner[0] + row + 0.5)),
    )
