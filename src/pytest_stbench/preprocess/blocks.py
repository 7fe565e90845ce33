"""Cutting one slide into training and test blocks with a gap between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.errors import SplitError
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_BLOCK_UM = 500.0


def within_masks(
    xy_um: NDArray[np.float64], block_um: float, gap_um: float, test_share: float, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which units train and which test in a spatial block split of one slide.

    Square blocks are laid from the corner of the units' bounding box. Blocks are drawn in seeded
    order until they hold `test_share` of the units; units of other blocks that lie nearer than
    `gap_um` to a test unit are in neither part. The result does not depend on the order of the
    units.

    Parameters
    ----------
    xy_um
        Coordinates, (n, 2), in um.
    block_um
        Side of a block, at least 500 um: neighbouring units are near-copies.
    gap_um
        Distance that training units keep from test units, in um.
    test_share
        Share of units to test on, above 0 and below 1; met to within a block.
    seed
        Which blocks are drawn.

    Returns
    -------
    train, test
        (n,) bool each; no unit is in both.

    Raises
    ------
    SplitError
        Parameters outside their range, coordinates that are not finite, or a slide too small for
        units on both sides of a gap.
    """
    xy = np.asarray(xy_um, dtype=np.float64)
    _refuse(xy, block_um, gap_um, test_share)
    cell = np.floor((xy - xy.min(axis=0)) / block_um).astype(np.int64)
    blocks, block, size = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    block = block.ravel()
    extent = np.ptp(xy, axis=0)
    where = (
        f"units span {extent[0]:.0f} x {extent[1]:.0f} um, that is {len(blocks)} "
        f"block{'s' if len(blocks) > 1 else ''} of {block_um:g} um"
    )
    _require(len(blocks) > 1, f"{where}: a block split needs two or more; use a larger slide")
    order = stream(seed, "blocks").permutation(len(blocks))
    before = np.cumsum(size[order]) - size[order]
    drawn = order[(before < test_share * len(xy)) & (np.arange(len(order)) < len(order) - 1)]
    test = np.isin(block, drawn)
    distance, _ = cKDTree(xy[test]).query(xy[~test])
    train = ~test
    train[~test] = distance >= gap_um
    _require(
        bool(train.any()), f"{where}: the gap of {gap_um:g} um leaves no training unit; use a smaller gap"
    )
    return train, test


def _refuse(xy: NDArray[np.float64], block_um: float, gap_um: float, test_share: float) -> None:
    _require(
        block_um >= MIN_BLOCK_UM, f"blocks of {block_um:g} um are too small: use at least {MIN_BLOCK_UM:g} um"
    )
    _require(gap_um >= 0, f"the gap is {gap_um:g} um: use 0 or more")
    _require(0 < test_share < 1, f"the test share is {test_share:g}: use a value between 0 and 1")
    _require(len(xy) > 0 and bool(np.isfinite(xy).all()), "a block split needs units with finite coordinates")


def _require(condition: bool, message: str) -> None:  # noqa: FBT001  # the condition is the point of the function
    if not condition:
        raise SplitError(message)
