"""Every row of the table of exit codes in docs/ci.md is what the program returns."""

from __future__ import annotations

import re
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import COMMANDS, main
from pytest_stbench.run.quality.data_checks import Judged
from pytest_stbench.run.selftest.trials import Trial

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
SPOTS = ("--set", "technology=ST", "--set", "resolution=spot", "--set", "um_per_px=1")
POOLED = ("-k", "rmse and not P0")
LEAVES = """
import os


class EndsAtOnce(Mean):
    def fit(self, train, task):
        os._exit(0)


@pytest.fixture
def ends_at_once():
    return EndsAtOnce
"""


def rows():
    """Return command and code of each row; a row without a command is one more of the command above."""
    _, _, table = PAGE.read_text("utf-8").partition("| command | code | meaning |\n|---|---|---|\n")
    found, command = [], ""
    for line in table.split("\n\n")[0].splitlines():
        named, code, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
        command = named.replace("`", "") or command
        found.append((command, int(code)))
    return found


@pytest.fixture(scope="module")
def place(make_bench):
    bench = make_bench("codes")
    bench.conftest(LEAVES)
    bench.task(baselines=["train_mean"])
    bench.task("wrong", family="imputaton")
    bench.task("gated", baselines=["train_mean"], gates={"rmse": {"max": 0.0}})
    bench.write("sheet.csv", "slide,patient\nA,1\n")
    bench.write("broken.json", "{")
    return bench


@pytest.fixture(scope="module")
def runs(place):
    """The code of pytest for what the table says of it."""
    given = ("mini.stbench.yaml", "--stbench-model=mean")
    codes = {
        "passes": place.run(*given, *POOLED, "--stbench-save=a.json").code,
        "again": place.run(*given, *POOLED, "--stbench-save=b.json").code,
        "fails": place.run("gated.stbench.yaml", "--stbench-model=mean", *POOLED).code,
        "blocked": place.run("mini.stbench.yaml", *POOLED).code,
        "invalid": place.run("wrong.stbench.yaml").code,
        "unreadable": place.run(*given, "--stbench-compare=broken.json").code,
        "nothing": place.run(*given, "-k", "nothing").code,
    }
    fold = "mini.stbench.yaml::contract[sim-lopo-P01]"
    return codes | {"leaves": place.subprocess("--stbench-model=ends_at_once", fold, timeout=300).returncode}


@pytest.fixture
def code_of(place, monkeypatch):
    monkeypatch.chdir(place.folder)
    return lambda *arguments: CliRunner().invoke(main, arguments).exit_code


def test_pytest(runs):
    assert [code for command, code in rows() if command == "pytest"] == [0, 1, 2, 4, 5, 70]
    assert runs == {
        "passes": 0, "again": 0, "fails": 1, "blocked": 1, "invalid": 2, "unreadable": 4, "nothing": 5,
        "leaves": 70,
    }  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_0_when_done_and_2_with_a_message(code_of, command):
    assert code_of(command, "--help") == 0
    assert code_of(command, "--no-such-option") == 2


def test_what_commands_find(code_of, runs, monkeypatch):
    passed = Trial(task="t", control="shuffled", metric="rmse", verdict="pass", message="it must not")
    monkeypatch.setattr("pytest_stbench.run.selftest.trials.run_selftest", lambda *_: [passed])
    monkeypatch.setattr("pytest_stbench.report.figures.opened.check_data", lambda *_, **__: Judged())
    monkeypatch.setattr("pytest_stbench.report.figures.folder.written", lambda _: (b"png", b"pdf"))
    slide = ad.AnnData(np.full((60, 120), 5, np.float32), obs={"patient": ["P1"] * 60})
    slide.obsm["spatial"] = np.full((60, 2), np.nan)
    slide.write_h5ad("nowhere.h5ad")
    assert runs["again"] == 0
    found = {
        ("stbench check", code_of("check", "sheet.csv")),
        ("stbench figures", code_of("figures", "nowhere.h5ad", "pictures", *SPOTS)),
        ("stbench selftest", code_of("selftest", "--task", "smoke-imputation")),
        ("stbench compare", code_of("compare", "a.json", "b.json")),
        ("stbench compare", code_of("compare", "a.json", "a.json")),
    }
    every = {("stbench, every command", 0), ("stbench, every command", 2)}
    assert found | every == {row for row in rows() if row[0] != "pytest"}


def test_a_row_without_a_command_belongs_to_the_one_above():
    assert rows()[:2] == [("pytest", 0), ("pytest", 1)]
    assert re.search(r"\| `pytest` \| 0 \|", PAGE.read_text("utf-8"))
