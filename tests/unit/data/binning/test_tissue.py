from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.data.binning.tissue import PIXEL_UM, raster_over, tissue_of, tissue_share
from pytest_stbench.kernels.lattice import centres, cover, units_at

SIDE = {"visium": None, "tiled": None, "square": 33.0}


def raster_and_middles(width=600.0, height=400.0, corner=(-50.0, 20.0)):
    raster = raster_over(corner, (corner[0] + width - 1e-6, corner[1] + height - 1e-6))
    return raster, centres(raster, np.arange(raster.n_units)) - np.array(corner)


def mask_of(tissue):
    return np.diff(np.diff(tissue.summed, axis=0), axis=1).astype(bool)


def share_by_points(tissue, raster, lattice, n=120):
    """The share of a fine grid of points of each unit that are in a pixel of tissue."""
    mask = mask_of(tissue).ravel()
    reach = max(lattice.width_um, lattice.row_step_um * 4 / 3) / 2
    offset = (np.arange(n) + 0.5) / n * 2 * reach - reach
    shares = []
    for unit, (x, y) in enumerate(centres(lattice, np.arange(lattice.n_units))):
        px, py = (axis.ravel() for axis in np.meshgrid(x + offset, y + offset))
        mine = units_at(lattice, px, py) == unit
        at = units_at(raster, px[mine], py[mine])
        shares.append((mask[at] & (at >= 0)).mean())
    return np.array(shares)


@pytest.mark.parametrize("geometry", list(SIDE))
def test_share_is_that_of_many_points(geometry):
    raster, middle = raster_and_middles()
    disc = ((middle - np.array([260.0, 190.0])) ** 2).sum(axis=1) < 150.0**2
    tissue = tissue_of(raster, disc, 20.0)
    lattice = cover(geometry, (0.0, 0.0), (500.0, 350.0), side_um=SIDE[geometry], origin_um=(3.3, -7.1))
    share = tissue_share(tissue, lattice, np.arange(lattice.n_units))
    assert share == pytest.approx(share_by_points(tissue, raster, lattice), abs=0.02)
    assert share.max() == 1.0
    assert share.min() == 0.0
    assert ((share > 0.1) & (share < 0.9)).any()


def test_half_a_plane_and_corners_are_exact():
    raster, middle = raster_and_middles(corner=(0.0, 0.0))
    tissue = tissue_of(raster, middle[:, 0] < 300, 20.0)
    for geometry, side in SIDE.items():
        lattice = cover(geometry, (300.0, 200.0), (301.0, 201.0), side_um=side)
        share = tissue_share(tissue, lattice, np.array([0]))
        assert share[0] == pytest.approx(0.0 if geometry == "square" else 0.5, abs=1e-9)
    across = cover("square", (292.5, 392.5), (293.0, 393.0), side_um=10.0)
    # three quarters of the width and of the height are inside
    assert tissue_share(tissue, across, np.array([0]))[0] == pytest.approx(0.75 * 0.75)


def test_gaps_are_bridged_and_small_holes_filled_and_large_ones_stay():
    raster, middle = raster_and_middles(corner=(0.0, 0.0))
    x, y = middle.T
    gap = (x > 100) & (x < 130)
    small = (abs(x - 300) < 40) & (abs(y - 100) < 40)
    large = (abs(x - 450) < 90) & (abs(y - 200) < 90)
    mask = mask_of(tissue_of(raster, ~(gap | small | large), 20.0)).ravel()
    assert mask[gap & (y > 20) & (y < 380)].all()
    assert mask[small].all()
    assert not mask[(abs(x - 450) < 60) & (abs(y - 200) < 60)].any()


def test_a_notch_at_the_edge_is_no_hole():
    raster, middle = raster_and_middles(corner=(0.0, 0.0))
    notch = (middle[:, 0] > 550) & (abs(middle[:, 1] - 200) < 45)
    assert not mask_of(tissue_of(raster, ~notch, 10.0)).ravel()[notch].all()


def test_one_pixel():
    raster = raster_over((5.0, 5.0), (5.0, 5.0))
    tissue = tissue_of(raster, np.ones(1, bool), 20.0)
    lattice = cover("square", (5.0, 5.0), (5.0, 5.0), side_um=20.0)
    assert tissue_share(tissue, lattice, np.array([0]))[0] == pytest.approx(PIXEL_UM**2 / 20.0**2)
