"""What models may ask an image for: sizes, resolutions and boxes, or an error that says which."""

from __future__ import annotations

import math

from pytest_stbench.errors import ModelError


def refuse_size(size: int, mpp: float) -> None:
    """Raise ``ModelError`` for patches of no size or resolution."""
    if size != int(size) or size < 1 or not (math.isfinite(mpp) and mpp > 0):
        raise ModelError(
            f"patches(size={size!r}, mpp={mpp!r}): size is a number of pixels, mpp um per pixel, both > 0"
        )


def refuse_count(method: str, name: str, value: int) -> None:
    """Raise ``ModelError`` for what is no positive whole number, `name` of a `method`."""
    if value != int(value) or value < 1:
        raise ModelError(f"{method}({name}={value!r}): {name} is a whole number, at least 1")


def box_of(box: tuple[int, int, int, int], mpp: float) -> tuple[int, int, int, int]:
    """Return first column, first row, width and height; raises ``ModelError`` for others."""
    numbers = tuple(int(side) for side in box)
    if len(numbers) != 4 or numbers != tuple(box) or min(numbers[2:]) < 1 or not 0 < mpp < math.inf:
        raise ModelError(
            f"region({box!r}, mpp={mpp!r}): the box is first column, first row, width and height in whole "
            "pixels of mpp um, width and height at least 1"
        )
    left, top, width, height = numbers
    return left, top, width, height
