from __future__ import annotations

import copy
import json
import os
from contextlib import nullcontext

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.build import SCHEME
from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import ModelError
from pytest_stbench.models.fresh import ModelHandle
from pytest_stbench.models.identity import identity
from pytest_stbench.models.predictions import MANIFEST, Place, PredictionFolder, safe_name

PLACE = Place(task="t", view="d+raw", split="lopo", fold="A")
UNITS, GENES = ["u1", "u2", "u3"], ["A", "B"]
VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)


def folder_of(tmp_path, ending="npz", *, values=VALUES, units=UNITS, genes=GENES, slide="S1", **more):
    place = tmp_path.joinpath("v2", "t", "d+raw", "lopo", "A")
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{safe_name(slide)}.{ending}"
    if ending == "h5ad":
        obs, var = pd.DataFrame(index=units), pd.DataFrame(index=genes)
        with quiet_anndata():
            anndata.AnnData(np.asarray(values), obs=obs, var=var).write_h5ad(path)
    elif ending == "parquet":
        pd.DataFrame(values, index=units, columns=genes).to_parquet(path)
    else:
        np.savez(path, values=values, units=units, genes=genes, **more)
    return PredictionFolder(tmp_path / "v2")


@pytest.mark.parametrize("ending", ["h5ad", "parquet", "npz"])
def test_rows_and_columns_are_found_by_name(tmp_path, ending):
    found = folder_of(tmp_path, ending).read(PLACE, "S1", ["u3", "u1"], ["B", "A"])
    assert found.tolist() == [[5, 4], [1, 0]]


@pytest.mark.parametrize("ending", ["h5ad", "parquet", "npz"])
def test_names_that_are_missing_or_twice(tmp_path, ending):
    folder = folder_of(tmp_path, ending)
    with pytest.raises(ModelError, match=r"S1\.\w+: 1 of 2 columns that were asked for are missing: C"):
        folder.read(PLACE, "S1", UNITS, ["A", "C"])
    with pytest.raises(ModelError, match="2 of 3 units that were asked for are missing: x, y"):
        folder.read(PLACE, "S1", ["u1", "x", "y"], GENES)
    if ending != "parquet":
        folder_of(tmp_path, ending, units=["u1", "u1", "u3"])
        with pytest.raises(ModelError, match="unit 'u1' stands twice"):
            folder.read(PLACE, "S1", ["u1"], GENES)


def test_a_column_of_units_names_the_rows(tmp_path):
    folder = folder_of(tmp_path, "parquet")
    path = tmp_path / "v2" / "t" / "d+raw" / "lopo" / "A" / "S1.parquet"
    pd.DataFrame({"A": [1.0, 2, 3], "unit": UNITS, "B": [4.0, 5, 6]}).to_parquet(path)
    assert folder.read(PLACE, "S1", ["u2"], ["B"]).tolist() == [[5]]
    pd.DataFrame({"A": [1.0]}).to_parquet(path)
    with pytest.raises(ModelError, match="the rows have no names"):
        folder.read(PLACE, "S1", ["u2"], ["A"])


def test_what_is_missing_is_listed(tmp_path):
    folder = folder_of(tmp_path)
    places = [(PLACE, ["S1", "S2"]), (Place(task="t", view="d", split="lopo", fold="B", seed=3), ["S3"])]
    with pytest.raises(ModelError) as caught:
        folder.check("t", "f", places)
    assert "2 files are missing" in str(caught.value)
    assert "t/d+raw/lopo/A/S2.h5ad, t/d/lopo/B/s3/S3.h5ad" in str(caught.value)
    many = [(PLACE, [f"X{i}" for i in range(50)])]
    with pytest.raises(ModelError, match=r"50 files are missing.*and 30 more"):
        folder.check("t", "f", many)
    folder.check("t", "f", [(PLACE, ["S1"])])


def test_predictions_for_another_state_of_the_task(tmp_path):
    folder_of(tmp_path)
    manifest = {"name": "mine", "pretraining": ["HEST"], "tasks": {"t": {"fingerprint": "a" * 64}}}
    (tmp_path / "v2" / MANIFEST).write_text(json.dumps(manifest))
    folder = PredictionFolder(tmp_path / "v2")
    assert (folder.name, folder.pretraining) == ("mine", ("HEST",))
    with pytest.raises(ModelError, match=r"another state of task t \(fingerprint a{12}\.\.\., now b{12}"):
        folder.check("t", "b" * 64, [(PLACE, ["S1"])])
    folder.check("t", "a" * 64, [(PLACE, ["S1"])])
    folder.check("other", "b" * 64, [])


@pytest.mark.parametrize("text", ["{", "[1]", '{"tasks": 3}'])
def test_a_damaged_manifest(tmp_path, text):
    folder_of(tmp_path)
    (tmp_path / "v2" / MANIFEST).write_text(text)
    with pytest.raises(ModelError, match=MANIFEST):
        PredictionFolder(tmp_path / "v2")


def test_files_that_cannot_be_read(tmp_path):
    folder = folder_of(tmp_path)
    path = tmp_path / "v2" / "t" / "d+raw" / "lopo" / "A" / "S1.npz"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ModelError, match=r"S1\.npz: cannot be read"):
        folder.read(PLACE, "S1", UNITS, GENES)
    np.savez(path, values=VALUES, units=UNITS)
    with pytest.raises(ModelError, match=r"holds `values`, `units` and `genes`.*found values, units"):
        folder.read(PLACE, "S1", UNITS, GENES)
    np.savez(path, values=VALUES, units=UNITS[:2], genes=GENES)
    with pytest.raises(ModelError, match=r"\(3, 2\) values for 2 units and 2 columns"):
        folder.read(PLACE, "S1", UNITS[:2], GENES)


def test_pickles_are_never_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "evil"),))

    folder = folder_of(tmp_path)
    path = tmp_path / "v2" / "t" / "d+raw" / "lopo" / "A" / "S1.npz"
    np.savez(path, values=np.array([Evil()], dtype=object), units=["u1"], genes=["A"])
    with pytest.raises(ModelError, match="cannot be read"):
        folder.read(PLACE, "S1", ["u1"], ["A"])
    assert not (tmp_path / "evil").exists()


def test_one_file_a_slide(tmp_path):
    folder_of(tmp_path, "npz")
    folder = folder_of(tmp_path, "parquet")
    with pytest.raises(ModelError, match=r"S1\.parquet and S1\.npz are of one slide"):
        folder.read(PLACE, "S1", UNITS, GENES)


def test_links_out_of_the_folder_are_refused(tmp_path):
    folder = folder_of(tmp_path)
    path = tmp_path / "v2" / "t" / "d+raw" / "lopo" / "A" / "S1.npz"
    path.rename(tmp_path / "elsewhere.npz")
    path.symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(ModelError, match="is a link out of the folder"):
        folder.read(PLACE, "S1", UNITS, GENES)


@pytest.mark.parametrize("name", ["..", ".", "../../etc/passwd", "a/b", "a\\b", "ü b", "C:", "x%2Fy"])
def test_names_never_leave_the_folder(tmp_path, name):
    safe = safe_name(name)
    assert "/" not in safe
    assert safe not in (".", "..", "")
    assert (tmp_path / safe).resolve().parent == tmp_path.resolve()
    assert safe_name("A1_s-2.b+c") == "A1_s-2.b+c"


def test_another_state_of_the_files_is_another_model(tmp_path):
    folder = folder_of(tmp_path)
    before = folder.revision
    assert folder.revision == before
    folder_of(tmp_path, slide="S2")
    assert folder.revision != before


def rewritten(path):
    """Change one byte of a file; its size and time are what they were."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def test_the_revision_is_by_what_the_files_say(tmp_path):
    folder = folder_of(tmp_path)
    (path,) = [path for path in folder.folder.rglob("*") if path.is_file()]
    before = folder.revision
    os.utime(path, (1, 1))
    (folder.folder / "README.txt").write_text("how they were made")
    assert folder.revision == before, "time and what is no prediction do not count"
    rewritten(path)
    assert folder.revision != before


def test_a_seal_changes_no_revision_and_stands_for_its_file(tmp_path):
    folder = folder_of(tmp_path)
    (path,) = [path for path in folder.folder.rglob("*") if path.is_file()]
    before = folder.revision
    PredictionFolder.seal(folder.folder)
    sealed = PredictionFolder(folder.folder)
    assert sealed.revision == before
    sealed.read(PLACE, "S1", UNITS, GENES)
    rewritten(path)
    assert sealed.revision == before
    with pytest.raises(ModelError, match="sha256 differs"):
        sealed.read(PLACE, "S1", UNITS, GENES)


def test_what_the_manifest_says_is_part_of_the_revision(tmp_path):
    folder = folder_of(tmp_path)
    (folder.folder / MANIFEST).write_text(json.dumps({"units": SCHEME}))
    assert PredictionFolder(folder.folder).revision != folder.revision


def test_files_are_read_once_for_all_runs_with_a_store(tmp_path, monkeypatch):
    folder = folder_of(tmp_path).folder
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    first = PredictionFolder(folder, Checksums(store=tmp_path / "store")).revision
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    assert PredictionFolder(folder, Checksums(store=tmp_path / "store")).revision == first
    with pytest.raises(pytest.fail.Exception, match="read again"):
        _ = PredictionFolder(folder, Checksums(store=tmp_path / "store2", anew=False)).revision


def test_the_folder_is_one_model_however_it_was_opened(tmp_path):
    folder = folder_of(tmp_path)
    stored = PredictionFolder(folder.folder, Checksums(store=tmp_path / "store", progress=nullcontext))
    assert copy.deepcopy(stored) is stored
    assert identity(stored) == identity(folder)
    assert identity(stored).undigested == ()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        PredictionFolder(tmp_path / "nothing")


def test_masks_stand_in_an_npz_by_tile(tmp_path):
    folder = folder_of(tmp_path, tile0=np.eye(3, dtype=np.int32))
    assert folder.read_array(PLACE, "S1", "tile0").tolist() == np.eye(3).tolist()
    with pytest.raises(ModelError, match=r"S1\.npz: the mask of tile1 is missing \(there are: .*tile0\)"):
        folder.read_array(PLACE, "S1", "tile1")
    with pytest.raises(ModelError, match="no file for slide S2"):
        folder.read_array(PLACE, "S2", "tile0")
    folder_of(tmp_path, "h5ad", slide="S3")
    with pytest.raises(ModelError, match=r"S3\.h5ad: masks stand in an npz"):
        folder.read_array(PLACE, "S3", "tile0")


def lattice(n=3):
    """A slide whose units lie in the reverse of their order in the data."""
    return Slide(
        meta=SlideMeta(slide_id="S1"),
        unit_names=np.array(UNITS[:n]),
        genes=np.array(GENES),
        measured=np.ones(2, bool),
        counts=csr_matrix(np.ones((n, 2))),
        libsize=np.full(n, 2.0),
        n_detected=np.full(n, 2),
        xy_um=np.array([[-float(place), 0.0] for place in range(n)]),
    )


def test_files_under_a_scheme_name_units_by_place(tmp_path):
    folder_of(tmp_path, units=["unit0000001", "unit0000002", "unit0000003"])
    (tmp_path / "v2" / MANIFEST).write_text(json.dumps({"units": SCHEME}))
    folder = PredictionFolder(tmp_path / "v2")
    names = folder.names_of(lattice())
    assert names.tolist() == ["unit0000003", "unit0000002", "unit0000001"]
    assert folder.read(PLACE, "S1", names.tolist(), GENES).tolist() == VALUES[::-1].tolist()
    assert folder.unit_names is None


@pytest.mark.parametrize("manifest", [None, {"tasks": {}}])
def test_files_without_a_scheme_have_the_names_of_the_data(tmp_path, manifest):
    folder_of(tmp_path)
    if manifest is not None:
        (tmp_path / "v2" / MANIFEST).write_text(json.dumps(manifest))
    folder = PredictionFolder(tmp_path / "v2")
    assert folder.names_of(lattice()).tolist() == UNITS
    assert folder.unit_names == "as given"
    assert ModelHandle("v2", folder).own_names


def test_names_of_another_scheme_are_refused(tmp_path):
    folder_of(tmp_path)
    (tmp_path / "v2" / MANIFEST).write_text(json.dumps({"units": "by place, 99"}))
    with pytest.raises(ModelError, match=r"`units` is 'by place, 99'.*export inputs again"):
        PredictionFolder(tmp_path / "v2")
