"""Where points of a slide stand in its image, learnt from the units of which both places are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_RESIDUAL = 0.1
"""Largest root mean square error of the fit, as a share of the width of a unit."""

ROUNDING_PX = 0.5
"""Error of coordinates that were rounded to whole pixels, which is never held against a fit."""


def to_pixels(
    points_um: NDArray[np.float64],
    xy_um: NDArray[np.float64],
    xy_px: NDArray[np.float64],
    width_um: float,
    what: str,
) -> NDArray[np.float64]:
    """Return pixel coordinates of `points_um` (n, 2) by the affine map that best fits known pairs.

    Parameters
    ----------
    points_um
        Places to convert, in um.
    xy_um, xy_px
        The same units, (m, 2) each, in um and in pixels; rows with a nan are not used.
    width_um
        Width of a unit that is formed; the fit must be right to a tenth of it.
    what
        What messages call the slide.

    Raises
    ------
    DataError
        If fewer than three units off one line are known, or the relation is not affine.
    """
    known = np.isfinite(xy_um).all(axis=1) & np.isfinite(xy_px).all(axis=1)
    source, target = xy_um[known], xy_px[known]
    centre = source.mean(axis=0) if len(source) else np.zeros(2)
    spread = np.linalg.svd(source - centre, compute_uv=False) if len(source) > 2 else np.zeros(2)
    if spread[1] <= 1e-6 * spread[0]:
        raise DataError(
            f"{what}: the image cannot be joined to the coordinates in um: that takes three units off one "
            f"line, and {len(source)} have both; leave out `image`, or complete the coordinates"
        )
    design = np.column_stack([source - centre, np.ones(len(source))])
    fit = np.linalg.lstsq(design, target, rcond=None)[0]
    residual = float(np.sqrt(((design @ fit - target) ** 2).sum(axis=1).mean()))
    px_per_um = float(np.sqrt(abs(np.linalg.det(fit[:2]))))
    allowed = max(MAX_RESIDUAL * width_um * px_per_um, ROUNDING_PX)
    if not residual <= allowed:
        raise DataError(
            f"{what}: coordinates in the image are no scaled, turned or sheared coordinates in um: the best "
            f"fit is off by {residual:.3g} px, and at most {allowed:.3g} px are allowed for units of "
            f"{width_um:g} um; check image.spatial and scale, or leave out `image`"
        )
    found: NDArray[np.float64] = np.column_stack([points_um - centre, np.ones(len(points_um))]) @ fit
    return found
