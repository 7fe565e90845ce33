"""Runs that end early, hang or share a store: a cell is fitted at most once, nothing half-done is used."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals that end a process")

FOLDS = ["P01", "P02", "P03", "P04"]
TASK = {
    "datasets": {"sim": {"params": {"patients": 4}}},
    "claim": "exploratory",
    "baselines": ["train_mean", "ridge"],
    "metrics": ["rmse", "spearman_gene"],
    "timeout": 1,
}
OWN = ("--stbench-store=.stbench", "--stbench-model=named")
CONTRACT = "mini.stbench.yaml::contract"
CELLS = ("-m", "not stbench_check")
"""All items of all cells: checks fit nothing."""

MODEL = '''
import json
import os
import signal
import time
from pathlib import Path

import numpy
from pytest_stbench.calls import model_calls

HERE = Path(__file__).parent
SETTINGS = json.loads((HERE / "settings.json").read_text())
model_calls.GRACE = 0.3


def half_written(file, **arrays):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    while True:
        time.sleep(0.05)


def swallow():
    while True:
        try:
            hang()
        except BaseException:
            pass


def die_while_saving():
    numpy.savez = half_written


DEATHS = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "exit": lambda: os._exit(3),
    "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
    "hang": hang,
    "swallow": swallow,
    "die while saving": die_while_saving,
    "slow": lambda: time.sleep(0.3),
}


class Counted(Mean):
    """Adds a line to a file for every fit; in some folds it does harm."""

    def fit(self, train, task):
        trained = {slide.meta.patient_id for slide in train}
        (fold,) = {"P01", "P02", "P03", "P04"} - trained
        with (HERE / "fits").open("a") as file:
            file.write(fold + "\\n")
        DEATHS.get(SETTINGS["deaths"].get(fold), lambda: None)()
        super().fit(train, task)
        self.mean = self.mean + float(SETTINGS["revision"])


class Named(Counted):
    name = "named"
    revision = SETTINGS["revision"]


@pytest.fixture
def counted():
    return Counted()


@pytest.fixture
def named():
    return Named()
'''


@dataclass
class Place:
    """A folder with the small task and a model that counts its fits."""

    bench: object

    def __post_init__(self):
        self.bench.task(**TASK)
        self.bench.conftest(MODEL)

    def deaths(self, revision="1", **deaths):
        self.bench.write("settings.json", json.dumps({"revision": revision, "deaths": deaths}))

    def fits(self):
        """What was fitted since the last call."""
        path = self.bench.folder / "fits"
        found = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def stored(self, folder):
        return sorted(
            path.name for path in (self.bench.folder / ".stbench" / folder).rglob("*") if path.is_file()
        )


@pytest.fixture(scope="module")
def place(make_bench):
    return lambda name: Place(make_bench(name))


@pytest.fixture(scope="module")
def history(place):
    """One store through runs that are interrupted, killed, terminated, that exit, and those after."""
    here = place("history")
    runs = {}

    def run(name, *arguments, process=False, **deaths):
        here.deaths(**deaths)
        do = here.bench.subprocess if process else here.bench.run
        done = do(*OWN, *arguments)
        runs[name] = (done, here.fits(), here.stored("starts"))

    run("interrupted", CONTRACT, P02="interrupt")
    run("killed", CONTRACT, process=True, P02="kill")
    run("terminated", CONTRACT, process=True, P02="terminate")
    run("exited", CONTRACT, process=True, P03="exit")
    run("resumed", *CELLS)
    run("retried", *CELLS, "--stbench-retry")
    run("warm", *CELLS)
    run("revised", *CELLS, revision="2")
    return runs


def test_ctrl_c_leaves_no_marker_and_the_fit_is_done_again(history):
    done, fits, starts = history["interrupted"]
    assert done.code == pytest.ExitCode.INTERRUPTED, done.out
    assert "KeyboardInterrupt" in done.out
    assert (fits, starts) == (["P01", "P02"], [])
    assert "P02" in history["killed"][1]


def test_a_killed_run_resumes_without_the_cells_that_are_done(history):
    done, fits, starts = history["killed"]
    assert done.returncode == -signal.SIGKILL
    assert fits == ["P02"]
    assert len(starts) == 1


def test_a_model_that_exits_ends_the_run_and_the_next_goes_on(history):
    done, fits, starts = history["exited"]
    assert done.returncode == 3
    assert fits == ["P02", "P03"], "nobody knows who killed the run before: its cell is fitted again"
    assert len(starts) == 1
    assert history["resumed"][1] == ["P04"]


def test_what_ended_the_process_is_reported_and_not_fitted_again(history):
    run, fits, _ = history["resumed"]
    assert fits == ["P04"]
    assert run.code == pytest.ExitCode.TESTS_FAILED
    for fold, outcome in zip(FOLDS, ["passed", "passed", "failed", "passed"], strict=True):
        assert run.outcome(f"contract[sim-lopo-{fold}]") == outcome
        assert run.outcome(f"rmse[sim-lopo-{fold}]") == {"passed": "passed", "failed": "blocked"}[outcome]
    message = run.message("contract[sim-lopo-P03]")
    assert "the model ended the process by os._exit(3) (phase fit)" in message
    assert "--stbench-retry" in message
    assert "Traceback" not in message
    assert run.outcome("rmse[sim-lopo]") == "blocked"
    assert "contract[named, sim-lopo-P03]" in run.message("rmse[sim-lopo]")


def test_retry_fits_what_ended_the_process_and_nothing_else(history):
    run, fits, starts = history["retried"]
    assert run.code == pytest.ExitCode.OK, run.out
    assert (fits, starts) == (["P03"], [])


def test_a_warm_run_fits_nothing_and_gives_the_same_scores(history):
    run, fits, _ = history["warm"]
    assert fits == []
    assert "0 cells computed" in run.out
    for name in run.names:
        if name.startswith(("rmse", "spearman_gene")):
            assert run.properties(name) == history["retried"][0].properties(name)


def test_another_revision_is_not_served_old_predictions(history):
    run, fits, _ = history["revised"]
    assert fits == FOLDS
    assert run.outcome("contract[sim-lopo-P02]") == "passed"
    old, new = (
        history[name][0].properties("rmse[sim-lopo]")["stbench.value"] for name in ("warm", "revised")
    )
    assert new > old + 0.1


def test_no_cell_is_fitted_twice_over_all_processes(history):
    revision_1 = [fold for name, (_, fits, _) in history.items() if name != "revised" for fold in fits]
    done_or_dead = {
        name: history[name][1] for name in ("interrupted", "killed", "terminated", "exited", "resumed")
    }
    assert sorted(revision_1) == sorted([*FOLDS, "P02", "P02", "P02", "P03"]), done_or_dead


def test_a_run_that_is_ended_from_outside_goes_on_with_the_cell_it_was_at(history):
    for death, number in (("killed", signal.SIGKILL), ("terminated", signal.SIGTERM)):
        done, fits, _ = history[death]
        assert done.returncode == -number
        assert fits == ["P02"]
    assert history["exited"][1] == ["P02", "P03"]
    assert history["resumed"][0].outcome("contract[sim-lopo-P02]") == "passed"


def test_a_kill_during_the_write_is_no_fault_of_the_model(place):
    here = place("write")
    here.deaths(P02="die while saving")
    done = here.bench.subprocess(*OWN, CONTRACT)
    assert done.returncode == -signal.SIGKILL
    assert here.fits() == ["P01", "P02"]
    files = here.stored("predictions")
    assert [name.endswith(".tmp") for name in files] == [False, True] or [
        name.endswith(".tmp") for name in files
    ] == [True, False]
    here.deaths()
    run = here.bench.run(*OWN, CONTRACT)
    assert run.code == pytest.ExitCode.OK, run.out
    assert here.fits() == ["P02", "P03", "P04"]
    assert [name for name in here.stored("predictions") if name.endswith(".tmp")] == []
    assert len(here.stored("predictions")) == len(FOLDS)


def test_two_runs_at_once_fit_once(place):
    here = place("both")
    here.bench.task(**{**TASK, "timeout": 60})  # two runs share the cores, and nothing hangs
    here.deaths(**dict.fromkeys(FOLDS, "slow"))
    with ThreadPoolExecutor() as threads:
        both = threads.map(
            lambda n: here.bench.subprocess(*OWN, *CELLS, f"--stbench-save=run{n}.json", timeout=300), (1, 2)
        )
    done = list(both)
    assert [run.returncode for run in done] == [0, 0], "\n".join(run.stdout + run.stderr for run in done)
    assert sorted(here.fits()) == FOLDS
    saved = [json.loads((here.bench.folder / f"run{n}.json").read_text())["scores"] for n in (1, 2)]
    first, second = ([(s["model"], s["metric"], s["fold"], s["value"]) for s in scores] for scores in saved)
    assert first == second


def test_a_model_that_hangs_fails_its_cell_alone(place):
    here = place("hang")
    here.deaths(P02="hang")
    run = here.bench.run(*OWN, CONTRACT)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert [run.outcome(f"contract[sim-lopo-{fold}]") for fold in FOLDS] == [
        "passed",
        "failed",
        "passed",
        "passed",
    ]
    message = run.message("contract[sim-lopo-P02]")
    assert "fit took longer than the 1 s of `timeout`" in message
    assert "time.sleep(0.05)" in message
    assert "model_calls" not in message
    assert here.stored("starts") == []


def test_a_model_that_swallows_the_timeout_ends_the_process_and_the_next_run_tells(place):
    here = place("swallow")
    here.deaths(P02="swallow")
    done = here.bench.subprocess(*OWN, CONTRACT)
    assert done.returncode == 70
    assert "ran past its timeout of 1 s and cannot be interrupted" in done.stderr
    assert "in swallow" in done.stderr
    assert here.fits() == ["P01", "P02"]
    run = here.bench.run(*OWN, CONTRACT)
    assert here.fits() == ["P03", "P04"]
    assert [run.outcome(f"contract[sim-lopo-{fold}]") for fold in FOLDS] == [
        "passed",
        "failed",
        "passed",
        "passed",
    ]
    assert "could not be interrupted" in run.message("contract[sim-lopo-P02]")


def test_predictions_of_a_model_without_identity_stay_in_memory(place):
    here = place("anonymous")
    here.deaths()
    for _ in range(2):
        run = here.bench.run("--stbench-store=.stbench", "--stbench-model=counted", *CELLS)
        assert run.code == pytest.ExitCode.OK, run.out
        assert here.fits() == FOLDS
        assert "counted has no identity" in run.line("no identity")
    assert "8 reused" in run.out, "the two baselines have one"
