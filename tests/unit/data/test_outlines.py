"""A window on the outlines of a slide: where units crowd, at most so large, as the segmentation gives it."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

from pytest_stbench.data.region import ACROSS, SIDE, outlines_of
from pytest_stbench.errors import DataError
from pytest_stbench.report.page.pictures import BLACK, GREY, MOST_BYTES, WHITE, outlined


class Squares:
    """A cell of 6 um around every unit; the names are those of units."""

    kind = "cell"

    def __init__(self, places, names):
        self.places, self.owners = places, names

    def labels(self, um_per_px, window):
        x0, y0, x1, y1 = window
        shape = round((y1 - y0) / um_per_px), round((x1 - x0) / um_per_px)
        found = np.zeros(shape, np.int32)
        for label, (x, y) in enumerate(self.places, 1):
            a, b = (max(0, round((x - x0 + d) / um_per_px)) for d in (-3, 3))
            c, d = (max(0, round((y - y0 + d) / um_per_px)) for d in (-3, 3))
            found[c:d, a:b] = label
        return found


def slide(places, names=None):
    names = np.array([f"u{n}" for n in range(len(places))]) if names is None else names
    return SimpleNamespace(xy_um=places, unit_names=names, segmentations={"cell": Squares(places, names)})


GRID = 10.0 * np.array([[x, y] for x in range(60) for y in range(50)])


def test_the_window_is_small_and_labels_name_their_cells():
    (found,) = outlines_of(slide(GRID))
    assert max(found.labels.shape) == SIDE
    assert found.um_per_px * SIDE == pytest.approx(ACROSS * 10)
    for label in (1, len(found.owners)):
        row, column = np.argwhere(found.labels == label).mean(axis=0) + 0.5
        x, y = found.corner_um + np.array([column, row]) * found.um_per_px
        unit = int(found.owners[label - 1][1:])
        inside = (found.labels == label).sum() * found.um_per_px**2 > 30  # not cut by the window
        assert not inside or np.abs(GRID[unit] - [x, y]).max() < 1


def test_a_narrow_slide_has_a_narrow_window():
    (found,) = outlines_of(slide(GRID[GRID[:, 0] < 50]))
    assert found.labels.shape == (SIDE, round(SIDE * 60 / 220))


@pytest.mark.parametrize("places", [GRID[:1], np.zeros((9, 2)), np.full((4, 2), np.nan)])
def test_without_an_extent_there_is_none(places):
    assert outlines_of(slide(places)) == []
    assert outlines_of(SimpleNamespace(xy_um=GRID, segmentations={})) == []


def test_the_picture_has_outlines_colours_of_counts_and_grey_for_strangers():
    given = slide(GRID)
    (found,) = outlines_of(given)
    values = np.arange(len(GRID), dtype=float)
    known = given.unit_names != found.owners[0]
    picture, bar = outlined(found, given.unit_names[known], values[known], GRID[known], "said")
    assert picture.size <= MOST_BYTES
    assert bar == "the bar is 50 um"
    image = PIL.Image.open(io.BytesIO(base64.b64decode(picture.address.partition(",")[2])))
    shades = set(np.unique(np.asarray(image)))
    assert {WHITE, GREY, BLACK} < shades
    assert len(shades) > 10


def test_outlines_that_cannot_be_read_are_said(monkeypatch):
    from pytest_stbench.run.quality import slide_views

    def broken(_):
        message = "boundaries.parquet: damaged"
        raise DataError(message)

    monkeypatch.setattr(slide_views, "outlines_of", broken)
    assert slide_views._outlines(slide(GRID)) == ([], "boundaries.parquet: damaged")
