"""``stbench new`` on folders of cells, transcripts and spots: the file it writes runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "her2st").is_dir(), reason="set STBENCH_DATA to the development data"
)

RUN = ("her2st", "xenium_breast", "visium_prostate", "st_breast_layers")
"""Folders as they are, of which a task can be made; 20 genes of Xenium are too few to be scored."""


def proposed(folder, data, tmp_path, monkeypatch, *options):
    """Propose a task file for a folder, run it; return its text, and what pytest said."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["new", "t", "--data", data, "--stbench-data", str(folder), *options])
    assert done.exit_code == 0, done.output
    path = tmp_path / "t.stbench.yaml"
    # One section of each patient: all thirty take as long as all other folders together.
    path.write_text(path.read_text().replace("her2st/sections/*.h5ad", "her2st/sections/[A-F]1.h5ad"))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "t.stbench.yaml", f"--stbench-data={folder}", "-q", "-p",
         "no:cacheprovider", "--stbench-model=ridge"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode in (0, 1), run.stdout + run.stderr
    assert "INTERNALERROR" not in run.stdout + run.stderr
    assert "Traceback" not in run.stdout
    last = run.stdout.splitlines()[-1]
    assert "passed" in last, run.stdout
    assert " error" not in last
    return path.read_text(), run.stdout


@pytest.mark.parametrize("name", RUN)
def test_the_file_proposed_for_a_folder_runs(name, tmp_path, monkeypatch):
    text, out = proposed(DATA, name, tmp_path, monkeypatch)
    assert ("T = train_mean" in out) == (name != "xenium_breast"), out
    if name == "xenium_breast":
        assert "samples: xenium_breast/samples.csv" in text.replace('"', "")
    if name in ("her2st", "st_breast_layers"):
        assert "imputation: {observed: {file: t.panel.csv}}" in text
        assert len((tmp_path / "t.panel.csv").read_text().split()) == 301


@pytest.mark.parametrize("name", ["cosmx_nsclc", "xenium_lung"])
def test_a_folder_of_which_no_task_can_be_made_has_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["new", "t", "--data", name, "--stbench-data", str(DATA)])
    assert done.exit_code == 2, done.output
    (line,) = done.output.splitlines()
    assert "no file is written" in line
    assert "patients are not known" in line
    assert list(tmp_path.iterdir()) == []


def test_crops_with_guessed_patients_are_split_by_them_and_have_too_few_cells_for_a_pattern(
    tmp_path, monkeypatch
):
    text, out = proposed(DATA, "cosmx_nsclc/transcripts", tmp_path, monkeypatch, "--patient-from-name")
    assert "splits: [lopo]" in text
    assert len((tmp_path / "t.samples.csv").read_text().splitlines()) == 5
    assert "no_spatial_signal: " in out
    assert " blocked" in out


def test_cells_of_files_that_differ(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        main, ["new", "t", "--data", "cosmx_nsclc/cells/*.h5ad", "--stbench-data", str(DATA)]
    )
    # The crops of three slides share one coordinate system, and only their file has a column for it.
    assert done.exit_code == 2
    assert "transcript_crops.h5ad holds several sections" in done.output
    assert "obs['sample']" in done.output
    assert not (tmp_path / "t.stbench.yaml").exists()
