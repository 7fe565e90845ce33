"""Defects of places and images: lost or wrong coordinates, wrong lattices, images that do not fit."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.simulate.defects.names import some_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.kernels.streams import Stream

WHITE, DULL = 255, 195
SQUARE_PITCH_UM = 55.0
INDEX_SCALE = 0.01
PIXEL_UM = 0.5
MAX_PITCH_ERROR = 0.2
MAX_SHIFT_UM = 1000.0
MAX_SCALE_ERROR = 0.5


def without_places(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Take the coordinates from a share of the units."""
    lost = some_of(rng, len(slide.unit_names), share)
    xy = slide.xy_um.copy()
    xy[lost] = np.nan
    return replace(slide, xy_um=xy)


def at_one_place(slide: RawSlide) -> RawSlide:
    """Put all units at (0, 0)."""
    return replace(slide, xy_um=np.zeros_like(slide.xy_um))


def in_index(slide: RawSlide) -> RawSlide:
    """Give coordinates as small as array indices."""
    return replace(slide, xy_um=slide.xy_um * INDEX_SCALE)


def in_pixels(slide: RawSlide) -> RawSlide:
    """Give coordinates in pixels of 0.5 um."""
    return replace(slide, xy_um=slide.xy_um / PIXEL_UM)


def exchanged(slide: RawSlide) -> RawSlide:
    """Exchange x and y; the image and the array stay."""
    return replace(slide, xy_um=slide.xy_um[:, ::-1].copy())


def square_lattice(slide: RawSlide) -> RawSlide:
    """Put the units, row by row, on a square lattice of 55 um."""
    n = len(slide.unit_names)
    side = math.ceil(math.sqrt(n))
    row, column = np.divmod(np.arange(n), side)
    xy = np.stack([column, row], axis=1) * SQUARE_PITCH_UM + slide.xy_um.min(axis=0)
    return replace(
        slide,
        xy_um=xy,
        xy_px=None if slide.image is None or slide.xy_px is None else xy * (1 / slide.image.mpp),
        array_index=np.stack([row, column], axis=1),
        pitch_um=SQUARE_PITCH_UM,
    )


def wrong_pitch(slide: RawSlide, strength: float, rng: Stream) -> RawSlide:  # noqa: ARG001 - drawn from by the other defects
    """Widen the lattice; the declared pitch stays as it is."""
    return replace(slide, xy_um=slide.xy_um * (1 + MAX_PITCH_ERROR * strength))


def mirrored(slide: RawSlide) -> RawSlide:
    """Mirror the image left to right."""
    return _redrawn(slide, lambda pixels: pixels[:, ::-1].copy())


def shifted(slide: RawSlide, strength: float, rng: Stream) -> RawSlide:  # noqa: ARG001 - likewise
    """Shift the image to the right and down, by up to 1 mm."""
    if slide.image is None:
        return slide
    return _redrawn(
        slide, partial(_shift, by=round(MAX_SHIFT_UM * strength / slide.image.mpp / math.sqrt(2)))
    )


def wrong_scale(slide: RawSlide, strength: float, rng: Stream) -> RawSlide:  # noqa: ARG001 - likewise
    """Declare pixels up to half as large again as they are."""
    if slide.image is None:
        return slide
    wrong = Image(slide.image.source, mpp=slide.image.mpp * (1 + MAX_SCALE_ERROR * strength))
    return replace(slide, image=wrong)


def blank(slide: RawSlide, share: float, rng: Stream) -> RawSlide:  # noqa: ARG001 - likewise
    """Make a share of the image white, from the left."""
    return _redrawn(slide, partial(_covered, share=share, colour=WHITE))


def dulled(slide: RawSlide, share: float, rng: Stream) -> RawSlide:  # noqa: ARG001 - likewise
    """Show a share of the image, from the left, as grey glass of a scanner that is not balanced."""
    return _redrawn(slide, partial(_covered, share=share, colour=DULL))


def _redrawn(slide: RawSlide, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> RawSlide:
    """Return `slide` with an image that is changed when it is asked for."""
    image = slide.image
    if image is None:
        return slide
    return replace(slide, image=Image(lambda: change(image.pixels()), mpp=image.mpp))


def _shift(pixels: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    moved = np.full_like(pixels, WHITE)
    height, width = (max(side - by, 0) for side in pixels.shape[:2])
    moved[by : by + height, by : by + width] = pixels[:height, :width]
    return moved


def _covered(pixels: NDArray[np.uint8], share: float, colour: int) -> NDArray[np.uint8]:
    changed = pixels.copy()
    changed[:, : round(share * pixels.shape[1])] = colour
    return changed
