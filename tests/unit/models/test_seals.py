"""Checksums of the files of a folder of predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.errors import ModelError
from pytest_stbench.models.predictions import MANIFEST, Place, PredictionFolder

PLACE = Place(task="t", view="d", split="lopo", fold="A")


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two slides, as another tool would leave it."""
    place = tmp_path.joinpath("v2", *PLACE.parts)
    place.mkdir(parents=True)
    for slide in ("S1", "S2"):
        np.savez(place / f"{slide}.npz", values=np.ones((2, 1), np.float32), units=["u", "v"], genes=["A"])
    return tmp_path / "v2"


def sealed(folder):
    done = CliRunner().invoke(main, ["seal", str(folder)])
    assert done.exit_code == 0, done.output
    return done.output


def read(folder, slide="S1"):
    return PredictionFolder(folder).read(PLACE, slide, ["u"], ["A"]).tolist()


def remarks(folder):
    opened = PredictionFolder(folder)
    opened.check("t", "f", [(PLACE, ["S1", "S2"])])
    return opened.remarks


def test_sealing_adds_to_the_manifest(folder):
    (folder / MANIFEST).write_text(json.dumps({"name": "mine", "tasks": {"t": {"fingerprint": "f"}}}))
    assert "sealed 2 files" in sealed(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["name"], manifest["tasks"]) == ("mine", {"t": {"fingerprint": "f"}})
    assert list(manifest["files"]) == ["t/d/lopo/A/S1.npz", "t/d/lopo/A/S2.npz"]
    assert read(folder) == [[1]]
    assert remarks(folder) == ()


def test_a_folder_without_manifest_gets_one(folder):
    sealed(folder)
    assert PredictionFolder(folder).name == "v2"


def test_another_file_in_the_place_of_a_sealed_one_is_refused(folder):
    sealed(folder)
    path = folder / "t/d/lopo/A/S1.npz"
    np.savez(path, values=np.zeros((2, 1), np.float32), units=["u", "v"], genes=["A"])
    with pytest.raises(ModelError, match=r"S1\.npz: sha256 differs from .*expected .*seal the folder again"):
        read(folder)
    assert read(folder, "S2") == [[1]]
    sealed(folder)
    assert read(folder) == [[0]]


def test_files_without_checksum_are_named(folder):
    (found,) = remarks(folder)
    assert "no file has a checksum" in found
    assert f"stbench seal {folder}" in found
    sealed(folder)
    path = folder / "t/d/lopo/A/S2.npz"
    manifest = json.loads((folder / MANIFEST).read_text())
    path.rename(path.with_name("S3.npz"))
    opened = PredictionFolder(folder)
    opened.check("t", "f", [(PLACE, ["S1", "S3"])])
    assert "t/d/lopo/A/S3.npz (1 of 2 files) has no checksum" in opened.remarks[0]
    assert len(manifest["files"]) == 2


@pytest.mark.parametrize(
    "change",
    [{"files": {}}, {"tasks": {"t": {"fingerprint": "g"}}}, {"files": {"t/d/lopo/A/S1.npz": "0" * 64}}],
)
def test_a_manifest_that_was_changed_after_sealing_is_refused(folder, change):
    sealed(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "name": "another"}))
    assert read(folder) == [[1]]
    (folder / MANIFEST).write_text(json.dumps({**manifest, **change}))
    with pytest.raises(ModelError, match=r"are others than `stbench seal` wrote"):
        read(folder)


def test_checksums_of_another_tool_are_checked(folder):
    (folder / MANIFEST).write_text(json.dumps({"files": {"t/d/lopo/A/S1.npz": "0" * 64}}))
    with pytest.raises(ModelError, match="sha256 differs"):
        read(folder)
    (folder / MANIFEST).write_text(json.dumps({"files": ["S1.npz"]}))
    with pytest.raises(ModelError, match="must give a sha256 by path"):
        read(folder)


def test_a_folder_without_predictions_is_not_sealed(tmp_path):
    done = CliRunner().invoke(main, ["seal", str(tmp_path)])
    assert done.exit_code == 2
    assert "no file of predictions in it (.h5ad, .npz, .parquet)" in done.output
    assert list(tmp_path.iterdir()) == []
    absent = CliRunner().invoke(main, ["seal", str(tmp_path / "absent")])
    assert absent.exit_code == 2
    assert "there is no such folder" in absent.output
