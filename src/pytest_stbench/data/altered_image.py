"""The image of a slide as it would look under another scanner, stain or orientation of patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.data.input_image import InputImage

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


class AlteredImage(InputImage):
    """An image whose pixels are altered when they are read; nothing is copied before that.

    Parameters
    ----------
    image
        The image as it is.
    pixels
        Alters (..., H, W, 3) uint8, the whole image or a batch of patches; None for nothing.
    patch
        Alters a batch of patches (n, P, P, 3) alone; None for nothing.
    scale
        Patches are cut as if a pixel were this times as large as it is: a wrong um per pixel.
    offset_um
        (n, 2): the places of the units are moved by this.
    """

    def __init__(
        self,
        image: InputImage,
        *,
        pixels: Callable[[Pixels], Pixels] | None = None,
        patch: Callable[[Pixels], Pixels] | None = None,
        scale: float = 1.0,
        offset_um: NDArray[np.float64] | None = None,
    ) -> None:
        vars(self).update({name: value for name, value in vars(image).items() if name != "xy_px"})
        self._alter = pixels
        self._patch = patch
        self._scale = scale
        if offset_um is not None:
            self._source_xy = self._source_xy + offset_um / self._um_per_px

    @property
    def identity(self) -> None:
        """Return None: what alters the pixels cannot be compared."""
        return

    @property
    def fingerprint(self) -> None:
        """Return None, as for :attr:`identity`."""
        return

    @property
    def array(self) -> Pixels:
        """The whole image, altered, (H, W, 3) uint8 RGB, read-only."""
        return self._altered(super().array)

    def thumbnail(self, max_size: int = 1024) -> Pixels:
        """Return the altered image made small, as :meth:`InputImage.thumbnail`."""
        return self._altered(super().thumbnail(max_size))

    def region(self, box: tuple[int, int, int, int], mpp: float | None = None) -> Pixels:
        """Return an altered rectangle, as :meth:`InputImage.region`."""
        found = super().region(box, mpp)
        return found if self._alter is None else self._alter(found)

    def patches(
        self, size: int = 224, mpp: float = 0.5, units: NDArray[np.intp] | slice | None = None
    ) -> Pixels:
        """Return one altered patch per unit, as :meth:`InputImage.patches`."""
        cut = super().patches(size=size, mpp=mpp * self._scale, units=units)
        for alter in (self._alter, self._patch):
            cut = cut if alter is None else alter(cut)
        return cut

    def _altered(self, whole: Pixels) -> Pixels:
        if self._alter is None:
            return whole
        altered = self._alter(whole)
        altered.setflags(write=False)
        return altered
