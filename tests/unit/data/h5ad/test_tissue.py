"""Spots off tissue are left out and counted by every reader."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.readers.tissue import COLUMN, NOTE, inside, under_tissue
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

from .made import N, check, dataset, new, section

INSIDE = np.arange(N) % 10 < 6
FORMS = {
    "integers": INSIDE.astype(int),
    "unsigned": INSIDE.astype("uint8"),
    "floats": INSIDE.astype(float),
    "truth": INSIDE,
    "text": np.where(INSIDE, "True", "False"),
    "capitals": np.where(INSIDE, "TRUE", "FALSE"),
    "digits": np.where(INSIDE, "1", "0"),
    "words": np.where(INSIDE, "yes", "no"),
    "categories of integers": pd.Categorical(INSIDE.astype(int)),
    "categories of text": pd.Categorical(np.where(INSIDE, "true", "false")),
    "nullable": pd.array(INSIDE, dtype="boolean"),
    "nullable integers": pd.array(INSIDE.astype(int), dtype="Int64"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_say_it(tmp_path, form):
    made = section(4)
    made.obs[COLUMN] = FORMS[form]
    made.write_h5ad(tmp_path / "A.h5ad")
    found = dataset(tmp_path)
    slide = found.slide("A")
    assert slide.unit_names.tolist() == made.obs_names[INSIDE].tolist()
    np.testing.assert_array_equal(slide.counts.sum(axis=1), made.X[INSIDE].sum(axis=1))
    np.testing.assert_array_equal(slide.xy_um, made.obsm["spatial"][INSIDE])
    assert found.notes[NOTE]["A"] == (~INSIDE).sum()
    np.testing.assert_array_equal(inside(pd.Series(FORMS[form]), "x"), INSIDE)


def test_new_and_check_leave_them_out_too(tmp_path, monkeypatch):
    made = section(4)
    made.obs[COLUMN] = INSIDE.astype(int)
    made.obs["patient"] = np.where(INSIDE, "P4", "nobody")
    made.uns["spatial"] = {"is_single": True, "lib": {"scalefactors": {"spot_diameter_fullres": 55 / 0.35}}}
    made.write_h5ad(tmp_path / "A.h5ad")
    _, found, text = new(tmp_path, monkeypatch)
    assert found.slide("A").n_units == INSIDE.sum()
    assert [sample.patient for sample in found.samples] == ["P4"], "a spot off tissue is of nobody"
    assert f"{(~INSIDE).sum()} units off tissue (obs['in_tissue']) are left out" in text
    found = check(tmp_path, select="too_few_patients")
    assert "1 patient (1 slide)" in found["too_few_patients"]["message"]


def test_a_unit_of_which_nothing_is_said_stays(tmp_path):
    made = section(4)
    made.obs[COLUMN] = pd.array([None, 0, *[1] * (N - 2)], dtype="Int64")
    made.write_h5ad(tmp_path / "A.h5ad")
    assert dataset(tmp_path).slide("A").unit_names.tolist() == made.obs_names.delete(1).tolist()


@pytest.mark.parametrize("values", [np.linspace(0, 1, N), np.where(INSIDE, "tumour", "fat"), np.arange(N)])
def test_what_is_neither_yes_nor_no_is_an_error(tmp_path, values):
    made = section(4)
    made.obs[COLUMN] = values
    made.write_h5ad(tmp_path / "A.h5ad")
    with pytest.raises(DataError, match=r"A\.h5ad: obs\['in_tissue'\]: .*does not \(0, False\); correct"):
        dataset(tmp_path).slide("A")


def test_a_slide_off_tissue_is_an_error_and_is_not_proposed(tmp_path, monkeypatch):
    for name, share in (("A", 0), ("B", 1)):
        made = section(4, patient=name)
        made.obs[COLUMN] = share
        made.write_h5ad(tmp_path / f"{name}.h5ad")
    with pytest.raises(DataError, match=rf"slide A has no units: all {N} lie off tissue"):
        dataset(tmp_path).slide("A")
    _, found, text = new(tmp_path, monkeypatch)
    assert found.slide_ids == ("B",)
    assert "left out: A: none of its units lies under tissue" in text


def test_slides_of_one_file(tmp_path):
    made = section(4)
    made.obs[COLUMN] = INSIDE
    made.obs["slide"] = np.where(np.arange(N) < N // 2, "x", "y")
    made.write_h5ad(tmp_path / "all.h5ad")
    found = dataset(tmp_path)
    first = made.obs_names[INSIDE & (np.arange(N) < N // 2)]
    assert found.slide("x").unit_names.tolist() == first.tolist()
    assert sum(slide.n_units for slide in found.slides()) == INSIDE.sum()
    assert found.notes[NOTE]["x"] == N // 2 - len(first)


def test_levels_without_units_and_codes_without_level():
    np.testing.assert_array_equal(under_tissue(["0", "1"], np.array([1, 0, -1]), "f"), [True, False, True])
    assert under_tissue([], np.array([-1, -1]), "f").all()


def test_folders_of_hest(tmp_path):
    made = section(4)
    made.obs[COLUMN] = INSIDE.astype(int)
    (tmp_path / "h" / "st").mkdir(parents=True)
    (tmp_path / "h" / "metadata").mkdir()
    made.write_h5ad(tmp_path / "h" / "st" / "A.h5ad")
    (tmp_path / "h" / "metadata" / "A.json").write_text(json.dumps({"pixel_size_um_estimated": 0.35}))
    spec = DatasetSpec(source="hest", path="h", technology="Visium", resolution="spot")
    found = Dataset("d", spec, load_samples(spec, "d", [tmp_path]), [tmp_path])
    slide = found.slide("A")
    assert slide.n_units == INSIDE.sum()
    np.testing.assert_allclose(slide.xy_um, made.obsm["spatial"][INSIDE] * 0.35)
    assert found.notes[NOTE]["A"] == (~INSIDE).sum()
