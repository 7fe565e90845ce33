from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.checks import xisium_geometry
from pytest_stbench.spec.model import BinSpec


def hexagonal(n=12, pitch=100.0):
    row, column = np.divmod(np.arange(n * n), n)
    return np.column_stack([(column + row % 2 / 2) * pitch, row * pitch * np.sqrt(0.75)])


def spots(make_slide, spoil, xy, *, measures=None, counts=None, name="S1", **meta):
    counts = np.full((len(xy), 5), 10) if counts is None else counts
    slide = make_slide(name, counts=counts, xy=xy, resolution="xisium", **meta)
    return spoil(slide, measures=measures or {})


@pytest.mark.parametrize("pitch", [100.0, 55.0])
def test_a_hexagonal_lattice_passes(make_slide, make_dataset, spoil, pitch):
    xy = hexagonal(pitch=pitch) + 7.0
    result = xisium_geometry(make_dataset([spots(make_slide, spoil, xy)]))
    assert result.status == "pass"
    assert result.statistic == 1.0
    assert result.details["pitch_um"] == {"S1": pitch}
    assert result.details["phase_um"]["S1"] == pytest.approx([7.0, 7.0])


def test_holes_in_the_tissue_are_no_defect(make_slide, make_dataset, spoil):
    xy = np.delete(hexagonal(20), [105, 230, 231, 300], axis=0)
    assert xisium_geometry(make_dataset([spots(make_slide, spoil, xy)])).status == "pass"


@pytest.mark.parametrize("pitch", [100.0, 55.0])
def test_a_square_lattice_fails_and_is_named(make_slide, make_dataset, spoil, pitch):
    row, column = np.divmod(np.arange(144), 12)
    square = np.column_stack([column, row]) * pitch
    result = xisium_geometry(make_dataset([spots(make_slide, spoil, square)]))
    assert result.status == "fail"
    assert result.statistic == 0.0
    assert "a square lattice" in result.message


@pytest.mark.parametrize(("error", "status"), [(0.01, "pass"), (0.03, "fail"), (0.2, "fail")])
def test_a_wrong_pitch_fails_beyond_two_per_cent(make_slide, make_dataset, spoil, error, status):
    xy = hexagonal(pitch=100 * (1 + error))
    result = xisium_geometry(make_dataset([spots(make_slide, spoil, xy, pitch_um=100.0)]))
    assert result.status == status
    if status == "fail":
        assert result.statistic == pytest.approx(error)


@pytest.mark.parametrize(
    ("pitch", "area", "status"),
    [(100.0, 2375.8, "pass"), (55.0, 2619.7, "pass"), (100.0, 8660.0, "fail"), (100.0, 2600.0, "fail")],
)
def test_the_area_of_a_spot(make_slide, make_dataset, spoil, pitch, area, status):
    xy = hexagonal(pitch=pitch)
    slide = spots(make_slide, spoil, xy, measures={"area_um2": np.full(len(xy), area)})
    assert xisium_geometry(make_dataset([slide])).status == status


def test_more_counts_than_transcripts_and_thin_spots(make_slide, make_dataset, spoil):
    xy = hexagonal()
    many = {"transcripts": np.full(len(xy), 50.0)}
    assert xisium_geometry(make_dataset([spots(make_slide, spoil, xy, measures=many)])).status == "pass"
    few = {"transcripts": np.full(len(xy), 49.0)}
    assert xisium_geometry(make_dataset([spots(make_slide, spoil, xy, measures=few)])).status == "fail"
    thin = {"tissue_share": np.where(np.arange(len(xy)) < 50, 0.4, 1.0)}
    assert xisium_geometry(make_dataset([spots(make_slide, spoil, xy, measures=thin)])).status == "warn"


def test_depth_is_held_against_visium_of_the_same_organ(make_slide, make_dataset, spoil):
    shallow = spots(make_slide, spoil, hexagonal(), counts=np.full((144, 5), 1), organ="breast")
    visium = make_slide("V", counts=np.full((144, 5), 100), organ="Breast")
    visium = spoil(visium, meta=spoil(visium.meta, technology="Visium CytAssist"))
    result = xisium_geometry(make_dataset([shallow, visium]))
    assert result.status == "warn"
    assert result.statistic == pytest.approx(0.01)
    other = spoil(visium, meta=spoil(visium.meta, organ="lung"))
    assert xisium_geometry(make_dataset([shallow, other])).status == "pass"


def test_the_order_of_spots_does_not_matter(make_slide, make_dataset, spoil, shuffled):
    slide = spots(make_slide, spoil, hexagonal())
    one, two = (xisium_geometry(make_dataset([s])) for s in (slide, shuffled(slide)))
    assert (one.status, one.statistic) == (two.status, two.statistic)


@pytest.mark.parametrize("geometry", ["visium", "tiled"])
def test_spots_formed_of_cells_are_clean(simulated, geometry):
    dataset, _ = simulated(
        resolution="cell", technology="Xenium", patients=1, units=1500, bin_=BinSpec(geometry=geometry)
    )
    assert xisium_geometry(dataset).status == "pass"


@pytest.mark.parametrize(
    "defect", [{"xisium_geometry": 0.3}, {"xisium_geometry": 1.0}, {"xisium_geometry.pitch": 0.3}]
)
def test_injected_defects_are_found(simulated, defect):
    dataset, _ = simulated(patients=3, defects=defect)
    assert xisium_geometry(dataset).status == "fail"


def test_clean_spots_are_not_judged(simulated):
    assert xisium_geometry(simulated(patients=2)[0]).status == "pass"


def test_units_at_one_place_are_a_skip(make_slide, make_dataset, spoil):
    flat = spots(make_slide, spoil, np.zeros((30, 2)))
    result = xisium_geometry(make_dataset([flat]))
    assert result.status == "skip"
    assert sparse.issparse(flat.counts)
