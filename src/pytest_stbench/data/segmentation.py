"""Outlines of nuclei or cells on a slide, as whoever segmented it gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class Segmentation(Protocol):
    """One set of outlines; nothing is read before it is asked for."""

    @property
    def kind(self) -> Literal["cell", "nucleus"]:
        """What was outlined."""
        ...

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances, each once: the first is that of label 1."""
        ...

    @property
    def owners(self) -> NDArray[np.str_]:
        """Name of the cell that each instance is or lies in, empty for none; nuclei may share one."""
        ...

    @property
    def notes(self) -> Mapping[str, int]:
        """What was counted so far: instances by plane, then what was mended or left out."""
        ...

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image (H, W) of a window (x0, y0, x1, y1) in um; 0 is background.

        A pixel belongs to the instance that covers its centre.
        """
        ...
