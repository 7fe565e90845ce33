from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.kernels.pixels import cell_pixels
from pytest_stbench.preprocess.statistics import unit_pixels

pytestmark = pytest.mark.filterwarnings("error")

ROW, COLUMN = np.divmod(np.arange(63), 7)
EXPECTED = np.column_stack([ROW, COLUMN])
INDEX = np.column_stack([ROW, 2 * COLUMN + ROW % 2])
HEXAGONS = np.column_stack([INDEX[:, 1] * 50.0, ROW * 100 * np.sqrt(0.75)])


@pytest.fixture
def slide(make_slide):
    return make_slide(np.ones((63, 2), int), side=7)


def known_as(slide, *, xy=None, index=None, **meta):
    slide = replace(slide, meta=replace(slide.meta, **meta), array_index=index)
    return slide if xy is None else replace(slide, xy_um=xy)


def test_visium_by_index_and_by_coordinates(slide):
    for technology in ("Visium", "visium"):
        named = {"technology": technology, "pitch_um": None}
        assert (unit_pixels(known_as(slide, xy=HEXAGONS, **named)) == EXPECTED).all()
        wrong = known_as(slide, xy=HEXAGONS[::-1], index=INDEX, **named)
        assert (unit_pixels(wrong) == EXPECTED).all()


def test_the_declared_pitch_is_the_step(slide):
    named = {"technology": "Visium", "pitch_um": 110.0}
    assert (unit_pixels(known_as(slide, xy=1.1 * HEXAGONS, **named)) == EXPECTED).all()


def test_square_lattices(slide):
    assert (unit_pixels(known_as(slide, technology="ST")) == EXPECTED).all()
    assert (unit_pixels(known_as(slide, technology="ST", index=EXPECTED)) == EXPECTED).all()


@pytest.mark.parametrize("pitch", [200.0, None])
def test_a_technology_that_is_not_known(slide, pitch):
    named = {"technology": "own", "pitch_um": pitch}
    assert (unit_pixels(known_as(slide, **named)) == EXPECTED).all()
    assert (unit_pixels(known_as(slide, index=EXPECTED, **named)) == EXPECTED).all()
    assert (unit_pixels(known_as(slide, index=INDEX, **named)) == EXPECTED).all()


def test_cells_fall_into_squares_whatever_else_is_known(slide):
    xy = np.random.default_rng(0).uniform(0, 900, (63, 2))
    cells = known_as(slide, xy=xy, resolution="cell", technology="Xenium", index=INDEX)
    assert (unit_pixels(cells) == cell_pixels(xy)).all()


def test_one_place_and_no_units(slide):
    alone = known_as(slide, xy=np.zeros((63, 2)), technology=None, pitch_um=None)
    assert (unit_pixels(alone) == 0).all()
    nothing = slide.select(np.zeros(63, bool))
    assert unit_pixels(nothing).shape == (0, 2)
    assert unit_pixels(replace(nothing, array_index=INDEX[:0])).shape == (0, 2)
