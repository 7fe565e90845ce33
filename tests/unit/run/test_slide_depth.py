from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.run.provenance.slide_depth import area_mm2, depth_of, libsize_map


def slide_of(counts, xy, *, measured=None, **measures):
    counts = np.asarray(counts)
    return Slide(
        meta=SlideMeta(slide_id="s"),
        unit_names=np.array([f"u{i}" for i in range(len(counts))], dtype=np.str_),
        genes=np.array([f"g{i}" for i in range(counts.shape[1])]),
        measured=np.ones(counts.shape[1], bool) if measured is None else np.array(measured),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(float),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=np.asarray(xy, float).reshape(-1, 2),
        measures={name: np.asarray(values, float) for name, values in measures.items()},
    )


def test_depth_by_hand():
    found = depth_of(slide_of([[1, 0], [2, 3], [0, 4]], [[0, 0], [1, 1], [2, 2]], cells=[1, np.nan, 5]))

    assert found["units"] == 3
    assert found["libsize_median"] == 4
    assert found["libsize_q05"] == pytest.approx(np.quantile([1, 5, 4], 0.05))
    assert found["genes_median"] == 1
    assert found["zero_share"] == pytest.approx(2 / 6)
    assert found["cells_median"] == 3


def test_genes_that_were_not_measured_are_no_zeros():
    found = depth_of(slide_of([[1, 0], [2, 0]], [[0, 0], [1, 1]], measured=[True, False]))
    assert found["zero_share"] == 0


def test_a_slide_without_units_has_no_depth():
    found = depth_of(slide_of(np.zeros((0, 2), int), np.zeros((0, 2))))
    assert found["units"] == 0
    assert found["libsize_median"] is None
    assert found["zero_share"] is None


def test_the_map_conserves_counts_and_stands_on_multiples_of_its_step():
    rng = np.random.default_rng(0)
    slide = slide_of(rng.poisson(3, (500, 4)), rng.uniform(-2500, 4100, (500, 2)))

    found = libsize_map(slide)

    assert found["step_um"] == 300
    assert found["x_um"] % 300 == 0
    assert found["x_um"] <= slide.xy_um[:, 0].min()
    assert np.sum(found["counts"]) == slide.libsize.sum()
    assert max(np.shape(found["counts"])) <= 33


def test_maps_of_two_resolutions_of_one_sample_lie_on_each_other():
    xy = np.array([[10.0, 10.0], [950.0, 420.0]])
    cells = libsize_map(slide_of([[1], [2]], xy))
    spots = libsize_map(slide_of([[1], [2]], xy + 20))
    assert {key: cells[key] for key in ("x_um", "y_um", "step_um")} == {"x_um": 0, "y_um": 0, "step_um": 100}
    assert cells == spots
    assert cells["counts"][4][9] == 2


def test_units_without_a_place_are_left_out():
    slide = slide_of([[1], [2]], [[0, 0], [np.nan, 0]])
    assert np.sum(libsize_map(slide)["counts"]) == 1
    assert libsize_map(replace(slide, xy_um=np.full((2, 2), np.nan))) is None


@pytest.mark.parametrize(
    ("meta", "area"),
    [
        ({"technology": "Visium", "resolution": "spot"}, 4 * 0.01 * math.sqrt(0.75)),
        ({"technology": "ST", "resolution": "spot"}, 4 * 0.04),
        ({"technology": "Visium HD", "resolution": "bin", "pitch_um": 8.0}, 4 * 64e-6),
        ({"technology": "Xenium", "resolution": "cell"}, 3 * 0.0025),
    ],
)
def test_area_is_that_of_the_lattice_or_of_occupied_squares(meta, area):
    places = np.array([[0.0, 0.0], [10.0, 10.0], [60.0, 0.0], [0.0, 60.0], [np.nan, 0.0]])
    slide = SimpleNamespace(xy_um=places, meta=SlideMeta(slide_id="a", **meta))
    assert area_mm2(slide) == pytest.approx(area)


def test_no_place_has_no_area():
    slide = SimpleNamespace(xy_um=np.full((3, 2), np.nan), meta=SlideMeta(slide_id="a"))
    assert area_mm2(slide) is None
