"""The package of docs/examples, as an installation of it is seen: by its entry point and its index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_stbench.index import NAME, declared, text_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "stbench-ratios"
PACKAGE = "stbench_ratios"


@pytest.fixture
def installed(tmp_path):
    """A folder on the path with the package and what tells of its entry point."""
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE / PACKAGE, site / PACKAGE)
    info = site / "stbench_ratios-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stbench-ratios\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pytest_stbench.catalogues]\nratios = {PACKAGE}\n")
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pytest.ini", tmp_path)
    return tmp_path


def run(folder, *arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "site"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_stbench.plugin",
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_example_runs_as_it_is(installed):
    done = run(
        installed, "--stbench-model=train_median", "-m", "not stbench_check and not stbench_model_check"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("ratios v1", "quantile_error", "train_median", "2 ratios, last_out"):
        assert shown in done.stdout


def test_its_settings_are_held_before_anything_runs(installed):
    task = installed / "tests" / "ratios.stbench.yaml"
    task.write_text(task.read_text().replace("[CD3E, GAPDH]", "[CD3E, CD3E]"))
    done = run(installed, "--collect-only")
    assert done.returncode != 0
    message = "ratios.stbench.yaml:19: ratios.pairs[1]: is the ratio of CD3E to itself: name two genes"
    assert message in done.stdout


def test_its_index_is_what_it_declares(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    try:
        found = text_of(declared(PACKAGE))
        assert (EXAMPLE / PACKAGE / NAME).read_text(encoding="utf-8") == found, (
            f"run: stbench index {PACKAGE}"
        )
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
