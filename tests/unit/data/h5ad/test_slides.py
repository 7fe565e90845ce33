"""What is one slide: told by the data, not by names of columns alone."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.data.sections import mixed_share, signs_of_sections, tells_apart

from .made import UM, N, check, joined, new, section

TWO = {"libA": UM, "libB": UM}


def libraries(**um):
    return {name: {"scalefactors": {"spot_diameter_fullres": 55 / size}} for name, size in um.items()}


@pytest.fixture
def batch(tmp_path):
    """Two sections of one patient, told apart by `batch` alone; the second lies a few pixels off."""

    def write(made=None, **uns):
        made = joined(section(1), section(2, offset=np.array([33.0, 17.0]))) if made is None else made
        made.obs["patient"] = "P1"
        made.uns |= uns
        made.write_h5ad(tmp_path / "batch.h5ad")
        return tmp_path

    return write


def test_new_takes_the_column_and_measures_within_a_slide(batch, monkeypatch):
    folder = batch(spatial=libraries(**TWO))
    config, found, text = new(folder, monkeypatch)
    assert config.keys.slide == "batch"
    assert found.slide_ids == ("A", "B")
    assert config.scale.um_per_px == pytest.approx(UM, rel=0.002)
    assert "slides are told apart by obs['batch']" in text
    for slide in found.slides():
        assert slide.n_units == N
        assert np.ptp(slide.xy_um, axis=0) == pytest.approx(np.ptp(section().obsm["spatial"], axis=0) * UM)


def test_check_fails_and_names_the_column(batch):
    folder = batch(spatial=libraries(**TWO))
    visium = ("--set", "technology=Visium", "--set", "resolution=spot")
    found = check(folder, *visium, select="duplicate_units,missing_coords")
    assert found["duplicate_units"]["status"] == "fail"
    message = found["duplicate_units"]["message"]
    assert "slide batch seems to be several sections: 100% of the units have the array position" in message
    assert "obs['batch'] tells them apart" in message
    assert "--slide batch" in message
    assert found["missing_coords"]["status"] == "fail", "the scale was not made of the distance it tests"
    assert "apart where the pitch is 100 um" in found["missing_coords"]["message"]
    named = check(folder, *visium, "--slide", "batch", select="duplicate_units,missing_coords")
    assert {one["status"] for one in named.values()} == {"pass"}


def bare(made, *, keep=(), rename=True):
    """Without array positions, batch and telling names, but for what is kept."""
    made.obs = made.obs[[column for column in made.obs if column in ("patient", *keep)]]
    if rename:
        made.obs_names = [f"spot{i}" for i in range(len(made))]
    return made


def two(**options):
    return bare(joined(section(1), section(2, offset=np.array([33.0, 17.0]))), **options)


SIGNS = {
    "array": (lambda: two(keep=("array_row", "array_col")), "100% of the units have the array position"),
    "suffix": (lambda: two(rename=False), "100% of the units have the barcode of another but for"),
    "batch": (lambda: two(keep=("batch",)), "100% of the units lie next to one of another obs['batch']"),
    "place": (lambda: bare(joined(section(1), section(2))), "100% of the units have the place of another"),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_each_sign_fails_the_check(batch, sign):
    make, text = SIGNS[sign]
    folder = batch(make())
    found = check(folder, "--set", f"um_per_px={UM}", select="duplicate_units")["duplicate_units"]
    assert found["status"] == "fail", found["message"]
    if sign != "place":
        assert text in found["message"]


@pytest.mark.parametrize("sign", ["array", "suffix", "place"])
def test_without_a_column_nothing_is_proposed(batch, monkeypatch, sign):
    said = new(batch(SIGNS[sign][0]()), monkeypatch)
    assert SIGNS[sign][1] in said
    assert "no column of obs tells them apart in every file, so write the section of each unit into" in said


@pytest.mark.parametrize("column", ["batch", "Sample_Name", "core", "donor"])
def test_any_column_that_tells_them_apart_will_do(batch, monkeypatch, column):
    made = two(keep=("batch", "array_row", "array_col"))
    made.obs = made.obs.rename(columns={"batch": column})
    made.obs["cluster"] = np.arange(2 * N) % 7
    config, found, _ = new(batch(made), monkeypatch)
    assert config.keys.slide == column
    assert len(found.slide_ids) == 2


def test_a_usual_name_goes_before_fewer_values(batch, monkeypatch):
    made = two(keep=("batch", "array_row", "array_col"))
    made.obs["half"] = np.repeat(["x", "y"], N)
    made.obs["batch"] = np.repeat(["a", "b", "c", "d"], N // 2)
    config, found, _ = new(batch(made), monkeypatch)
    assert config.keys.slide == "batch"
    assert len(found.slide_ids) == 4


def test_a_slide_column_that_joins_sections_is_not_believed(batch, monkeypatch):
    made = joined(section(1), section(2), names=("s1", "s2"))
    made.obs["sample"] = "everything"
    folder = batch(made)
    config, found, _ = new(folder, monkeypatch)
    assert (config.keys.slide, found.slide_ids) == ("batch", ("s1", "s2"))
    assert check(folder, select="duplicate_units")["duplicate_units"]["status"] == "fail"


@pytest.mark.parametrize(("names", "suffix"), [(("0", "1"), "-"), (("A", "B"), "-"), (("x", "y"), "_")])
def test_suffixes_of_concatenation(batch, names, suffix):
    parts = [section(seed) for seed in (1, 2)]
    rng = np.random.default_rng(0)
    barcodes = ["".join(rng.choice(list("ACGT"), 16)) + "-1" for _ in range(N)]
    for part in parts:
        part.obs_names = barcodes
        del part.obs["array_row"]
    parts[1].obsm["spatial"] += 40_000  # side by side: no unit lies on another
    made = joined(*parts, names=names, suffix=suffix)
    del made.obs["batch"]
    found = check(batch(made), "--set", f"um_per_px={UM}", select="duplicate_units")["duplicate_units"]
    assert found["status"] == "fail"
    assert f"({suffix}{names[0]}, {suffix}{names[1]})" in found["message"]


def test_the_patient_column_may_tell_sections_apart(tmp_path, monkeypatch):
    joined(section(1), section(2), key="patient", names=("P1", "P2")).write_h5ad(tmp_path / "all.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert config.keys.slide == "patient"
    assert {sample.patient for sample in found.samples} == {"P1", "P2"}


def test_two_libraries_alone_warn(tmp_path, monkeypatch):
    made = section(1)
    made.uns["spatial"] = libraries(**TWO)
    made.write_h5ad(tmp_path / "A.h5ad")
    found = check(tmp_path, select="duplicate_units")["duplicate_units"]
    assert found["status"] == "warn"
    assert "2 libraries" in found["message"]
    _, _, text = new(tmp_path, monkeypatch)
    assert "uns['spatial'] has 2 libraries, libA, libB" in " ".join(text.replace("#", " ").split())


@pytest.mark.parametrize("kind", ["spots", "fields of view", "cells", "bins", "turned"])
def test_one_section_shows_no_sign(tmp_path, kind):
    made = section(1)
    if kind == "fields of view":  # CELL_FOV, as readers of CosMx name cells
        made.obs_names = [f"{i % 30 + 1}_{i // 30 + 1}" for i in range(N)]
        made.obs["fov"] = np.arange(N) // 30
        made.obs["batch"] = np.where(np.arange(N) < N // 2, "a", "b")  # halves of the section
    elif kind == "cells":
        made.obs_names = [f"aaaa{chr(97 + i // 26)}{chr(97 + i % 26)}aa-1" for i in range(N)]
        made.obs["cell_type"] = np.where(np.arange(N) % 2, "a", "b")
    elif kind == "bins":
        row, column = made.obs["array_row"], made.obs["array_col"]
        made.obs_names = [f"s_016um_{r:05d}_{c:05d}-1" for r, c in zip(row, column, strict=True)]
    elif kind == "turned":
        made.obsm["spatial"] = made.obsm["spatial"][:, ::-1] * [1, -1]
    made.write_h5ad(tmp_path / "A.h5ad")
    found = check(
        tmp_path, "--set", "technology=Visium", "--set", "resolution=spot", select="duplicate_units"
    )
    assert found["duplicate_units"]["status"] == "pass", found["duplicate_units"]["message"]


def test_names_of_rows_and_columns_are_no_suffixes():
    names = np.array([f"{row}-{column}" for row in range(33) for column in range(35)])
    assert signs_of_sections(names) == ()


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(30, 90), st.integers(0, 2**31))
def test_signs_do_not_depend_on_the_order_of_units(parts, n, seed):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(parts), n)
    index = np.tile(np.column_stack([np.arange(n), np.arange(n) % 7]), (parts, 1)).astype(float)
    names = np.array([f"s{i}-1-{part}" for part in range(parts) for i in range(n)])
    order = rng.permutation(parts * n)
    once = signs_of_sections(names, index)
    again = signs_of_sections(names[order], index[order])
    assert [(sign.text, sign.share) for sign in once] == [(sign.text, sign.share) for sign in again]
    assert [sign.share for sign in once] == [1.0, 1.0]
    assert all(tells_apart(codes[order], sign) for sign in again)
    assert not any(tells_apart(np.zeros(parts * n, int), sign) for sign in again)
    assert not any(tells_apart(np.where(codes > 0, codes, -1), sign) for sign in once), "a unit of no part"


def test_mixed_neighbours():
    xy = np.column_stack([np.arange(20.0), np.zeros(20)])
    assert mixed_share(np.arange(20) % 2, xy) == 1.0
    assert mixed_share(np.arange(20) // 10, xy) == pytest.approx(0.05, abs=0.05)
    assert mixed_share(np.zeros(1, int), xy[:1]) == 0.0
    twice = np.vstack([xy, xy])
    assert mixed_share(np.repeat([0, 1], 20), twice) == 1.0
    assert mixed_share(np.repeat([0, -1], 20), twice) == 0.0, "units of no batch are not asked"


def test_units_without_position_are_no_sign(tmp_path):
    made = section(1)
    made.obs["array_row"] = made.obs["array_row"].astype(float)
    made.obs.loc[made.obs_names[: N // 2], "array_row"] = np.nan
    made.write_h5ad(tmp_path / "A.h5ad")
    assert check(tmp_path, select="duplicate_units")["duplicate_units"]["status"] == "pass"


def test_slides_of_different_files_may_share_everything_but_names(tmp_path, monkeypatch):
    for name in "AB":
        section(1, patient=f"P{name}").write_h5ad(tmp_path / f"{name}.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert "slide" not in config.keys.model_fields_set
    assert found.slide_ids == ("A", "B")


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_off_tissue_doubles_do_not_count(tmp_path, monkeypatch):
    made = anndata.concat([section(1), section(1)[:5]], index_unique=None)
    made.obs = made.obs.assign(in_tissue=np.r_[np.ones(N, int), np.zeros(5, int)])
    made.obs_names = [f"s{i}" for i in range(len(made))]
    made.write_h5ad(tmp_path / "A.h5ad")
    assert check(tmp_path, select="duplicate_units")["duplicate_units"]["status"] == "pass"
    assert isinstance(new(tmp_path, monkeypatch), tuple)


def test_a_column_with_holes_tells_nothing_apart(batch, monkeypatch):
    made = two(keep=("batch", "array_row", "array_col"))
    made.obs["batch"] = pd.Series(made.obs["batch"].astype(object)).where(np.arange(2 * N) > 0, None)
    assert "no column of obs tells them apart" in new(batch(made), monkeypatch)
