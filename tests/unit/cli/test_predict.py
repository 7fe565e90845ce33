"""``stbench predict`` in this process, and what it refuses before anything is computed."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.cluster.giving import EXIT_INTERRUPTED
from pytest_stbench.cluster.predicting import Predicting

TASK = {
    "stbench": 1,
    "name": "mini",
    "version": 1,
    "family": "imputation",
    "claim": "exploratory",
    "datasets": {
        "sim": {
            "source": "simulated",
            "params": {"patients": 3, "units": 60, "genes": 80, "image": False},
            "technology": "Visium",
            "resolution": "spot",
            "panel": "simulated",
        }
    },
    "splits": ["lopo"],
    "seeds": [0, 1],
    "preprocess": {"filter": {"min_counts": 100, "min_genes": 20}, "genes": {"select": "svg", "n": 10}},
    "imputation": {"hide": {"folds": 4, "fold": 0}},
    "baselines": ["train_mean", "ridge"],
}
CELLS, LADDER, FOLDS = 6, 2, 3

MODELS = """
import numpy as np


class Mean:
    name = "mean"
    revision = "1"
    fails = ""

    def fit(self, train, task):
        if self.fails and self.fails not in {slide.meta.patient_id for slide in train}:
            raise ValueError("no such fold")
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


class Fails(Mean):
    name = "fails"
    fails = "P03"


class Embeds:
    name = "labels"
    revision = "1"

    def predict_labels(self, slide, classes):
        return np.array([classes[0]] * slide.n_units)


class Nameless(Mean):
    name = None


def not_there():
    raise RuntimeError("the weights are not there")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mini.stbench.yaml").write_text(yaml.safe_dump(TASK, sort_keys=False))
    (tmp_path / "command_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("command_models", None)


def kept_of(folder, kind):
    return {path.name: path.stat().st_ctime_ns for path in (folder / ".stbench/remember" / kind).iterdir()}


def predict(*arguments, model="import:command_models:Mean"):
    return CliRunner().invoke(main, ["predict", *arguments, f"--model={model}"])


def test_every_cell_and_its_baselines_are_kept_and_used_by_pytest(folder):
    done = predict("mini.stbench.yaml")
    assert done.exit_code == 0, done.output
    number = CELLS + LADDER * FOLDS  # the seed of a model is no business of a baseline
    assert f"7 of 7 jobs done; {number} predictions computed, 0 reused: {folder / '.stbench'}" in done.output
    assert "[2/7] Mean mini sim-lopo-P01-s0: 3 computed, 0 reused, " in done.output
    assert "[3/7] Mean mini sim-lopo-P01-s1: 1 computed, 0 reused, " in done.output
    checks, ceilings = kept_of(folder, "checks"), kept_of(folder, "ceilings")
    assert len(checks) > 20
    assert len(ceilings) == FOLDS
    again = predict("mini.stbench.yaml")
    assert f"0 predictions computed, {number} reused" in again.output
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "mini.stbench.yaml",
        "--stbench-model=import:command_models:Mean",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    found = re.search(r"store .*: (\d+) cells computed, (\d+) reused", run.stdout)
    assert found, run.stdout
    assert (int(found[1]), int(found[2])) == (0, number)
    assert kept_of(folder, "checks") == checks
    assert kept_of(folder, "ceilings") == ceilings


def test_a_cell_that_fails_is_told_and_costs_no_other(folder):
    done = predict(".", model="import:command_models:Fails")
    assert done.exit_code == 1
    assert (
        "[6/7] Fails mini sim-lopo-P03-s0: failed: raised ValueError: no such fold (in fit), " in done.output
    )
    assert "5 of 7 jobs done, 2 failed" in done.output
    assert 'raise ValueError("no such fold")' in done.output
    # The baselines of the fold are there all the same.
    assert f"{CELLS - 2 + LADDER * FOLDS} predictions computed" in done.output


def test_a_model_without_the_method_is_skipped_and_the_baselines_are_kept(folder):
    done = predict("mini.stbench.yaml", model="import:command_models:Embeds")
    assert done.exit_code == 0, done.output
    assert "skipped: Embeds has no method impute" in done.output
    assert f"1 of 7 jobs done, 6 skipped; {LADDER * FOLDS} predictions computed" in done.output


@pytest.mark.parametrize(
    ("arguments", "model", "said"),
    [
        (["mini.stbench.yaml"], "fixture:mine", "a fixture lives in a run of pytest"),
        (["mini.stbench.yaml"], "predictions:out", "these are predicted already"),
        (["mini.stbench.yaml"], "import:command_models:Men", "has no attribute 'Men'; did you mean 'Mean'?"),
        (["mini.stbench.yaml"], "import:absent.models:Mean", "there is no module 'absent'"),
        (["mini.stbench.yaml"], "import:command_models:not_there", "RuntimeError: the weights are not there"),
        (
            ["mini.stbench.yaml"],
            "import:command_models:Nameless",
            "it has no `name` and `revision`: give it both",
        ),
        (["absent.stbench.yaml"], "ridge", "absent.stbench.yaml"),
        (["command_models.py"], "ridge", "command_models.py is no task file"),
        (["mini.stbench.yaml", "--dask", "tcp://host"], "ridge", "write local:N for N workers"),
        (["mini.stbench.yaml", "--dask", "local:0"], "ridge", "write local:N for N workers"),
        (["mini.stbench.yaml", "--resources", "gpu"], "ridge", "NAME=NUMBER, for example gpu=1"),
        (["mini.stbench.yaml", "--resources", "gpu=no"], "ridge", "NAME=NUMBER, for example gpu=1"),
        (["mini.stbench.yaml", "--resources", "gpu=-1"], "ridge", "NAME=NUMBER, for example gpu=1"),
        (["mini.stbench.yaml", "--resources", "gpu=1"], "ridge", "--resources is for workers of a scheduler"),
        (["mini.stbench.yaml", "--stbench-store", "command_models.py"], "ridge", "cannot write to the store"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_kept(folder, arguments, model, said):
    done = predict(*arguments, model=model)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert not list(folder.glob(".stbench/predictions/*/*"))
    assert not list(folder.glob(".stbench/.at-work-*"))


def test_a_baseline_that_is_no_model_is_blocked_in_words(folder):
    done = predict("mini.stbench.yaml", model="baseline:libsize")
    assert done.exit_code == 1
    assert "libsize is a diagnostic: it is given the truth" in done.output


def test_a_store_that_keeps_nothing_ends_the_command(folder, monkeypatch):
    monkeypatch.setattr("pytest_stbench.store.store.write_archive", _full)
    done = predict("mini.stbench.yaml")
    assert done.exit_code == 2
    text = " ".join(done.output.split())
    assert f"this process computes in vain: predictions cannot be kept in {folder / '.stbench'} (" in text
    assert "No space left on device" in text


def _full(*_, **__):
    raise OSError(28, "No space left on device")


def test_ctrl_c_says_what_is_there(folder, monkeypatch):
    real = Predicting.do

    def do(self, job):
        if "P02" in job.cell:
            raise KeyboardInterrupt
        return real(self, job)

    monkeypatch.setattr(Predicting, "do", do)
    done = predict("mini.stbench.yaml")
    assert done.exit_code == EXIT_INTERRUPTED
    assert f"interrupted: 3 of 7 jobs are done and kept in {folder / '.stbench'}; the same" in done.output


def test_without_dask_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = predict("mini.stbench.yaml", "--dask", "tcp://127.0.0.1:9")
    assert done.exit_code == 2
    assert "pip install 'pytest-stbench[dask]'" in done.output


def test_where_a_program_answers_that_is_no_scheduler_one_sentence_says_so(folder, monkeypatch):
    pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")
    monkeypatch.setattr("pytest_stbench.cluster.dasked.CONNECT_SECONDS", 1)
    done = predict("mini.stbench.yaml", "--dask", "tcp://127.0.0.1:9")
    assert done.exit_code == 2
    assert "no scheduler of dask answers there (" in done.output
