"""Rectangles of a slide: tiles that a model is asked to segment, label images and outlines of a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

    Window = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """One tile, as ``segment(slide, region)`` gets it.

    ``image`` is (H, W, 3) uint8 RGB; a single fluorescent stain comes as three equal channels.
    Pixel (row, column) covers the square from ``origin_um + (column, row) * mpp``, x before y.
    ``kind`` says what to outline: ``nucleus``, or the whole ``cell``. The answer is one label for
    each pixel, ``shape`` = (H, W).
    """

    origin_um: tuple[float, float]
    mpp: float
    kind: Literal["nucleus", "cell"]
    image: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the mask that is asked for."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def window_um(self) -> tuple[float, float, float, float]:
        """The rectangle on the slide, x0, y0, x1, y1."""
        x, y = self.origin_um
        height, width = self.shape
        return x, y, x + width * self.mpp, y + height * self.mpp

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, to be written to a file."""
        return {
            "image": self.image,
            "origin_um": np.array(self.origin_um),
            "mpp": np.array(self.mpp),
            "kind": np.array(self.kind),
        }


def tile_starts(length: int, tile: int) -> list[int]:
    """Return where tiles of `tile` pixels start that cover `length` pixels.

    The last one ends with the image and overlaps the one before; what is shorter than a tile is
    one smaller tile.

    Raises
    ------
    ValueError
        If a number is below 1.
    """
    if length < 1 or tile < 1:
        raise ValueError(f"{length} pixels cannot be cut into tiles of {tile}: both must be at least 1")
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile), length - tile]


def cut(
    pixels: NDArray[np.uint8], ratio: float, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a rectangle of an image whose pixels become `ratio` times as large; a copy.

    Parameters
    ----------
    pixels
        (H, W, 3) uint8.
    ratio
        Size of a new pixel in old ones; below 1 the image is interpolated.
    start, shape
        First (row, column) and number of rows and columns, in new pixels.
    """
    import PIL.Image

    if ratio == 1.0:
        rows, columns = (slice(first, first + n) for first, n in zip(start, shape, strict=True))
        return pixels[rows, columns].copy()
    sides = pixels.shape[:2]
    ends = [min((first + n) * ratio, side) for first, n, side in zip(start, shape, sides, strict=True)]
    # Only what is seen is handed on: the library copies what it is given.
    top, left = (int(first * ratio) for first in start)
    seen = np.ascontiguousarray(pixels[top : math.ceil(ends[0]), left : math.ceil(ends[1])])
    box = (start[1] * ratio - left, start[0] * ratio - top, ends[1] - left, ends[0] - top)
    resized = PIL.Image.fromarray(seen).resize(shape[::-1], PIL.Image.Resampling.BILINEAR, box=box)
    return np.array(resized)


MAX_PIXELS = 1 << 28


def blank(um_per_px: float, window_um: Window) -> NDArray[np.int32]:
    """Return an empty label image of a window (x0, y0, x1, y1).

    Raises ``DataError`` for an empty window or one of more than 2^28 pixels.
    """
    x0, y0, x1, y1 = window_um
    if not (um_per_px > 0 and np.isfinite(window_um).all() and x1 > x0 and y1 > y0):
        raise DataError(
            f"window {window_um} um at {um_per_px} um per pixel is empty: give x0 < x1, y0 < y1, pixels > 0"
        )
    width, height = (max(1, round(side / um_per_px)) for side in (x1 - x0, y1 - y0))
    if width * height > MAX_PIXELS:
        raise DataError(f"a label image of {width} x {height} pixels is too large: ask for a smaller window")
    return np.zeros((height, width), dtype=np.int32)


SIDE = 360
"""Pixels of the longer side."""
ACROSS = 22
"""Median distances between neighbouring units that a window spans."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """Outlines in a window: ``labels`` (H, W) are 0 outside of them.

    ``owners`` names the cell of label 1, 2 ..., empty for none. The window begins at ``corner_um`` (x, y).
    """

    name: str
    kind: str
    labels: NDArray[np.uint16]
    owners: NDArray[np.str_]
    corner_um: tuple[float, float]
    um_per_px: float


def outlines_of(slide: Slide) -> list[Outlines]:
    """Return a window on each segmentation of a slide, where most units lie; empty ones are left out.

    Raises
    ------
    DataError
        Where outlines cannot be read.
    """
    from scipy.spatial import KDTree

    places = slide.xy_um[np.isfinite(slide.xy_um).all(axis=1)]
    if not slide.segmentations or len(places) < 2:
        return []
    tree = KDTree(places)
    spacing = float(np.median(tree.query(places, k=2)[0][:, 1]))
    if not spacing > 0:
        return []
    low, high = places.min(axis=0) - spacing, places.max(axis=0) + spacing
    width, height = np.minimum(ACROSS * spacing, high - low).tolist()
    side = max(width, height)
    tried = places[:: max(1, len(places) // 500)]
    crowd = tree.query_ball_point(tried, side / 2, p=np.inf, return_length=True)
    half = np.array([width, height]) / 2
    x, y = (np.clip(tried[int(np.argmax(crowd))], low + half, high - half) - half).tolist()
    found = []
    for name, own in slide.segmentations.items():
        labels = own.labels(side / SIDE, (x, y, x + width, y + height))
        there, small = np.unique(labels, return_inverse=True)
        small = small.reshape(labels.shape) + (there[0] != 0)
        if there.any():
            owners = own.owners[there[there > 0] - 1]
            found.append(
                Outlines(
                    name=name, kind=own.kind, labels=small.astype(np.uint16), owners=owners.astype(np.str_),
                    corner_um=(x, y), um_per_px=side / SIDE,
                )
            )  # fmt: skip
    return found
