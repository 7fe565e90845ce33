"""Factors whose names stand apart from their codes, and codes whose names are missing."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.slide_rows import UNNAMED_CODES, codes_without_name
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

from .made import N, check, dataset, new, section, seurat_disk

HALF = (np.arange(N) >= N // 2).astype(int)
STRING = h5py.string_dtype()


@pytest.fixture
def seurat(tmp_path):
    """Two files of patients P7 and P9; code 0 is immune in one and stroma in the other."""
    facts = (("s1", "P7", ["immune", "stroma", "tumor"]), ("s2", "P9", ["stroma", "tumor"]))
    for name, patient, regions in facts:
        section(1).write_h5ad(tmp_path / f"{name}.h5ad")
        seurat_disk(
            tmp_path / f"{name}.h5ad",
            {"patient": np.zeros(N, "int32"), "region": HALF.astype("int32")},
            {"patient": [patient], "region": regions},
        )
    return tmp_path


def test_names_of_seurat_disk_are_those_of_their_own_file(seurat, monkeypatch):
    config, found, _ = new(seurat, monkeypatch)
    assert {sample.slide: sample.patient for sample in found.samples} == {"s1": "P7", "s2": "P9"}
    assert config.keys.niche == "region"
    regions = {slide.meta.slide_id: slide.labels["niche"][[0, -1]].tolist() for slide in found.slides()}
    assert regions == {"s1": ["immune", "stroma"], "s2": ["stroma", "tumor"]}


def test_check_knows_the_patients_of_seurat_disk(seurat):
    found = check(seurat, select="metadata_missing,too_few_patients,label_alignment")
    assert "2 patients" in found["too_few_patients"]["message"]
    assert "patient" not in found["metadata_missing"]["message"]


CODES = {
    "int8": (np.array([0, 1, -1, 2], "int8"), None),
    "int32": (np.array([0, 1, -(2**31), 2], "int32"), None),
    "int32 max": (np.array([0, 1, 2**31 - 1, 2], "int32"), None),
    "int64": (np.array([0, 1, -1, 2], "int64"), None),
    "uint8": (np.array([0, 1, 255, 2], "uint8"), None),
    "uint32": (np.array([0, 1, 2**32 - 1, 2], "uint32"), None),
    "float64": (np.array([0, 1, np.nan, 2], "float64"), None),
    "float32": (np.array([0, 1, np.nan, 2], "float32"), None),
}


@pytest.mark.parametrize("kind", CODES)
def test_codes_of_every_type_and_what_stands_for_missing(tmp_path, kind):
    values, _ = CODES[kind]
    with h5py.File(tmp_path / "f.h5", "w") as file:
        obs = file.create_group("obs")
        obs["kind"] = values
        obs.create_group("__categories")["kind"] = np.array(["a", "b", "c"], dtype=STRING)
        assert hdf5.column(obs, "kind").tolist() == ["a", "b", None, "c"]
        assert hdf5.nameless(obs, "kind") == 0
        assert hdf5.columns(obs) == ("kind",)


def test_the_largest_code_of_a_type_is_a_code_where_it_has_a_name(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        obs = file.create_group("obs")
        obs["kind"] = np.array([0, 255], "uint8")
        names = [f"n{i}" for i in range(256)]
        obs.create_group("__categories")["kind"] = np.array(names, dtype=STRING)
        assert hdf5.column(obs, "kind").tolist() == ["n0", "n255"]


def test_truth_values_may_be_codes(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        obs = file.create_group("obs")
        obs["kind"] = np.array([False, True, True])
        obs.create_group("__categories")["kind"] = np.array(["no tumour", "tumour"], dtype=STRING)
        assert hdf5.column(obs, "kind").tolist() == ["no tumour", "tumour", "tumour"]


def test_columns_that_are_no_factors_stay_what_they_are(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        obs = file.create_group("obs")
        obs["row"] = np.array([0, 1, 2])
        obs["weight"] = np.array([0.0, 0.5, 1.0])
        obs["label"] = np.array(["x", "y", "z"], dtype=STRING)
        beside = obs.create_group("__categories")
        for name in ("weight", "label", "other"):
            beside[name] = np.array(["a", "b", "c"], dtype=STRING)
        assert hdf5.column(obs, "row").tolist() == ["0", "1", "2"]
        assert hdf5.column(obs, "weight").tolist() == ["0", "0.5", "1"], "fractions are no codes"
        assert hdf5.column(obs, "label").tolist() == ["x", "y", "z"], "text was written over the factor"
        np.testing.assert_array_equal(hdf5.numbers(obs, "weight"), [0, 0.5, 1])


@pytest.mark.parametrize("kind", ["valid", "null", "beside"])
def test_references_to_names(tmp_path, kind):
    """anndata 0.7.0 refers to the names; a copy of single objects loses the reference, not the names."""
    with h5py.File(tmp_path / "f.h5", "w") as file:
        obs = file.create_group("obs")
        obs["kind"] = np.array([1, 0, -1], "int8")
        if kind != "null":
            names = obs.create_group("__categories").create_dataset(
                "kind", data=np.array(["a", "b"], dtype=object), dtype=STRING
            )
        obs["kind"].attrs["categories"] = names.ref if kind == "valid" else h5py.Reference()
        found = hdf5.column(obs, "kind").tolist()
        assert found == ([None] * 3 if kind == "null" else ["b", "a", None])
        assert hdf5.nameless(obs, "kind") == (2 if kind == "null" else 0)


def test_codes_beyond_the_names_have_none(tmp_path):
    """As in a file whose names were cut, or whose codes count from 1."""
    with h5py.File(tmp_path / "f.h5", "w") as file:
        obs = file.create_group("obs")
        obs["kind"] = np.array([1, 2, 3, -1], "int32")
        obs.create_group("__categories")["kind"] = np.array(["a", "b", "c"], dtype=STRING)
        assert hdf5.column(obs, "kind").tolist() == ["b", "c", None, None]
        assert hdf5.nameless(obs, "kind") == 1


def test_a_factor_of_today_without_its_names(tmp_path):
    made = section()
    made.obs["region"] = pd.Categorical(np.where(HALF, "a", "b"))
    made.write_h5ad(tmp_path / "A.h5ad")
    with h5py.File(tmp_path / "A.h5ad", "a") as file:
        del file["obs/region/categories"]
    found = check(tmp_path, select="label_alignment")["label_alignment"]
    assert found["status"] == "fail"
    assert f"classes of {N} units of slide A are codes without names (keys.niche)" in found["message"]


@pytest.mark.parametrize("group", ["left", "without region", "gone"])
def test_codes_that_stand_alone_fail_and_people_are_not_known(seurat, group):
    for path in seurat.glob("*.h5ad"):
        with h5py.File(path, "a") as file:
            beside = file["obs/__categories"]
            del beside["region"], beside["patient"]
            if group == "left":
                beside["other"] = np.array(["a"], dtype=STRING)
            elif group == "gone":
                del file["obs/__categories"]
    found = check(seurat, select="label_alignment,metadata_missing")
    assert found["label_alignment"]["status"] == "fail"
    assert "codes without names" in found["label_alignment"]["message"]
    assert found["metadata_missing"]["status"] == "fail"
    assert "codes stand without their names (0)" in found["metadata_missing"]["message"]
    spec = DatasetSpec(source="h5ad", path="*.h5ad")
    assert [sample.patient for sample in load_samples(spec, "d", [seurat])] == [None, None]


def test_codes_of_one_file_with_names_of_others_fail(seurat):
    with h5py.File(seurat / "s1.h5ad", "a") as file:
        del file["obs/__categories/region"]
    found = check(seurat, select="label_alignment")["label_alignment"]
    assert (found["status"], found["slides"]) == ("fail", ["s1"])


@pytest.mark.parametrize(
    "values", [np.arange(N) % 3, (np.arange(N) % 3).astype(float), pd.array(np.arange(N) % 3, dtype="Int64")]
)
def test_numbers_from_zero_are_codes_where_each_file_counts_its_own(tmp_path, values):
    for name in "AB":
        made = section()
        made.obs["region"] = values
        made.write_h5ad(tmp_path / f"{name}.h5ad")
    with h5py.File(tmp_path / "A.h5ad") as file:
        assert codes_without_name(file["obs"], "region", several=True) == N
        assert codes_without_name(file["obs"], "region", several=False) == 0
    assert check(tmp_path, select="label_alignment")["label_alignment"]["status"] == "fail"
    (tmp_path / "B.h5ad").unlink()
    assert "codes" not in check(tmp_path, select="label_alignment")["label_alignment"]["message"]


@pytest.mark.parametrize(
    "values",
    [(np.arange(N) % 3).astype(str), pd.Categorical((np.arange(N) % 3).astype(str)), np.arange(N) % 3 + 1,
     np.array([10, 20])[HALF], HALF / 2],
    ids=["text", "factor", "from one", "other numbers", "fractions"],
)  # fmt: skip
def test_numbers_that_are_names_are_no_codes(tmp_path, values):
    for name in "AB":
        made = section()
        made.obs["region"] = values
        made.write_h5ad(tmp_path / f"{name}.h5ad")
    found = dataset(tmp_path, keys={"niche": "region"})
    list(found.slides())
    assert not [note for note in found.notes if note.startswith(UNNAMED_CODES)]


def test_names_of_genes_may_be_factors(tmp_path):
    section().write_h5ad(tmp_path / "A.h5ad")
    with h5py.File(tmp_path / "A.h5ad", "a") as file:
        var = file["var"]
        var["symbol"] = np.arange(60)[::-1].astype("int32")
        names = np.array([f"G{i}" for i in range(60)], dtype=object)
        var.create_group("__categories").create_dataset("symbol", data=names, dtype=STRING)
    slide = dataset(tmp_path, keys={"gene": "symbol"}, aliases=False)
    assert slide.panels["A"] == tuple(f"G{i}" for i in reversed(range(60)))


# -- anndata 0.6 ---------------------------------------------------------------------------------


def write_old(path, *, names=True, kind="int8"):
    """A file of anndata 0.6: tables as compound types, names of factors in ``uns``, ``raw.X`` at the top."""
    made = section()
    obs = np.zeros(N, dtype=[("index", "S12"), ("region", kind), ("patient", kind), ("array_row", "i8"),
                             ("array_col", "i8")])  # fmt: skip
    obs["index"] = made.obs_names.to_numpy().astype("S12")
    obs["region"] = HALF
    obs["array_row"], obs["array_col"] = made.obs["array_row"], made.obs["array_col"]
    var = np.array([(name.encode(),) for name in made.var_names], dtype=[("index", "S12")])
    with h5py.File(path, "w") as file:
        file["X"] = np.log1p(made.X.toarray())
        group = file.create_group("raw.X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = b"csr", np.array(made.shape)
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(made.X, part)
        file["obs"], file["var"], file["raw.var"] = obs, var, var
        file["obsm"] = np.array([(xy,) for xy in made.obsm["spatial"]], dtype=[("spatial", "f8", (2,))])
        uns = file.create_group("uns")
        if names:
            uns["region_categories"] = np.array(["stroma", "tumor"], dtype=STRING)
            uns["patient_categories"] = np.array(["P3"], dtype=STRING)
    return made


def test_new_check_and_reader_agree_on_files_of_anndata_06(tmp_path, monkeypatch):
    made = write_old(tmp_path / "A.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert config.keys.counts == "raw"
    assert (config.keys.array_row, config.keys.niche) == ("array_row", "region")
    assert config.technology == "Visium"
    assert [sample.patient for sample in found.samples] == ["P3"]
    slide = found.slide("A")
    np.testing.assert_array_equal(slide.libsize, np.asarray(made.X.sum(axis=1)).ravel())
    assert slide.labels["niche"][[0, -1]].tolist() == ["stroma", "tumor"]
    np.testing.assert_allclose(slide.xy_um, made.obsm["spatial"] * 0.35, rtol=1e-3)
    checked = check(tmp_path, select="normalised_not_counts,missing_coords,label_alignment,metadata_missing")
    assert [checked[name]["status"] for name in ("normalised_not_counts", "missing_coords")] == ["pass"] * 2
    assert checked["label_alignment"]["status"] == "pass"
    assert "patient" not in checked["metadata_missing"]["message"]


def test_small_integers_of_anndata_06_without_names_are_codes(tmp_path):
    write_old(tmp_path / "A.h5ad", names=False)
    found = check(tmp_path, select="label_alignment,metadata_missing")
    assert found["label_alignment"]["status"] == "fail"
    assert "codes stand without their names (0)" in found["metadata_missing"]["message"]
    write_old(tmp_path / "A.h5ad", names=False, kind="int64")
    assert "codes" not in check(tmp_path, select="label_alignment")["label_alignment"]["message"]
