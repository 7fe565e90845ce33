"""The unit of coordinates: what the file says, and when it contradicts itself or the task file."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.errors import DataError, TaskFileError
from pytest_stbench.kernels.grid_fit import grid_fit, lattice_spacing
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.validate import load_task

from .made import UM, N, check, dataset, joined, lattice, new, section

VISIUM = ("--set", "technology=Visium", "--set", "resolution=spot")


def library(um, *, diameter=55.0, shrink=0.1, **more):
    return {"scalefactors": {"spot_diameter_fullres": diameter / um, "tissue_hires_scalef": shrink, **more}}


def stereo(seed=6, *, bins=50, step=None):
    """Bins of Stereo-seq as stereopy writes them: places in units of 500 nm."""
    made = section(seed)
    row, column, _ = lattice()
    step = bins if step is None else step
    made.obsm["spatial"] = np.column_stack([column // 2 * step, row * step]).astype("int64")
    made.obs = made.obs[["patient"]]
    return made


def without_array(made):
    made.obs = made.obs[["patient"]]
    return made


STEREO = {
    "all": {"bin_type": "bins", "bin_size": 50, "resolution": 500},
    "no resolution": {"bin_type": "bins", "bin_size": 50},
    "no type": {"bin_size": 50, "resolution": 500},
    "floats": {"bin_type": "bins", "bin_size": 50.0, "resolution": np.array([500.0])},
}


@pytest.mark.parametrize("uns", STEREO)
def test_stereo_seq_says_nanometres(tmp_path, monkeypatch, uns):
    made = stereo()
    made.uns |= STEREO[uns]
    made.write_h5ad(tmp_path / "A.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert config.scale.um_per_px == 0.5
    assert config.pitch_um == 25
    slide = found.slide("A")
    np.testing.assert_allclose(slide.xy_um, made.obsm["spatial"] * 0.5)
    assert slide.meta.pitch_um == 25
    if "bin_type" in STEREO[uns]:
        assert (config.technology, config.resolution) == ("Stereo-seq", "bin")
        found = check(tmp_path, select="missing_coords")["missing_coords"]
        assert found["status"] == "pass"
        assert "median spacing 1 x the pitch" in found["message"]


def test_older_chips_of_stereo_seq(tmp_path, monkeypatch):
    made = stereo()
    made.uns |= {"bin_type": "bins", "bin_size": 50, "resolution": 715}
    made.write_h5ad(tmp_path / "A.h5ad")
    config, *_ = new(tmp_path, monkeypatch)
    assert (config.scale.um_per_px, config.pitch_um) == (0.715, 35.75)


def test_cells_of_stereo_seq_have_no_pitch(tmp_path, monkeypatch):
    made = stereo(step=37)
    made.uns |= {"bin_type": "cell_bins", "bin_size": 1, "resolution": 500}
    made.write_h5ad(tmp_path / "A.h5ad")
    config, *_ = new(tmp_path, monkeypatch)
    assert (config.scale.um_per_px, config.pitch_um, config.resolution) == (0.5, None, "cell")


def test_bins_counted_as_places_fail(tmp_path):
    """Places count bins where the file says 500 nm a unit: 0.5 um apart where the pitch is 25."""
    made = stereo(step=1)
    made.uns |= STEREO["all"]
    made.write_h5ad(tmp_path / "A.h5ad")
    found = check(tmp_path, select="missing_coords")["missing_coords"]
    assert found["status"] == "fail"
    assert "0.5 apart where the pitch is 25 um" in found["message"]


@pytest.mark.parametrize("resolution", [0.5, 1, 1.2])
def test_the_resolution_of_a_clustering_is_no_unit(tmp_path, resolution):
    made = section(6)
    made.uns["resolution"] = resolution
    made.write_h5ad(tmp_path / "A.h5ad")
    found = dataset(tmp_path)
    found.slide("A")
    assert not [note for note in found.notes if "unit" in note and note != "units"]


# -- Visium ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("um", [0.2, UM, 1.7])
def test_array_indices_say_it_and_neighbours_test_it(tmp_path, monkeypatch, um):
    section(1, um=um).write_h5ad(tmp_path / "A.h5ad")
    config, *_ = new(tmp_path, monkeypatch)
    assert config.scale.um_per_px == pytest.approx(um, rel=1e-3)
    found = check(tmp_path, *VISIUM, select="missing_coords")["missing_coords"]
    assert (found["status"], round(found["statistic"], 3)) == ("pass", 1.0)


def test_files_of_different_scanners_say_it_each(tmp_path, monkeypatch):
    sizes = {"A": 0.2, "B": 0.5}
    for name, um in sizes.items():
        section(1, um=um, patient=name).write_h5ad(tmp_path / f"{name}.h5ad")
    config, found, text = new(tmp_path, monkeypatch)
    assert config.scale.um_per_px == "file"
    assert "A 0.2, B 0.5 um, by array indices" in " ".join(text.replace("#", " ").split())
    for name in sizes:
        np.testing.assert_allclose(found.slide(name).xy_um, lattice()[2], atol=1e-6)
    assert check(tmp_path, *VISIUM, select="missing_coords")["missing_coords"]["status"] == "pass"


def test_libraries_of_one_file_say_it_each(tmp_path, monkeypatch):
    made = joined(section(1, um=0.2), section(2, um=0.5), key="library_id", names=("libA", "libB"))
    made.uns["spatial"] = {"libA": library(0.2), "libB": library(0.5)}
    made.obs["patient"] = "P1"
    made.obs = made.obs.drop(columns=["array_row", "array_col"])
    made.uns["technology"] = "Visium"
    made.write_h5ad(tmp_path / "all.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert (config.keys.slide, config.scale.um_per_px) == ("library_id", "file")
    for slide in found.slides():
        np.testing.assert_allclose(slide.xy_um, lattice()[2], atol=1e-6)


@pytest.mark.parametrize("diameter", [55.0, 65.0])
@pytest.mark.parametrize("picture", [1.0, 0.1])
def test_the_diameter_confirms_neighbours(tmp_path, monkeypatch, diameter, picture):
    """Also where places are pixels of the small image."""
    made = without_array(section(1))
    made.obsm["spatial"] = made.obsm["spatial"] * picture
    made.uns |= {"spatial": {"lib": library(UM, diameter=diameter)}, "technology": "Visium"}
    made.write_h5ad(tmp_path / "A.h5ad")
    config, *_ = new(tmp_path, monkeypatch)
    assert config.scale.um_per_px == "file" or config.scale.um_per_px == pytest.approx(UM / picture, rel=1e-3)
    found = dataset(tmp_path, scale={"um_per_px": "file"})
    np.testing.assert_allclose(found.slide("A").xy_um, lattice()[2], rtol=1e-3, atol=1e-6)
    assert check(tmp_path, select="missing_coords")["missing_coords"]["status"] == "pass"


@pytest.mark.parametrize("array", [True, False])
def test_a_diameter_of_another_image_is_an_error(tmp_path, monkeypatch, array):
    made = section(1) if array else without_array(section(1))
    made.uns |= {"spatial": {"lib": library(0.9)}, "technology": "Visium"}
    made.write_h5ad(tmp_path / "A.h5ad")
    said = new(tmp_path, monkeypatch)
    assert "two sizes of one unit: 0.35 um" in said
    assert "0.9 to 1.064 um by spot_diameter_fullres" in said


def test_neighbours_alone_are_said_and_not_tested_by_themselves(tmp_path, monkeypatch):
    made = without_array(section(1))
    made.uns["technology"] = "Visium"
    made.write_h5ad(tmp_path / "A.h5ad")
    config, found, text = new(tmp_path, monkeypatch)
    assert config.scale.um_per_px == "file"
    assert "nothing else says it, so the check of these distances cannot test it" in " ".join(
        text.replace("#", " ").split()
    )
    np.testing.assert_allclose(found.slide("A").xy_um, lattice()[2], rtol=1e-3, atol=1e-6)
    found = check(tmp_path, select="missing_coords")["missing_coords"]
    assert found["status"] == "skip"
    assert "was measured by the distance of neighbours, which then cannot test it" in found["message"]


def test_two_lattices_on_each_other_measure_nothing(tmp_path, monkeypatch):
    made = joined(section(1), section(2, offset=np.array([33.0, 17.0])))
    made = without_array(made)
    made.obs_names = [f"s{i}" for i in range(2 * N)]
    made.obs["patient"] = "P1"
    made.uns["technology"] = "Visium"
    made.write_h5ad(tmp_path / "A.h5ad")
    config, _, text = new(tmp_path, monkeypatch)
    assert config.scale is None
    assert "do not lie as on a lattice of 100 um, so it cannot be told" in " ".join(
        text.replace("#?", " ").split()
    )
    assert check(tmp_path, select="missing_coords")["missing_coords"]["status"] == "fail"


# -- what is said twice ------------------------------------------------------------------------------------


TWICE = {
    "two keys": {"um_per_px": UM, "mpp": 0.5},
    "key and scale factors": {"um_per_px": UM, "spatial": {"lib": library(UM, microns_per_pixel=0.5)}},
    "nanometres": {"um_per_px": UM, "resolution": 500},
}


@pytest.mark.parametrize("uns", TWICE)
def test_two_sizes_in_one_file(tmp_path, monkeypatch, uns):
    made = section(1)
    made.uns |= TWICE[uns]
    made.write_h5ad(tmp_path / "A.h5ad")
    said = new(tmp_path, monkeypatch)
    assert "two sizes of one unit: 0.35 um (uns['um_per_px']) and 0.5 um" in said
    with pytest.raises(DataError, match=r"two sizes of one unit: 0\.35 um .* and 0\.5 um"):
        dataset(tmp_path, scale={"um_per_px": "file"}).slide("A")
    for scale in ("um_per_px=0.35", "um_per_px=0.5"):
        found = check(tmp_path, *VISIUM, "--set", scale, select="missing_coords")["missing_coords"]
        assert found["status"] == "fail"
    found = check(tmp_path, *VISIUM, "--set", "um_per_px=0.35", select="missing_coords")["missing_coords"]
    assert "slide A: a unit is 0.35 um (scale.um_per_px), and 0.5 um by" in found["message"]


@pytest.mark.parametrize("gap", [1.0, 1.03])
def test_sizes_that_agree(tmp_path, monkeypatch, gap):
    made = section(1)
    made.uns |= {"um_per_px": UM, "mpp": UM * gap, "spatial": {"lib": library(UM, microns_per_pixel=UM)}}
    made.write_h5ad(tmp_path / "A.h5ad")
    config, *_ = new(tmp_path, monkeypatch)
    assert config.scale.um_per_px == "uns:um_per_px"
    assert check(tmp_path, *VISIUM, select="missing_coords")["missing_coords"]["status"] == "pass"


def test_a_declared_scale_is_held_against_the_file(tmp_path):
    made = without_array(section(1))
    made.uns["um_per_px"] = UM
    made.write_h5ad(tmp_path / "A.h5ad")
    for scale, expected in ((UM, 0), (UM * 1.04, 0), (UM * 1.2, 1), (None, 1)):
        found = dataset(tmp_path, **({} if scale is None else {"scale": {"um_per_px": scale}}))
        found.slide("A")
        assert sum(note.startswith("unit_disagrees:") for note in found.notes) == expected, scale
    assert any("a unit is 1 um (no `scale` is declared), and 0.35 um by uns" in note for note in found.notes)


def test_a_declared_scale_is_held_against_the_diameter_of_a_spot(tmp_path):
    made = section(1)
    made.uns["spatial"] = {"lib": library(UM)}
    made.write_h5ad(tmp_path / "A.h5ad")
    for scale, expected in ((UM, 0), (UM * 65 / 55, 0), (UM / 0.1, 0), (0.5, 1)):
        found = dataset(tmp_path, scale={"um_per_px": scale})
        found.slide("A")
        assert sum("spot_diameter_fullres" in note for note in found.notes) == expected, scale


def test_scale_file_where_nothing_is_said(tmp_path):
    without_array(section(1)).write_h5ad(tmp_path / "A.h5ad")
    with pytest.raises(DataError, match="nothing in the file says the unit of its coordinates"):
        dataset(tmp_path, scale={"um_per_px": "file"}, technology="Xenium", resolution="cell").slide("A")


TASK = """stbench: 1
name: t
version: 1
family: imputation
datasets: {{d: {{source: h5ad, path: "*.h5ad", technology: Visium, resolution: spot, panel: p, {0}}}}}
imputation: {{hide: {{folds: 5}}}}
"""


def test_the_words_of_the_task_file(tmp_path):
    path = tmp_path / "t.stbench.yaml"
    path.write_text(TASK.format("scale: file, keys: {x: a, y: b, gene: g, spatial: null}"))
    config = load_task(path, builtin_registry()).spec.datasets["d"]
    assert (config.scale.um_per_px, config.keys.gene, config.keys.spatial) == ("file", "g", None)
    for wrong, message in (
        ("scale: files", "or 'file' where each file says it"),
        ("scale: -1", "not a length"),
        ("keys: {x: a}", "datasets.d.keys.x: `keys.y` is missing: a place has an x and a y"),
        ("keys: {y: a}", "datasets.d.keys.y: `keys.x` is missing"),
        ("image: {path: i.png, um_per_px: file}", "not a length: a positive number"),
    ):
        path.write_text(TASK.format(wrong))
        with pytest.raises(TaskFileError, match=message):
            load_task(path, builtin_registry())


# -- the kernel --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hexagonal", [True, False])
@pytest.mark.parametrize("angle", [0, 0.3, 2.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_map_of_an_array(hexagonal, angle, mirrored):
    row, column = (axis.ravel() for axis in np.meshgrid(range(9), range(12), indexing="ij"))
    column = 2 * column + row % 2 if hexagonal else column
    ideal = np.column_stack([column * (0.5 if hexagonal else 1), row * (np.sqrt(0.75) if hexagonal else 1)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    xy = (ideal @ turn.T) * 37.5 * ([-1, 1] if mirrored else [1, 1]) + [5, -3]
    fit = grid_fit(xy, np.column_stack([row, column]), hexagonal=hexagonal)
    assert fit.pitch == pytest.approx(37.5)
    assert fit.stretch == pytest.approx(1)
    assert fit.mirrored == mirrored
    assert fit.residual == pytest.approx(0, abs=1e-9)
    assert lattice_spacing(xy, hexagonal=hexagonal) == pytest.approx(37.5)


def test_whole_pixels_move_the_pitch_by_less_than_a_thousandth():
    row, column, um = lattice()
    fit = grid_fit(np.round(um / 3), np.column_stack([row, column]), hexagonal=True)
    assert fit.pitch == pytest.approx(100 / 3, rel=1e-3)


def test_what_has_no_map():
    row, column, um = lattice()
    index = np.column_stack([row, column])
    assert grid_fit(um[:9], index[:9], hexagonal=True) is None
    assert grid_fit(np.full_like(um, np.nan), index, hexagonal=True) is None
    assert grid_fit(um * [1, 0], index, hexagonal=True) is None
    assert grid_fit(um, index * [1, 0], hexagonal=True) is None
    some = um.copy()
    some[::3] = np.nan
    assert grid_fit(some, index, hexagonal=True).pitch == pytest.approx(100)
    assert lattice_spacing(um[:9], hexagonal=True) is None
    assert lattice_spacing(np.vstack([um, np.add(um, [20, 10])]), hexagonal=True) is None
