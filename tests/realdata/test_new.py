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

FOLDERS = {
    "cosmx_cells": "cosmx_nsclc/cells/*.h5ad",
    "cosmx_transcripts": "cosmx_nsclc/transcripts/*.parquet",
    "xenium_transcripts": "xenium_breast/transcripts/*.parquet",
    "xenium_bundle": "xenium_lung/preview_10k_transcripts",
    "visium": "visium_prostate/*.h5ad",
}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_proposed_file_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["new", name, "--data", FOLDERS[name], "--data-root", str(DATA)])
    assert done.exit_code == 0, done.output
    run = subprocess.run(
        [sys.executable, "-m", "pytest", f"{name}.stbench.yaml", f"--stbench-data={DATA}", "-q", "-p",
         "no:cacheprovider", "--stbench-model=train_mean"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode in (0, 1), run.stdout + run.stderr
    assert "INTERNALERROR" not in run.stdout + run.stderr
    assert "Traceback" not in run.stdout
    last = run.stdout.splitlines()[-1]
    assert "passed" in last, run.stdout
    assert " error" not in last
