"""H&E images: of a slide, opened when they are needed, and as models are given them.

Pixel coordinates are continuous: pixel i covers [i, i + 1), so that a patch of N pixels around x
is ``image[x - N/2 : x + N/2]``. Resampling to another resolution scales them about the origin.
"""

from __future__ import annotations

import copy
import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from pytest_stbench.data.encoded import RecentArrays, decode, pixels_only, size_of
from pytest_stbench.errors import DataError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Self

    from numpy.typing import NDArray

_WHITE = 255
_SAME = 1e-9
_PIXEL_BUDGET = 512 * 2**20


_PIXELS = RecentArrays(_PIXEL_BUDGET)
"""Decoded images of the whole process: many slides must not all stay decoded."""


class _Key:
    """Stands for the pixels of one image in all its inputs; knows their digest once it was asked for."""

    digest: str = ""


@dataclass(frozen=True, eq=False)
class Image:
    """The image of a slide; nothing is decoded before it is asked for.

    Parameters
    ----------
    source
        An image file, or (H, W, 3) uint8 pixels, or a function without arguments that makes them.
    mpp
        Micrometres per pixel of the source.
    target_mpp
        Common um per pixel to which models get the image resampled, so that slides that were
        scanned at different resolutions look alike; None for as it is.
    """

    source: Path | NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]
    mpp: float = field(kw_only=True)
    target_mpp: float | None = field(default=None, kw_only=True)
    _key: _Key = field(default_factory=_Key, kw_only=True, repr=False)

    @classmethod
    def from_array(cls, pixels: NDArray[np.uint8], *, mpp: float) -> Image:
        """Return the image of (H, W, 3) uint8 `pixels` of `mpp` um each."""
        return cls(pixels, mpp=mpp)

    @property
    def path(self) -> Path | None:
        """The image file, or None for an image that was made in memory."""
        return self.source if isinstance(self.source, Path) else None

    def check(self) -> None:
        """Look at the header of the file; raises ``DataError`` when it is no usable image."""
        if isinstance(self.source, Path):
            size_of(self.source)

    def pixels(self) -> NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 RGB pixels of the source, decoded anew at each call.

        Raises ``DataError`` when the file is damaged.
        """
        if isinstance(self.source, Path):
            return decode(self.source, str(self.source))
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
    def _content(self) -> tuple[bytes | NDArray[np.uint8], tuple[int, int]]:
        """Encoded bytes, or pixels where there are none, and the size; shared by all inputs."""
        content = pixels_only(self.source) if isinstance(self.source, Path) else None
        if content is None:
            pixels = _read_only(self.pixels().copy())
            return pixels, pixels.shape[:2]
        return content, size_of(self.source) if isinstance(self.source, Path) else (0, 0)


class InputImage:
    """The image of a slide as a model sees it, with the places of the units.

    It can be pickled and holds encoded or decoded pixels, never a path. Arrays it hands out are
    read-only or the caller's own.
    """

    def __init__(
        self,
        content: bytes | NDArray[np.uint8],
        xy_px: NDArray[np.float64],
        *,
        um_per_px: float,
        mpp: float | None = None,
        size: tuple[int, int] | None = None,
        key: _Key | None = None,
    ) -> None:
        self._content = content
        self._um_per_px = um_per_px
        self._mpp = um_per_px if mpp is None else mpp
        self._source_xy = np.array(xy_px, dtype=np.float64)
        self._size = (
            (content.shape[0], content.shape[1]) if isinstance(content, np.ndarray) else size or (0, 0)
        )
        self._key = _Key() if key is None else key

    @property
    def mpp(self) -> float:
        """Micrometres per pixel of :attr:`array`."""
        return self._mpp

    @property
    def identity(self) -> Hashable | None:
        """What two inputs of the same pixels and places have in common; None where that is not known."""
        places = hashlib.blake2b(self._source_xy.tobytes(), digest_size=16).digest()
        return self._key, self._um_per_px, self._mpp, places

    @property
    def fingerprint(self) -> str | None:
        """Digest of pixels, resolution and places, the same in every process; None where it is not known."""
        if not self._key.digest:
            held = self._content
            pixels = held if isinstance(held, bytes) else np.ascontiguousarray(held)
            self._key.digest = hashlib.sha256(pixels).hexdigest()
        state = hashlib.sha256(repr((self._key.digest, self._um_per_px, self._mpp, self._size)).encode())
        state.update(self._source_xy.tobytes())
        return state.hexdigest()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of :attr:`array`, known without decoding."""
        height, width = resampled_size(self._size, self._mpp / self._um_per_px)
        return height, width, 3

    @cached_property
    def xy_px(self) -> NDArray[np.float64]:
        """Places of the units (x, y) in pixels of :attr:`array`, (n, 2), read-only."""
        return _read_only(self._source_xy * (self._um_per_px / self._mpp))

    @property
    def array(self) -> NDArray[np.uint8]:
        """The whole image, (H, W, 3) uint8 RGB at :attr:`mpp`, read-only; decoded when first asked for."""
        return self._at(self._mpp)

    def patches(
        self, size: int = 224, mpp: float = 0.5, units: NDArray[np.intp] | slice | None = None
    ) -> NDArray[np.uint8]:
        """Return one patch per unit, (n, size, size, 3) uint8 RGB, centred on the unit.

        The image is resampled to `mpp` (area-weighted linear filter) and the patch is cut at
        whole pixels of that resolution, so its centre lies within half a pixel of the unit.
        Where `mpp` is finer than the image, it is interpolated and shows no more detail. What
        lies outside of the image is white, as is the patch of a unit without finite coordinates.

        Parameters
        ----------
        size
            Side in pixels.
        mpp
            Micrometres per pixel of the patches.
        units
            Which units, as indices or a slice, to go through a slide in parts; all by default.

        Raises
        ------
        ModelError
            `size` is not a positive whole number, or `mpp` not a positive number.
        """
        if size != int(size) or size < 1 or not (math.isfinite(mpp) and mpp > 0):
            raise ModelError(
                f"patches(size={size!r}, mpp={mpp!r}): size is a number of pixels, mpp um per pixel, both > 0"
            )
        # A source coarser than the common resolution holds all there is to see.
        coarse = self._um_per_px >= self._mpp
        base_mpp = self._um_per_px if coarse else self._mpp
        base = self._at(base_mpp)
        ratio = mpp / base_mpp
        xy = self._source_xy * (self._um_per_px / mpp)
        xy = xy if units is None else xy[units]
        height, width = resampled_size(base.shape[:2], ratio)
        outside = -2.0 * size
        placed = np.isfinite(xy).all(axis=1, keepdims=True)
        start = np.floor(np.where(placed, xy, outside) - size / 2 + 0.5)
        corners = np.clip(start, -size, [width, height]).astype(np.intp)
        if ratio < 1 - _SAME:
            return _enlarged(base, corners, int(size), ratio, (height, width))
        return _cut(self._level(base, ratio, mpp), corners, int(size))

    def in_order(self, rows: NDArray[np.intp]) -> Self:
        """Return the same image with the units `rows` (indices), in that order."""
        twin = copy.copy(self)
        vars(twin).update(_source_xy=self._source_xy[rows], _key=self._key)  # a copy has a key of its own
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("xy_px", "_key")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _key=_Key())

    def _at(self, mpp: float) -> NDArray[np.uint8]:
        """Return the whole image at the resolution of the source or the common one."""
        if isinstance(self._content, np.ndarray):
            source = _read_only(self._content)
        else:
            content = self._content
            source = _PIXELS.get((self._key, None), lambda: decode(content, "image of a slide"))
        return self._level(source, mpp / self._um_per_px, mpp)

    def _level(self, base: NDArray[np.uint8], ratio: float, mpp: float) -> NDArray[np.uint8]:
        if abs(ratio - 1) <= _SAME:
            return base
        return _PIXELS.get((self._key, mpp), lambda: resample(base, ratio))


def resampled_size(size: tuple[int, ...], ratio: float) -> tuple[int, int]:
    """Return (height, width) of an image whose pixels become `ratio` times as large.

    Whole pixels only: less than one pixel is left out at the right and lower edge.
    """
    height, width = (max(1, math.floor(length / ratio + 1e-6)) for length in size)
    return height, width


def resample(pixels: NDArray[np.uint8], ratio: float) -> NDArray[np.uint8]:
    """Return (H, W, 3) `pixels` resampled so that one pixel covers `ratio` of the old ones.

    Linear filter, weighted over the covered area when it becomes coarser. Pixel i of the result
    covers [i * ratio, (i + 1) * ratio) of the old.
    """
    if abs(ratio - 1) <= _SAME:
        return pixels
    height, width = resampled_size(pixels.shape[:2], ratio)
    box = (0.0, 0.0, min(width * ratio, pixels.shape[1]), min(height * ratio, pixels.shape[0]))
    resized = PIL.Image.fromarray(pixels).resize((width, height), PIL.Image.Resampling.BILINEAR, box=box)
    return np.array(resized)


def _cut(pixels: NDArray[np.uint8], corners: NDArray[np.intp], size: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    patches = np.full((len(corners), size, size, 3), _WHITE, dtype=np.uint8)
    for patch, (x, y) in zip(patches, corners.tolist(), strict=True):
        left, right, top, bottom = max(x, 0), min(x + size, width), max(y, 0), min(y + size, height)
        if left < right and top < bottom:
            patch[top - y : bottom - y, left - x : right - x] = pixels[top:bottom, left:right]
    return patches


def _enlarged(
    pixels: NDArray[np.uint8], corners: NDArray[np.intp], size: int, ratio: float, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    source = PIL.Image.fromarray(pixels)
    patches = np.full((len(corners), size, size, 3), _WHITE, dtype=np.uint8)
    for patch, (x, y) in zip(patches, corners.tolist(), strict=True):
        left, right, top, bottom = max(x, 0), min(x + size, shape[1]), max(y, 0), min(y + size, shape[0])
        if left < right and top < bottom:
            box = (
                left * ratio,
                top * ratio,
                min(right * ratio, pixels.shape[1]),
                min(bottom * ratio, pixels.shape[0]),
            )
            part = source.resize((right - left, bottom - top), PIL.Image.Resampling.BILINEAR, box=box)
            patch[top - y : bottom - y, left - x : right - x] = np.asarray(part)
    return patches


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view
