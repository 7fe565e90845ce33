"""Patches of HEST around the units of a slide, put together to the image that they were cut from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.images.pyramid import Stored
from pytest_stbench.data.labels import text
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.mosaic import Mosaic
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PUBLISHED_MPP = 0.5
"""um per pixel that HEST writes: taken where what the file says is that, but for whole pixels."""

ROUNDING_PX = 1.5
"""Pixels of the whole-slide image by which corners and sides in whole pixels may be wrong."""

SIDE = "patch_size_src"
"""Attribute of ``img``: side of a patch in pixels of the whole-slide image."""

AGREE = 0.05
"""Relative difference above which two sizes of a patch contradict each other."""

MAX_PIXELS = 1 << 36
"""262,144 pixels a side: more is no slide."""


def image_of_patches(
    path: Path, names: NDArray[np.str_], xy_um: NDArray[np.float64], um_per_px: float
) -> tuple[Image, NDArray[np.float64], int]:
    """Return the image, the places of units in its pixels, and how many units have no patch.

    The image is put together tile by tile, as it is asked for: what no patch shows is white; where patches
    overlap the later lies above, within a pixel of the earlier. A unit is placed at the middle of its
    own patch, so that ``patches(size=224, mpp=0.5)`` gives that patch where it was published so; a unit
    without one has no place.

    How many um a patch shows is said by ``patch_size_src``, else by the corners and the places of the
    units, which are the middles: patches that were enlarged to 256 pixels still show 112 um.

    Parameters
    ----------
    path
        HDF5 file of ``img`` (p, size, size, 3) uint8, ``coords`` (p, 2), the upper left corners in
        pixels of the whole-slide image, and ``barcode`` (p,) or (p, 1).
    names, xy_um
        The units, (n,) and (n, 2).
    um_per_px
        Size of a pixel of the whole-slide image.

    Raises
    ------
    DataError
        A file without these, of other shapes, of no unit of the slide, with patches that lie
        elsewhere than their units, of two sizes, or of an image too large to put together.
    """
    barcodes, corners_um, size, said_um = _read(path, um_per_px)
    place: dict[str, int] = {}
    for row, barcode in enumerate(barcodes):
        place.setdefault(barcode, row)
    rows = np.array([place.get(name, -1) for name in names.tolist()], dtype=np.intp)
    known = np.flatnonzero(rows >= 0)
    if not len(known):
        raise DataError(
            f"{path}: no patch is of a unit of the slide: barcodes are like {barcodes[0]!r}, units like "
            f"{names[0]!r}"
        )
    away = xy_um[known] - corners_um[rows[known]]
    mpp = _side(path, away, said_um, size, um_per_px) / size
    corner = np.rint((corners_um - corners_um.min(axis=0)) / mpp).astype(np.int64)
    width, height = (corner.max(axis=0) + size).tolist()
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: its patches span {width} x {height} pixels of {mpp:.4g} um, too many to put "
            "together: declare the whole-slide image as `image`"
        )
    xy_px = np.full((len(names), 2), np.nan)
    xy_px[known] = corner[rows[known]] + size / 2
    image = Image(Stored(path, partial(Mosaic, corner, (height, width), size)), mpp=mpp)
    return image, xy_px, len(names) - len(known)


def _side(path: Path, away: NDArray[np.float64], said_um: float | None, size: int, um_per_px: float) -> float:
    """Return the side of a patch in um; `away` (n, 2) are units as seen from the corners of their patches.

    Raises ``DataError`` where units are not the middles of their patches, or the file says another side.
    """
    middle = np.median(away, axis=0)
    side = float(2 * middle.mean())
    off = float(np.median(np.abs(away - middle).max(axis=1)))
    slack = ROUNDING_PX * um_per_px
    if not (middle > 0).all() or np.ptp(middle) > AGREE * side + slack or off > side / 4:
        raise DataError(
            f"{path}: units lie {middle[0]:.4g} and {middle[1]:.4g} um (median of x and y, within {off:.4g}) "
            f"from the upper left corners of their patches of {size} pixels, and not in their middles: the "
            "patches are not those of the slide"
        )
    if said_um is not None:
        if abs(side / said_um - 1) > AGREE + slack / said_um:
            raise DataError(
                f"{path}: a patch shows {said_um:.4g} um by its attribute {SIDE} and {side:.4g} um by its "
                "corner and the place of its unit: the file is not that of the slide, or was changed"
            )
        side = said_um
    published = size * PUBLISHED_MPP
    return published if abs(side - published) <= slack else side


def _read(path: Path, um_per_px: float) -> tuple[list[str], NDArray[np.float64], int, float | None]:
    with hdf5.opened(path, required=("img", "coords", "barcode"), what="patches") as file:
        shape, kind = file["img"].shape, file["img"].dtype
        coords = np.asarray(file["coords"][()], dtype=np.float64)
        barcodes = np.ravel(file["barcode"][()]).tolist()
        side = np.ravel(file["img"].attrs.get(SIDE, np.nan))
    square = len(shape) == 4 and shape[1] == shape[2] and shape[3] == 3 and kind == np.uint8
    if not square or coords.shape != (shape[0], 2) or len(barcodes) != shape[0] or not shape[0]:
        raise DataError(
            f"{path}: img must be (p, size, size, 3) uint8 with p coords and p barcodes, found "
            f"{kind} of shape {shape}, coords {coords.shape}, {len(barcodes)} barcodes"
        )
    if not np.isfinite(coords).all():
        raise DataError(f"{path}: coords are not all finite numbers; copy the file anew")
    said = float(side[0]) * um_per_px if len(side) == 1 and side.dtype.kind in "iuf" and side[0] > 0 else None
    return text(barcodes), coords * um_per_px, int(shape[1]), said
