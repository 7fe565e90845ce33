"""Files and stores of a build whose numbers were other ones: named, left unused, never misread."""

from __future__ import annotations

import json
import shutil

import pytest

from pytest_stbench.data import checksums
from pytest_stbench.run.provenance import task_records
from pytest_stbench.spec.numbers import NUMBERS
from pytest_stbench.store import keys

MODEL = """

class Named(Mean):
    name = "named"
    revision = "1"


@pytest.fixture
def named():
    return Named()
"""
OWN = ("--stbench-model=named", "--stbench-store=kept")
SCORES = ("-k", "pearson_gene and not P0 or rmse and not P0")


@pytest.fixture(scope="module")
def lab(make_bench):
    bench = make_bench("moved")
    bench.conftest(MODEL)
    bench.task(
        datasets={"sim": {"params": {"patients": 4}}},
        claim="exploratory",
        baselines=["train_mean", "ridge"],
        metrics=["pearson_gene", "rmse"],
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in (keys, task_records, checksums):
            patch.setattr(module, "NUMBERS", NUMBERS - 1)
        keys.code_version.cache_clear()
        run = bench.run(*OWN, "--stbench-save=older.json", *SCORES)
    keys.code_version.cache_clear()
    assert run.code == 0, run.out
    assert "0 reused" in run.line("store   ")
    shutil.copytree(bench.folder / "kept", bench.folder / "older")
    # As a build wrote it that did not know of versions.
    file = bench.folder / "older.json"
    results = json.loads(file.read_text())
    del results["digests"]
    for task in results["tasks"]:
        assert task.pop("numbers") == NUMBERS - 1
    file.write_text(json.dumps(results))
    return bench


def test_comparing_names_what_moved_once(lab):
    run = lab.run(*OWN, "--stbench-compare=older.json", *SCORES)
    assert run.code == 0, run.out
    line = run.line("not comparable with older.json")
    assert line.startswith(
        "compare pearson_gene[sim-lopo] and 1 more: not comparable with older.json: numbers of "
    )
    assert (
        f"numbers of version {NUMBERS} here, 1 in the stored run. What moved: everything that is drawn"
        in line
    )
    assert "Score the earlier model again with this version" in line
    assert "lost most" not in run.out


def test_a_gate_against_the_older_run_is_not_decided(lab):
    gate = {"gates": {"pearson_gene": {"not_worse_than": {"margin": 0.01}}}}
    path = lab.folder / "mini.stbench.yaml"
    before = path.read_text()
    try:
        lab.task(
            datasets={"sim": {"params": {"patients": 4}}},
            claim="exploratory",
            baselines=["train_mean", "ridge"],
            metrics=["pearson_gene", "rmse"],
            **gate,
        )
        run = lab.run(*OWN, "--stbench-compare=older.json", *SCORES)
    finally:
        path.write_text(before)
    assert run.code == 1
    assert "What moved: everything that is drawn" in run.message("pearson_gene[sim-lopo]")
    assert "Traceback" not in run.out


def test_saving_into_the_older_file_is_refused(lab):
    before = (lab.folder / "older.json").read_bytes()
    run = lab.run(*OWN, "--stbench-save=older.json", *SCORES)
    assert "one name would stand for two things: task mini: numbers of version" in run.line(
        "results NOT saved"
    )
    assert (lab.folder / "older.json").read_bytes() == before


def test_an_older_store_is_left_unused_and_as_it_was(lab):
    older = {path: path.read_bytes() for path in (lab.folder / "older").rglob("*.*") if path.is_file()}
    assert {path.suffix for path in older} >= {".npz", ".json"}
    found = []
    for name in ("fresh", "older"):
        run = lab.run(
            "--stbench-model=named", f"--stbench-store={name}", f"--stbench-save={name}-store.json", *SCORES
        )
        assert run.code == 0, run.out
        assert ", 0 reused" in run.line("store   ")
        scores = json.loads((lab.folder / f"{name}-store.json").read_text())["scores"]
        found.append([{k: v for k, v in s.items() if k not in ("seconds", "peak_memory_mb")} for s in scores])
    assert found[0] == found[1]
    assert {path: path.read_bytes() for path in older} == older
    again = lab.run("--stbench-model=named", "--stbench-store=older", *SCORES)
    assert "0 cells computed" in again.line("store   ")
