"""Where an H&E image shows tissue: coloured, and in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SATURATION, MOST_SATURATION = 0.05, 0.12
"""Between these Otsu's threshold is taken: glass of a scanner is greyer, stained tissue is not as grey."""

SMOOTH_UM = 16.0
SMALLEST_UM2 = 10_000.0
"""Specks of dust are smaller than a spot of 112 um, and so are gaps that belong to the tissue."""

BLACK = 15
"""A pixel all of whose channels are below this was masked."""


def tissue_mask(pixels: NDArray[np.uint8], um_per_px: float) -> NDArray[np.bool_]:
    """Return where an image (h, w, 3) uint8 shows tissue, (h, w).

    Saturation is smoothed over 16 um and cut at Otsu's threshold; where an image is all tissue or all
    glass, at the nearest one that parts the two. Pieces and holes below 0.01 mm2 go.

    References
    ----------
    Otsu 1979, IEEE Trans Syst Man Cybern 9:62. Saturation: Lu et al. 2021, Nat Biomed Eng 5:555.
    """
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import label

    if not pixels.size:
        return np.zeros(pixels.shape[:2], np.bool_)
    highest = pixels.max(axis=2)
    spread = (highest - pixels.min(axis=2)).astype(np.float32)
    saturation = np.divide(spread, highest, out=np.zeros_like(spread), where=highest >= BLACK)
    smooth = gaussian(saturation, SMOOTH_UM / um_per_px, mode="nearest")  # type: ignore[no-untyped-call]
    cut = float(threshold_otsu(smooth)) if np.ptp(smooth) > 0 else MOST_SATURATION  # type: ignore[no-untyped-call]
    mask: NDArray[np.bool_] = np.asarray(smooth > np.clip(cut, LEAST_SATURATION, MOST_SATURATION))
    least = SMALLEST_UM2 / um_per_px**2
    for shown in (True, False):
        parts = label(mask == shown, connectivity=1)  # type: ignore[no-untyped-call]
        small = np.bincount(parts.ravel()) < least
        small[0] = False
        mask = mask ^ small[parts]
    return mask
