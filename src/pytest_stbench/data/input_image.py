"""The H&E image of a slide as models are given it: pixels and places, no path and no name."""

from __future__ import annotations

import copy
import hashlib
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.encoded import RecentArrays, decode
from pytest_stbench.data.images.ahead import each_ahead
from pytest_stbench.data.images.asked import box_of, refuse_count, refuse_size
from pytest_stbench.data.images.patches import corners_of, cut_patches, tile_order
from pytest_stbench.data.images.regions import SAME, WHITE, Regions, refuse_whole, resampled_size
from pytest_stbench.data.images.tokens import NAME, Token
from pytest_stbench.data.images.whole import decode_coarser, parts_of_whole, patches_of_whole, resample

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from typing import Self

    from numpy.typing import NDArray

    Content = bytes | NDArray[np.uint8] | Token

_PIXEL_BUDGET = 512 * 2**20

_PIXELS = RecentArrays(_PIXEL_BUDGET)
"""Decoded images of the whole process: many slides must not all stay decoded."""


class PixelsKey:
    """Stands for the pixels of one image in all its inputs; knows their digest once it was asked for."""

    digest: str = ""


class InputImage:
    """The image of a slide as a model sees it, with the places of the units.

    It can be pickled and holds encoded or decoded pixels, or a token that leads to them in this run alone,
    never a path. Arrays it hands out are read-only or the caller's own.
    """

    def __init__(
        self,
        content: Content,
        xy_px: NDArray[np.float64],
        *,
        um_per_px: float,
        mpp: float | None = None,
        size: tuple[int, int] | None = None,
        key: PixelsKey | None = None,
    ) -> None:
        self._content = content
        self._um_per_px = um_per_px
        self._mpp = um_per_px if mpp is None else mpp
        self._source_xy = np.array(xy_px, dtype=np.float64)
        self._size = (
            (content.shape[0], content.shape[1]) if isinstance(content, np.ndarray) else size or (0, 0)
        )
        self._key = PixelsKey() if key is None else key

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
            self._key.digest = _digest_of(self._content)
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
        return read_only(self._source_xy * (self._um_per_px / self._mpp))

    @property
    def in_parts(self) -> bool:
        """Whether what is asked for is read from the file alone, and not the whole image."""
        return isinstance(self._content, Token)

    @property
    def array(self) -> NDArray[np.uint8]:
        """The whole image, (H, W, 3) uint8 RGB at :attr:`mpp`, read-only; decoded when first asked for.

        Raises ``DataError`` where it takes more than 1 GiB and does not lie in memory.
        """
        if not isinstance(self._content, np.ndarray):
            refuse_whole(self.shape[:2], NAME)
        return self._at(self._mpp)

    def thumbnail(self, max_size: int = 1024) -> NDArray[np.uint8]:
        """Return the whole image with at most `max_size` pixels a side, (H, W, 3) uint8 RGB, read-only.

        Its um per pixel are :attr:`mpp`, times ``max(shape) / max_size`` where the image is larger.

        Raises
        ------
        ModelError
            `max_size` is not a positive whole number.
        """
        refuse_count("thumbnail", "max_size", max_size)
        return self._shrunk(self._mpp * max(1.0, max(self.shape) / int(max_size)))

    def region(self, box: tuple[int, int, int, int], mpp: float | None = None) -> NDArray[np.uint8]:
        """Return a rectangle, (height, width, 3) uint8 RGB; what lies outside of the image is white.

        Parameters
        ----------
        box
            First column and row, width and height, in pixels of `mpp`.
        mpp
            Micrometres per pixel; by default :attr:`mpp`.

        Raises
        ------
        ModelError
            Width or height is not a positive whole number, or `mpp` not a positive number.
        """
        own = self._mpp if mpp is None else mpp
        left, top, width, height = box_of(box, own)
        refuse_whole((height, width), NAME)
        if isinstance(self._content, Token):
            found = np.full((height, width, 3), WHITE, dtype=np.uint8)
            with self._regions(own) as regions:
                regions.fill(found, left, top)
            return found
        base, ratio = self._at(self._base_mpp), own / self._base_mpp
        corner = np.array([[left, top]], dtype=np.intp)
        parts = parts_of_whole(base, corner, (height, width), ratio, lambda: self._level(base, ratio, own))
        return parts.reshape(height, width, 3)

    def patches(
        self, size: int = 224, mpp: float = 0.5, units: NDArray[np.intp] | slice | None = None
    ) -> NDArray[np.uint8]:
        """Return one patch per unit, (n, size, size, 3) uint8 RGB, centred on the unit.

        The image is resampled to `mpp` (area-weighted linear filter, of a pyramid its nearest finer level)
        and the patch is cut at whole pixels of that resolution, so its centre lies within half a pixel of
        the unit. Where `mpp` is finer than the image, it is interpolated and shows no more detail. What
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
        refuse_size(size, mpp)
        xy = self._source_xy * (self._um_per_px / mpp)
        xy = xy if units is None else xy[units]
        if isinstance(self._content, Token):
            with self._regions(mpp) as regions:
                return cut_patches(regions, corners_of(xy, int(size), regions.size), int(size))
        base_mpp = self._base_mpp
        base = self._at(base_mpp)
        ratio = mpp / base_mpp
        return patches_of_whole(base, xy, int(size), ratio, lambda: self._level(base, ratio, mpp))

    def batches(
        self, size: int = 224, mpp: float = 0.5, batch: int = 256
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
        """Yield indices of units and their patches, `batch` at a time; every unit once.

        Units come in the order in which a file in tiles is read once; the next batch is read while the
        caller works on this one, so that two are in memory.

        Parameters
        ----------
        size, mpp
            As in :meth:`patches`.
        batch
            Number of patches, of the last batch at most.

        Raises
        ------
        ModelError
            `size` or `batch` is not a positive whole number, or `mpp` not a positive number.
        """
        refuse_size(size, mpp)
        refuse_count("batches", "batch", batch)
        order = np.arange(len(self._source_xy), dtype=np.intp)
        if isinstance(self._content, Token):
            with self._regions(mpp) as regions:
                xy = self._source_xy * (self._um_per_px / mpp)
                corners = corners_of(xy, int(size), regions.size)
                order = tile_order(corners, int(size), regions.tile, regions.tile_bytes)
        parts = [order[start : start + int(batch)] for start in range(0, len(order), int(batch))]
        return each_ahead(lambda units: self.patches(size=size, mpp=mpp, units=units), parts)

    def in_order(self, rows: NDArray[np.intp]) -> Self:
        """Return the same image with the units `rows` (indices), in that order."""
        twin = copy.copy(self)
        vars(twin).update(_source_xy=self._source_xy[rows], _key=self._key)  # a copy has a key of its own
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("xy_px", "_key")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _key=PixelsKey())

    @property
    def _base_mpp(self) -> float:
        # A source coarser than the common resolution holds all there is to see.
        return max(self._um_per_px, self._mpp)

    @contextmanager
    def _regions(self, mpp: float) -> Iterator[Regions]:
        """Open the image as one of `mpp` um per pixel."""
        assert isinstance(self._content, Token)  # the caller looked
        pyramid = self._content.pyramid()
        with pyramid.reading() as read:
            yield Regions(pyramid, read, um_per_px=self._um_per_px, common=self._base_mpp, mpp=mpp)

    def _shrunk(self, mpp: float) -> NDArray[np.uint8]:
        """Return the whole image at `mpp`, the common resolution or a coarser one."""
        if isinstance(self._content, Token):
            return self._whole_of(self._content, mpp)
        base = self._at(self._base_mpp)
        return self._level(base, mpp / self._base_mpp, mpp)

    def _at(self, mpp: float) -> NDArray[np.uint8]:
        """Return the whole image at the resolution of the source or the common one."""
        if isinstance(self._content, Token):
            return self._whole_of(self._content, mpp)
        ratio, content = mpp / self._um_per_px, self._content
        if isinstance(content, np.ndarray):
            return self._level(read_only(content), ratio, mpp)
        if ratio > 1 + SAME:  # nothing finer is shown of it, so that the source is not asked for again
            return _PIXELS.get((self._key, mpp), lambda: decode_coarser(content, NAME, ratio))
        source = _PIXELS.get((self._key, None), lambda: decode(content, NAME))
        return self._level(source, ratio, mpp)

    def _whole_of(self, content: Token, mpp: float) -> NDArray[np.uint8]:
        content.pyramid()  # pixels that are kept are those of the file as it was
        return _PIXELS.get((self._key, mpp), lambda: self._read_whole(mpp))

    def _read_whole(self, mpp: float) -> NDArray[np.uint8]:
        with self._regions(mpp) as regions:
            return regions.whole(NAME)

    def _level(self, base: NDArray[np.uint8], ratio: float, mpp: float) -> NDArray[np.uint8]:
        if abs(ratio - 1) <= SAME:
            return base
        return _PIXELS.get((self._key, mpp), lambda: resample(base, ratio))


def _digest_of(content: Content) -> str:
    """Return a digest of encoded bytes, pixels, or the file that a token stands for."""
    if isinstance(content, Token):
        return content.digest()
    return hashlib.sha256(
        content if isinstance(content, bytes) else np.ascontiguousarray(content)
    ).hexdigest()


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to."""
    view = array.view()
    view.setflags(write=False)
    return view
