"""A user's pytest settings, other plugins and the oldest declared pytest change nothing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from pathlib import Path

import pytest

OLD_PYTEST = "STBENCH_OLD_PYTEST"
DECLARED_PYTEST = next(
    found[1]
    for requirement in importlib.metadata.requires("pytest-stbench")
    if (found := re.fullmatch(r"pytest>=([\d.]+)", requirement))
)
"""The oldest pytest that the package declares; tests ask for more, under an extra."""
FOLDS = ["P01", "P02", "P03", "P04"]
MODEL = '''
from pathlib import Path

HERE = Path(__file__).parent


class Named(Mean):
    """Adds a line to a file for every fit."""

    name = "named"
    revision = "1"

    def fit(self, train, task):
        (fold,) = {f"P0{number}" for number in range(1, 5)} - {slide.meta.patient_id for slide in train}
        with (HERE / "fits").open("a") as file:
            file.write(fold + "\\n")
        super().fit(train, task)


@pytest.fixture
def named():
    return Named()
'''


class Project:
    """A project of a user, run with different settings, each time with nothing in its store."""

    def __init__(self, bench):
        self.bench = bench
        bench.task(
            datasets={"sim": {"params": {"patients": 4}}},
            claim="exploratory",
            baselines=["train_mean", "ridge"],
            gates={"spearman_gene": {"min": -1.0}},
        )
        bench.conftest(MODEL)
        self.number = 0

    def run(self, *arguments, subprocess=False, plain=("-p", "no:randomly"), **environment):
        """Run pytest; return what it returns and the results without what differs from run to run."""
        self.number += 1
        (self.bench.folder / "fits").unlink(missing_ok=True)
        own = (
            "--stbench-model=named",
            "--stbench-keep=maps",
            f"--stbench-store=store{self.number}",
            f"--stbench-save=run{self.number}.json",
        )
        do = self.bench.subprocess if subprocess else self.bench.run
        done = do(*own, *arguments, plain=plain, **environment)
        file = self.bench.folder / f"run{self.number}.json"
        results = json.loads(file.read_text()) if file.exists() else {"run": None, "scores": []}
        del results["run"]
        for name in ("digests", "sha256"):  # of records with the seconds they took
            results.pop(name, None)
        (results.get("kept") or {}).pop("folder", None)  # it bears the number of the run
        for score in results["scores"]:
            del score["seconds"], score["peak_memory_mb"]
        return done, results

    def fits(self):
        return sorted((self.bench.folder / "fits").read_text().split())


@pytest.fixture(scope="module")
def project(make_bench):
    return Project(make_bench("project"))


@pytest.fixture(scope="module")
def usual(project):
    """What a run with no settings gives."""
    run, results = project.run()
    assert run.code == pytest.ExitCode.OK, run.out
    assert run.of("passed") == run.names
    assert results["scores"]
    assert results["verdicts"]
    assert results["kept"]["maps"]
    assert project.fits() == FOLDS
    return run, results


# Each asks for something else, so that several share a run.
SETTINGS = {
    "no cache, no capture, import mode": ("-p", "no:cacheprovider", "-s", "--import-mode=importlib"),
    "strict, doctest": (
        "--strict-markers", "--strict-config", "--doctest-modules", "--doctest-glob=*.yaml",
    ),
    "names of functions and classes, failed first": (
        "-o", "python_functions=nothing", "-o", "python_classes=*", "--ff",
    ),
}  # fmt: skip


@pytest.mark.parametrize("arguments", SETTINGS.values(), ids=SETTINGS)
def test_settings_change_neither_items_nor_results(project, usual, arguments):
    run, results = project.run(*arguments)
    assert run.code == pytest.ExitCode.OK, run.out
    assert run.names == usual[0].names
    assert results == usual[1]
    assert project.fits() == FOLDS


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_order_gives_the_same_results_and_fits(project, usual, seed):
    pytest.importorskip("pytest_randomly", reason="pytest-randomly is not installed")
    run, results = project.run(f"--randomly-seed={seed}", plain=())
    assert run.code == pytest.ExitCode.OK, run.out
    assert run.names != usual[0].names
    assert sorted(run.names) == sorted(usual[0].names)
    assert results == usual[1]
    assert project.fits() == FOLDS


def test_with_warnings_as_errors_a_check_that_warns_fails_and_nothing_else_does(project, usual, tmp_path):
    """Without xdist as well: whatever imports it finds no such package."""
    (tmp_path / "xdist.py").write_text("raise ModuleNotFoundError('xdist is not installed', name='xdist')\n")
    done, results = project.run(
        "--strict-markers", "-o", "filterwarnings=error", subprocess=True, PYTHONPATH=str(tmp_path)
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    failed = re.findall(r"^FAILED mini\.stbench\.yaml::(\w+)", done.stdout, flags=re.MULTILINE)
    warned = [check["name"] for check in results["checks"] if check["status"] == "warn"]
    assert sorted(failed) == sorted(warned)
    assert "too_few_patients" in warned
    assert "no comparison can pass below 6 patients" in done.stdout
    assert "(warnings are errors in this run)" in done.stdout
    assert "perform.py" not in done.stdout
    assert results == usual[1]


@pytest.mark.skipif(
    OLD_PYTEST not in os.environ,
    reason=f"{OLD_PYTEST} names no folder with the oldest supported pytest "
    f"(pip install --target FOLDER pytest=={DECLARED_PYTEST})",
)
def test_the_oldest_pytest(project, usual):
    folder = Path(os.environ[OLD_PYTEST]).resolve()
    done, results = project.run(
        "-p",
        "pytest_stbench.plugin",
        "-v",
        subprocess=True,
        plain=(),
        PYTHONPATH=str(folder),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert f"pytest-{DECLARED_PYTEST}" in done.stdout
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert [
        line.split(" ")[0].partition("::")[2] for line in done.stdout.splitlines() if " PASSED" in line
    ] == usual[0].names
    assert results == usual[1]
