from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.tissue_area import tissue_area

pytestmark = pytest.mark.filterwarnings("error")


def lattice(rows, columns, step, row_step, shift):
    return np.array([(x * step + shift * (y % 2), y * row_step) for y in range(rows) for x in range(columns)])


@pytest.mark.parametrize(
    ("xy", "cell"),
    [
        (lattice(12, 9, 100.0, 100.0, 0.0), 100.0**2),
        (lattice(12, 9, 100.0, 86.60254, 50.0), 100.0 * 86.60254),
        (lattice(12, 9, 200.0, 200.0, 0.0) + 1e6, 200.0**2),
    ],
)
def test_units_of_a_lattice_have_the_area_of_its_cells(xy, cell):
    assert tissue_area(xy) == pytest.approx(len(xy) * cell, rel=1e-4)
    rng = np.random.default_rng(0)
    # Holes and outlines change the number of units, not their size.
    kept = xy[np.hypot(*(xy - xy.mean(axis=0)).T) > 2 * np.sqrt(cell)]
    assert len(kept) < len(xy)
    assert tissue_area(kept) == pytest.approx(len(kept) * cell, rel=1e-4)
    assert tissue_area(xy[rng.permutation(len(xy))]) == pytest.approx(tissue_area(xy), rel=1e-6)
    assert tissue_area(2 * xy) == pytest.approx(4 * tissue_area(xy), rel=1e-6)


def test_scattered_cells_cover_about_what_they_lie_in():
    xy = np.random.default_rng(0).uniform(0, 1000, (4000, 2))
    assert tissue_area(xy) == pytest.approx(1e6, rel=0.12)


def test_places_count_once_and_only_where_they_are_known():
    xy = lattice(6, 6, 1.0, 1.0, 0.0)
    assert tissue_area(np.vstack([xy, xy[:5], [[np.nan, 0.0]]])) == pytest.approx(36)


@pytest.mark.parametrize(
    "xy",
    [
        np.zeros((0, 2)),
        np.zeros((9, 2)),
        [[0, 0], [1, 0], [0, 1]],
        [[x, 0] for x in range(9)],
        [[x, 2 * x] for x in range(9)],
        [[0, 0], [1, 0], [0, 1], [1, 1]],
    ],
)
def test_units_with_nothing_inside_have_no_area(xy):
    assert np.isnan(tissue_area(np.asarray(xy, dtype=float)))
