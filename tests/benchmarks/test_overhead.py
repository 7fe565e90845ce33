"""What the harness costs: an item beyond its metric, collection of many items, start-up.

Each group holds what is measured and what it stands beside; nothing is asserted about time.
Run: ``pytest tests/benchmarks/test_overhead.py --benchmark-group-by=group --benchmark-columns=min,median``.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

METRICS = ["rmse", "mae", "r2", "pearson_gene", "spearman_gene", "cosine_gene", "concordance", "pearson_spot"]
VARIANTS = 12
ROUNDS = 3
NO_TISSUE = ("ubiquitous_low_variability", "hvg_not_svg", "no_spatial_signal", "housekeeping_only_panel")
"""Checks that thirty units cannot pass."""


def task_of(patients, variants=0):
    return {
        "stbench": 1,
        "name": "many",
        "version": 1,
        "family": "imputation",
        "claim": "exploratory",
        "datasets": {
            "sim": {
                "source": "simulated",
                "params": {"patients": patients, "units": 30, "genes": 60, "image": False},
                "technology": "Visium",
                "resolution": "spot",
            }
        },
        "splits": ["lopo"],
        "preprocess": {
            "filter": {"min_counts": 0, "min_genes": 0},
            "genes": {"select": "all"},
            "variants": {f"v{number}": {"genes": {"n": number + 2}} for number in range(variants)},
        },
        "imputation": {"hide": {"folds": 4, "fold": 0}},
        "baselines": ["train_mean", "ridge"],
        "metrics": METRICS,
        "checks": {name: {"waive": True, "reason": "thirty units have no pattern"} for name in NO_TISSUE},
    }


@pytest.fixture(scope="module")
def few(sized):
    """Patients of the task that is run."""
    return sized(30)


@pytest.fixture(scope="module")
def many(sized):
    """Patients of the task of which items are collected."""
    return sized(100)


@pytest.fixture(scope="module")
def project(tmp_path_factory, few, many):
    """Folders with few cells to run, with many to collect, with as many plain tests, and with nothing."""
    folder = tmp_path_factory.mktemp("overhead")
    for name in ("run", "many", "plain", "empty"):
        (folder / name).mkdir()
        (folder / name / "pytest.ini").write_text("[pytest]\n")
    (folder / "run" / "many.stbench.yaml").write_text(yaml.safe_dump(task_of(few)))
    (folder / "many" / "many.stbench.yaml").write_text(yaml.safe_dump(task_of(many, VARIANTS)))
    (folder / "plain" / "test_plain.py").write_text(
        "import pytest\n\n"
        f"@pytest.mark.parametrize('cell', range({many * (VARIANTS + 1)}))\n"
        f"class TestPlain:\n" + "".join(f"    def test_{name}(self, cell): pass\n" for name in METRICS)
    )
    return folder


@pytest.fixture(scope="module")
def start(project):
    """Start pytest in one of the folders; returns its output."""

    def start(folder, *arguments, plugin=True):
        loaded = ("-p", "pytest_stbench.plugin") if plugin else ()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *loaded, *arguments],
            cwd=project / folder, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        )  # fmt: skip
        assert done.returncode in (0, 5), done.stdout + done.stderr
        return done.stdout

    return start


@pytest.fixture(scope="module")
def warm(start):
    """What the items of metrics need is in the store."""
    start("run", "--stbench-model=ridge", "many.stbench.yaml::contract", "many.stbench.yaml::baselines")


@pytest.mark.parametrize("metrics", [1, len(METRICS)])
@pytest.mark.usefixtures("warm")
def test_metric_items(benchmark, start, few, metrics):
    """All metrics of a cell are computed with its first item: what more items cost is the harness."""
    chosen = [f"many.stbench.yaml::{name}" for name in METRICS[:metrics]]
    benchmark.group = f"{len(METRICS)} or 1 items for each of {few + 1} cells and pools"
    out = benchmark.pedantic(start, args=("run", "--stbench-model=ridge", *chosen), rounds=ROUNDS)
    assert f"{(few + 1) * metrics} passed" in out


@pytest.mark.parametrize("tests", [1, len(METRICS)])
def test_plain_items(benchmark, start, many, tests):
    benchmark.group = f"{len(METRICS)} or 1 plain tests with {many * (VARIANTS + 1)} parameters"
    chosen = [f"test_plain.py::TestPlain::test_{name}" for name in METRICS[:tests]]
    out = benchmark.pedantic(start, args=("plain", *chosen), kwargs={"plugin": False}, rounds=ROUNDS)
    assert f"{many * (VARIANTS + 1) * tests} passed" in out


@pytest.mark.parametrize("folder", ["plain", "many", "empty"])
def test_collecting_10_000_items(benchmark, start, folder):
    benchmark.group = "collect 10,000 items"
    out = benchmark.pedantic(start, args=(folder, "--collect-only", "-qq"), rounds=ROUNDS)
    assert (len(out.splitlines()) > 1) or folder == "empty"


@pytest.mark.parametrize("plugin", [False, True], ids=["without", "with"])
def test_start_on_an_empty_folder(benchmark, start, plugin):
    benchmark.group = "pytest --collect-only on an empty folder"
    benchmark.pedantic(start, args=("empty", "--collect-only"), kwargs={"plugin": plugin}, rounds=10)
