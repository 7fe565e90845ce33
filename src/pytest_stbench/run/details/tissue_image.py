"""A small image of the tissue for a kept map, in the frame of the coordinates that stand beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from pytest_stbench.data.image import Image
    from pytest_stbench.data.slide import Slide

SIDE = 400
"""Pixels of the longer side of what the units cover."""
MOST_BLANK = 4
"""How many times as wide and high the whole image may be: it begins at the origin of the coordinates."""
MARGIN = 0.04
OFF = 0.5
"""Largest error of the fit of pixels to micrometres, in distances to the nearest unit."""
MOST_PIXELS = 400_000_000


class NoImageError(Exception):
    """Why a slide with an image has none beside its map."""


def small_image(slide: Slide, *, make: bool = True) -> tuple[NDArray[np.uint8], float] | None:
    """Return the image of a slide as (H, W, 3) pixels and their number per um; None where it has none.

    One that is not read but made, which takes long, is made only with `make`.

    Pixel (row, column) covers ``row / scale`` to ``(row + 1) / scale`` um of y and likewise of x, so that
    places in um times the scale are pixels, as scanpy and squidpy expect.

    Raises
    ------
    NoImageError
        Where the image cannot be brought there.
    """
    import PIL.Image

    if slide.image is None or slide.xy_px is None:
        return None
    if callable(slide.image.source) and not make:
        raise NoImageError("it would have to be made, and the task asks nothing of images")
    known = np.isfinite(slide.xy_um).all(axis=1) & np.isfinite(slide.xy_px).all(axis=1)
    xy, pixels = slide.xy_um[known], slide.xy_px[known]
    to_pixels = _fit(xy, pixels)
    span = float((xy.max(axis=0) - xy.min(axis=0)).max())
    scale = SIDE / (span * (1 + 2 * MARGIN))
    end = xy.max(axis=0) + MARGIN * span
    width, height = np.ceil(end * scale).astype(int).tolist()
    if (xy.min(axis=0) < 0).any() or max(width, height) > MOST_BLANK * SIDE:
        raise NoImageError("its coordinates do not begin near 0 um, where images have their corner")
    step = float(np.sqrt(abs(np.linalg.det(to_pixels[:2])))) / scale
    seen = np.array([[0, 0], [width, 0], [0, height], [width, height]]) / scale @ to_pixels[:2] + to_pixels[2]
    source, shrunk, corner = _opened(slide.image, step, seen)
    affine = np.vstack((to_pixels[:2] / scale, to_pixels[2] - corner)) / shrunk
    coefficients = affine.T.ravel().tolist()
    white = (255, 255, 255)
    small = source.transform(
        (width, height),
        PIL.Image.Transform.AFFINE,
        coefficients,
        PIL.Image.Resampling.BILINEAR,
        fillcolor=white,
    )
    return np.asarray(small), scale


def _fit(xy: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine map from um to pixels, (3, 2), if there is one that fits."""
    from scipy.spatial import KDTree

    design = np.column_stack((xy, np.ones(len(xy))))
    if len(xy) < 3 or np.linalg.matrix_rank(design - [*design.mean(axis=0)[:2], 0]) < 3:
        raise NoImageError("fewer than three units, or all on one line, have places in the image")
    found = np.linalg.lstsq(design, pixels, rcond=None)[0]
    error = float(np.abs(design @ found - pixels).max())
    spacing = float(np.median(KDTree(pixels).query(pixels, k=2)[0][:, 1]))
    if error > OFF * spacing or not np.linalg.det(found[:2]):
        message = "places in the image do not follow those in um: they differ by more than half a unit"
        raise NoImageError(message)
    return np.asarray(found)


def _opened(
    image: Image, step: float, seen: NDArray[np.float64]
) -> tuple[Picture, float, NDArray[np.float64]]:
    """Return the image shrunk by a whole number below `step`, by how much, and where it begins in pixels.

    Of a file that is read in parts it is no more than the rectangle around the places `seen` (n, 2).
    """
    import PIL.Image

    from pytest_stbench.data.encoded import size_of

    try:
        if image.pyramid is not None:
            return _part(image, max(1, int(step)), seen)
        if image.path is not None and int(np.prod(size_of(image.path))) > MOST_PIXELS:
            raise NoImageError(f"the image has more than {MOST_PIXELS // 10**6} million pixels")
        if image.path is not None and image.path.suffix.lower() in (".jpg", ".jpeg"):
            with PIL.Image.open(image.path) as opened:
                full = opened.width
                width, height = (max(1, int(side / max(step, 1.0))) for side in opened.size)
                opened.draft("RGB", (width, height))
                source = opened.convert("RGB")
        else:
            source = PIL.Image.fromarray(image.pixels())
            full = source.width
    except (DataError, OSError) as error:
        raise NoImageError(str(error)) from None
    times = int(step * source.width / full)
    if times > 1:
        source = source.reduce(times)
    return source, full / source.width, np.zeros(2)


def _part(image: Image, times: int, seen: NDArray[np.float64]) -> tuple[Picture, float, NDArray[np.float64]]:
    import PIL.Image

    small = replace(image, target_mpp=image.mpp * times).input(np.empty((0, 2)))
    low = np.floor(seen.min(axis=0) / times) - 1
    end = np.minimum(np.ceil(seen.max(axis=0) / times) + 1, small.shape[1::-1])
    low = np.clip(low, 0, np.maximum(end - 1, 0))
    left, top, width, height = np.concatenate([low, np.maximum(end - low, 1)]).astype(int).tolist()
    return PIL.Image.fromarray(small.region((left, top, width, height))), float(times), low * times
