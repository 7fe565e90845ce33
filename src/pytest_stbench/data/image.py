"""The H&E image of a slide, opened when it is needed.

Pixel coordinates are continuous: pixel i covers [i, i + 1), so that a patch of N pixels around x
is ``image[x - N/2 : x + N/2]``. Resampling to another resolution scales them about the origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.data.encoded import decode, pixels_only, size_of
from pytest_stbench.data.images.damaged import WhiteWhereDamaged, white_where_damaged
from pytest_stbench.data.images.looking import pyramid_of, statements_of
from pytest_stbench.data.images.pyramid import Stored
from pytest_stbench.data.images.regions import Regions
from pytest_stbench.data.images.resolution import settled
from pytest_stbench.data.images.tokens import token_of
from pytest_stbench.data.input_image import InputImage, PixelsKey, read_only
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_stbench.data.images.looking import Reader
    from pytest_stbench.data.images.pyramid import Pyramid
    from pytest_stbench.data.input_image import Content
    from pytest_stbench.spec.model import ImageSpec


@dataclass(frozen=True, eq=False)
class Image:
    """The image of a slide; nothing is decoded before it is asked for.

    Parameters
    ----------
    source
        An image file, a part of a store, (H, W, 3) uint8 pixels, or a function without arguments that
        makes them.
    mpp
        Micrometres per pixel of the source.
    target_mpp
        Common um per pixel to which models get the image resampled, so that slides that were
        scanned at different resolutions look alike; None for as it is.
    reader
        Reads the file whatever it is: ``tiff``, ``openslide`` or ``pillow``; None for what fits it.
    damaged
        ``white`` to show damaged tiles of the file white, and to count them; None for an error.
    """

    source: Path | Stored | NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]
    mpp: float = field(kw_only=True)
    target_mpp: float | None = field(default=None, kw_only=True)
    reader: Reader | None = field(default=None, kw_only=True)
    damaged: Literal["white"] | None = field(default=None, kw_only=True)
    _key: PixelsKey = field(default_factory=PixelsKey, kw_only=True, repr=False)

    @classmethod
    def from_array(cls, pixels: NDArray[np.uint8], *, mpp: float) -> Image:
        """Return the image of (H, W, 3) uint8 `pixels` of `mpp` um each."""
        return cls(pixels, mpp=mpp)

    @classmethod
    def declared(
        cls, path: Path, spec: ImageSpec, um_per_px: float | None, *, said_by: str = "image.um_per_px"
    ) -> Image:
        """Return the image that a task file declares.

        Parameters
        ----------
        path, spec
            Its file, and what the task file says of it.
        um_per_px
            Um per pixel as `said_by` says; None to take what the file says.

        Raises
        ------
        DataError
            The file is no usable image, says another size of its pixels, or nothing says it.
        """
        name = str(path)
        mpp = settled(statements_of(path, name, spec.reader), um_per_px, name, key=said_by)
        image = cls(path, mpp=mpp, target_mpp=spec.mpp, reader=spec.reader, damaged=spec.damaged_tiles)
        image.check()
        return image

    @property
    def path(self) -> Path | None:
        """The image file, or None for an image that was made in memory."""
        return self.source if isinstance(self.source, Path) else None

    def check(self) -> None:
        """Look at the header of the file; raises ``DataError`` when it is no usable image."""
        if isinstance(self.source, Path) and self.pyramid is None:
            size_of(self.source)

    @cached_property
    def pyramid(self) -> Pyramid | None:
        """The file as a pyramid that is read in parts; None for what is decoded whole.

        Raises ``DataError`` as :func:`~pytest_stbench.data.images.looking.pyramid_of`.
        """
        source = self._opened
        if isinstance(source, Stored):
            return source.make(source.path, str(source.path))
        return pyramid_of(source, str(source), self.reader) if isinstance(source, Path) else None

    @property
    def _opened(self) -> Path | Stored | None:
        """What is opened in this and other processes: the file, or the part of one; None for pixels."""
        if self.damaged and isinstance(self.source, Path):
            return Stored(self.source, partial(white_where_damaged, reader=self.reader))
        return self.source if isinstance(self.source, Path | Stored) else None

    @property
    def notes(self) -> dict[str, int]:
        """What is to be counted of the file: tiles that are missing or damaged, and shown white.

        ``image_tiles_missing`` are those of the full image, ``image_tiles_damaged`` those of all levels.
        """
        missing = 0 if self.pyramid is None else self.pyramid.missing
        damaged = self.pyramid.damaged() if isinstance(self.pyramid, WhiteWhereDamaged) else 0
        found = {"image_tiles_missing": missing, "image_tiles_damaged": damaged}
        return {note: number for note, number in found.items() if number}

    def pixels(self) -> NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 RGB pixels of the source, decoded anew at each call.

        Raises ``DataError`` when the file is damaged.
        """
        if self.pyramid is not None:
            with self.pyramid.reading() as read:
                as_stored = Regions(self.pyramid, read, um_per_px=1.0, common=1.0, mpp=1.0)
                path = self.source.path if isinstance(self.source, Stored) else self.source
                return as_stored.whole(str(path))
        if isinstance(self.source, Path):
            return decode(self.source, str(self.source))
        assert not isinstance(self.source, Stored)  # it has a pyramid
        found = self.source() if callable(self.source) else self.source
        if found.ndim != 3 or found.shape[2] != 3 or found.dtype != np.uint8:
            raise DataError(f"an image must be (H, W, 3) uint8, found {found.dtype} of shape {found.shape}")
        return found

    def input(self, xy_px: NDArray[np.float64]) -> InputImage:
        """Return what models are given: the pixels and the units' places, no path and no name.

        `xy_px` (n, 2) are x and y of the units in pixels of the source.
        """
        content, size = self._content
        return InputImage(content, xy_px, um_per_px=self.mpp, mpp=self.target_mpp, size=size, key=self._key)

    @cached_property
    def _content(self) -> tuple[Content, tuple[int, int]]:
        """Encoded bytes, pixels or what stands for the file, and the size; shared by all inputs."""
        source = self._opened
        if source is not None and self.pyramid is not None:
            full = self.pyramid.levels[0]
            return token_of(source, self.reader), (full.height, full.width)
        content = pixels_only(self.source) if isinstance(self.source, Path) else None
        if content is None:
            pixels = read_only(self.pixels().copy())
            return pixels, pixels.shape[:2]
        return content, size_of(self.source) if isinstance(self.source, Path) else (0, 0)
