"""Declared images of bundles: where they are, and how units lie in their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.images.pyramid import files_of
from pytest_stbench.data.readers.files import of_slide
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.spec.model import DatasetSpec, ImageSpec

    Floats = NDArray[np.float64]

XENIUM_PIXEL_UM = 0.2125
"""Side of a pixel of Xenium's morphology images where neither ``experiment.xenium`` nor a store says it."""

MAX_STRETCH = 1.02
"""Models see square pixels: so much longer may one side of a pixel be than the other."""

PLAUSIBLE_UM = (0.05, 50.0)
"""Sides of a pixel of a picture that shows tissue: from oil immersion to a thumbnail of a slide."""

ALLOWED = "three lines of three numbers, the last 0,0,1"

KEYPOINTS = ("fixedX", "alignmentX")
"""Columns of the other file that Xenium Explorer saves of an alignment."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The image file of a slide, and the file of the matrix that places it, if one is declared."""

    path: Path
    alignment: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that it depends on."""
        return (*files_of(self.path), *(() if self.alignment is None else (self.alignment,)))


def find_pictures(config: DatasetSpec, slides: Iterable[str], roots: Sequence[Path]) -> dict[str, Picture]:
    """Return the declared images by slide; raises ``DataError`` where a file is not there."""
    declared = config.image
    if declared is None:
        return {}
    return {
        slide: Picture(
            of_slide(slide, declared.path, roots),
            None
            if declared.alignment is None
            else of_slide(slide, declared.alignment, roots, "image.alignment", "the matrix of its image"),
        )
        for slide in slides
    }


def place(
    slide: str, declared: ImageSpec, picture: Picture, read: Callable[[Path], Floats] | None, xy_um: Floats
) -> tuple[Image, Floats]:
    """Return a declared image, and the units at `xy_um` (n, 2) in its pixels.

    `read` makes of the file of a matrix the map (3, 3) from um to pixels; None where the source has no
    such files.

    Raises
    ------
    DataError
        The image or its matrix cannot be used, or nothing says the size of a pixel.
    """
    if picture.alignment is not None:
        if read is None:
            raise DataError(
                f"slide {slide}: image.alignment {picture.alignment.name!r}: only slides of Xenium and "
                "MERSCOPE are placed by a matrix; write `um_per_px` of an image whose corner is the origin "
                "of the cells"
            )
        to_px = read(picture.alignment)
        said_by = f"the matrix {picture.alignment.name}"
        image = Image.declared(picture.path, declared, 1 / side_of(to_px), said_by=said_by)
        return image, xy_um @ to_px[:2, :2].T + to_px[:2, 2]
    if isinstance(declared.um_per_px, str):
        raise DataError(
            f"slide {slide}: image.um_per_px is {declared.um_per_px!r}; bundles hold no such key: "
            "write the um per pixel of the image, whose corner must be the origin of the cells"
        )
    image = Image.declared(picture.path, declared, declared.um_per_px)
    return image, xy_um / image.mpp


def of_explorer(path: Path, pixel_um: float = XENIUM_PIXEL_UM) -> Floats:
    """Return the map (3, 3) from um to pixels of an H&E that Xenium Explorer aligned.

    Its file (``*imagealignment.csv``, ``matrix.csv``) maps pixels of the H&E to those of the morphology
    image, which are `pixel_um` um each: the way back is returned.

    Raises
    ------
    DataError
        As :func:`matrix_of`, or its pixels are not square or of no size that a picture has.
    """
    to_um = np.diag([pixel_um, pixel_um, 1.0]) @ matrix_of(path)
    return _square(path, np.asarray(np.linalg.inv(to_um), dtype=np.float64))


def of_mosaic(path: Path) -> Floats:
    """Return the map (3, 3) from um to pixels that MERSCOPE writes for its mosaics.

    The file is ``images/micron_to_mosaic_pixel_transform.csv``. Errors as :func:`of_explorer`.
    """
    return _square(path, matrix_of(path))


def matrix_of(path: Path) -> Floats:
    """Return the 3 x 3 numbers of a file, separated by commas, or by blanks where it has no comma.

    Raises
    ------
    DataError
        A field is empty or no finite number, there are more or fewer, the last row is not 0, 0, 1, or
        there is no way back.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}); allowed are {ALLOWED}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines and all(name in lines[0][1] for name in KEYPOINTS):
        raise DataError(
            f"{path}:{lines[0][0]}: these are the key points of an alignment, not its matrix; allowed are "
            f"{ALLOWED}: download the transformation matrix from Xenium Explorer"
        )
    rows = [_numbers(line, f"{path}:{number}") for number, line in lines]
    if [len(row) for row in rows] != [3, 3, 3]:
        found = f"{len(rows)} lines of {', '.join(str(len(row)) for row in rows[:4]) or 'no'} numbers"
        raise DataError(f"{path}: found {found}; allowed are {ALLOWED}")
    matrix = np.array(rows, dtype=np.float64)
    if matrix[2].tolist() != [0.0, 0.0, 1.0]:
        turned = "; it is transposed" if matrix[:, 2].tolist() == [0.0, 0.0, 1.0] else ""
        found = ", ".join(f"{value:g}" for value in rows[2])
        raise DataError(f"{path}:{lines[2][0]}: found {found}; allowed are {ALLOWED}{turned}")
    if np.linalg.matrix_rank(matrix[:2, :2]) < 2:
        message = f"{path}: maps the image to a line or a point; allowed are rotation, shift and one scale"
        raise DataError(message)
    return matrix


def _numbers(line: str, where: str) -> list[float]:
    """Return the numbers of a line; raises ``DataError`` at `where` for a field that holds none."""
    numbers = []
    for place, field in enumerate(line.split(",") if "," in line else line.split(), 1):
        try:
            numbers.append(float(field))
        except ValueError:
            numbers.append(np.nan)
        if not np.isfinite(numbers[-1]):
            found = repr(field.strip()) if field.strip() else "empty"
            raise DataError(f"{where}: field {place} is {found}, no finite number; allowed are {ALLOWED}")
    return numbers


def side_of(matrix: Floats) -> float:
    """Return the side of a pixel after a map (3, 3)."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def _square(path: Path, to_px: Floats) -> Floats:
    long, short = 1 / np.linalg.svd(to_px[:2, :2], compute_uv=False)[::-1]
    if long > MAX_STRETCH * short:
        raise DataError(
            f"{path}: pixels are {long:.4g} by {short:.4g} um; models see square pixels: align the image by "
            "rotation, shift and one scale, or resample it"
        )
    low, high = PLAUSIBLE_UM
    if not low <= side_of(to_um := np.linalg.inv(to_px)) <= high:
        raise DataError(
            f"{path}: a pixel of the image is {side_of(to_um):.4g} um by this matrix; {low:g} to {high:g} um "
            "are plausible: it is of another image, of the other direction, or counts in another unit"
        )
    return to_px
