"""The shipped task on signatures of her2st, with its primary metric alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_stbench.resources import tasks_dir

from .conftest import TWO_EACH

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "her2st").is_dir(), reason="set STBENCH_DATA to the development data"
)
SECTIONS = f"datasets: {{her2st: {{{TWO_EACH}}}}}\n"


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Fold and pooled scores of the simple baseline and the ladder."""
    folder = tmp_path_factory.mktemp("signatures")
    for name in ("_her2st.stbench-inc.yaml", "her2st-signatures.stbench.yaml"):
        (folder / name).write_text((tasks_dir() / name).read_text())
    task = folder / "her2st-signatures.stbench.yaml"
    task.write_text(task.read_text() + "metrics: [partial_spearman_gene]\nbaselines: [libsize]\n" + SECTIONS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", task.name, f"--stbench-data={DATA}", "-q", "-p", "no:cacheprovider",
         "--stbench-model=ridge", "--stbench-save=out.json"],
        cwd=folder, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "out.json").read_text())["scores"]


def pooled(scores, model):
    (found,) = [s for s in scores if s["fold"] is None and s["model"] == model]
    return found


def test_programmes_are_placed_from_the_genes_of_a_panel(scores):
    found = pooled(scores, "ridge")
    assert 0.2 < found["value"] < 0.3
    assert len(found["per_patient"]) == 6
    assert min(found["per_patient"].values()) > 0.1
    assert 0.15 < found["ceiling"] < 0.3


def test_what_knows_no_place_or_depth_alone_gets_nothing(scores):
    assert pooled(scores, "train_mean")["value"] == 0
    assert pooled(scores, "train_mean")["undefined"]["pred_constant"] > 200
    assert abs(pooled(scores, "libsize")["value"]) < 0.06


def test_half_of_the_signatures_can_be_scored(scores):
    numbers = [s["n_genes"] for s in scores if s["fold"] is not None and s["model"] == "ridge"]
    assert len(numbers) == 6
    assert all(18 <= number <= 24 for number in numbers)
