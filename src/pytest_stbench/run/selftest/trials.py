"""Negative controls through shipped tasks: what must never pass, held to the same rules as a model.

Some are made of predictions of the baselines (:mod:`~pytest_stbench.run.selftest.control_predictions`),
others are models that go through the whole contract (:mod:`~pytest_stbench.run.selftest.control_models`).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.computing import Prediction
from pytest_stbench.calls.contestants import Contestant
from pytest_stbench.calls.failures import Blocked, CellFailed
from pytest_stbench.checks.fold_state import state_across_folds
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import StbenchError
from pytest_stbench.models.fresh import ModelHandle
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.quality.refit import in_fresh_process, refit
from pytest_stbench.run.runner import Runner, no_progress
from pytest_stbench.run.selftest.control_models import CONTROL_MODELS, MEMORY, Memory, Stated
from pytest_stbench.run.selftest.control_predictions import CONTROLS, NEEDS_REFERENCE, Material
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import metrics_of, primary_of
from pytest_stbench.spec.validate import load_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from pytest_stbench.checks.result import CheckResult
    from pytest_stbench.registry import Registry
    from pytest_stbench.run.cells import Cell, Pool
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun

DEFAULT_TASKS = ("smoke-expression", "smoke-imputation", "smoke-signatures", "smoke-niches")
"""A task of every gate that compares with baselines, and one of labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one control on one task.

    ``verdict`` is that of the rules on ``metric``, ``contract`` where the model was refused before, ``state``
    where a fold that is fitted again in a fresh process stops it, and empty where the control does not
    apply (``message`` says why).
    """

    task: str
    control: str
    metric: str
    verdict: str
    message: str

    @property
    def passed(self) -> bool:
        """Whether something passed that must not."""
        return self.verdict == "pass"


def run_selftest(
    paths: Iterable[Path],
    registry: Registry,
    progress: Callable[[str], AbstractContextManager[Any]] = no_progress,
) -> Iterator[Trial]:
    """Yield what came of every control on every gated and primary metric of the tasks at `paths`.

    Raises ``StbenchError`` for a task that needs data that do not come with the package.
    """
    with tempfile.TemporaryDirectory(prefix="stbench-selftest-") as folder:
        settings = RunSettings(store=Path(folder), run_id="selftest")
        runner = Runner(settings, registry, progress)
        for path in paths:
            task = load_task(path, registry)
            elsewhere = [n for n, found in task.spec.datasets.items() if found.source != "simulated"]
            if elsewhere:
                raise StbenchError(
                    f"{path}: the data set {elsewhere[0]} does not come with the package; name smoke tasks"
                )
            grid = make_grid(task, lambda name, found: load_samples(found, name, ()), registry.splits)
            metrics = metrics_of(task.spec, registry.families[task.spec.family])
            run, recorder = runner.task_run(task, grid, metrics, ())
            for pool in grid.pools:
                yield from _of_pool(run, recorder, pool, Path(folder))
        runner.close()


def _of_pool(run: TaskRun, recorder: Recorder, pool: Pool, store: Path) -> Iterator[Trial]:
    metrics = dict.fromkeys((primary_of(run.spec, run.family), *run.spec.gates))
    made = {name: _contestant(name, Stated) for name in CONTROLS}
    made |= {name: _contestant(name, model) for name, model in CONTROL_MODELS.items()}
    refused: dict[str, str] = {}
    Memory.seen.clear()
    for cell in pool.cells:
        run.require_data(cell)
        for record in run.ladder(cell.dataset).baselines:
            run.ready_baseline(record, cell)
        run.ceilings(cell)  # while the fold is at hand
        material = Material(run, cell)
        for name, make in CONTROLS.items():
            values = make(material)
            if isinstance(values, str):
                refused[name] = values
            elif name not in refused:
                run.adopt(made[name], cell, Prediction(values=values))
        Memory().fit(material.fold.train_inputs(None), material.fold.task)
        _score(run, made, cell, CONTROL_MODELS.keys() - {MEMORY}, refused)
    # As with a second seed or task file: it has seen every slide before it is asked.
    for cell in pool.cells:
        _score(run, made, cell, {MEMORY}, refused)
    again: CheckResult | None = None
    for name, contestant in made.items():
        for metric in metrics:
            trial = _trial(run, recorder, pool, contestant, metric, refused.get(name, ""))
            if trial.passed and name == MEMORY:
                again = again or _fitted_again(run, recorder, contestant, store)
                if again.status != "pass":
                    trial = replace(trial, verdict="state", message=again.message)
            yield trial


def _score(
    run: TaskRun, made: Mapping[str, Contestant], cell: Cell, names: Iterable[str], refused: dict[str, str]
) -> None:
    for name in sorted(names):
        if name not in refused:
            try:
                run.scores(made[name], cell)
            except CellFailed as error:
                refused[name] = f"contract: {error}"


def _trial(
    run: TaskRun, recorder: Recorder, pool: Pool, contestant: Contestant, metric: str, refused: str
) -> Trial:
    name = contestant.label
    gate = run.spec.gates.get(metric)
    verdict, message = "", refused
    if refused.startswith("contract: "):
        verdict, message = "contract", refused.removeprefix("contract: ")
    elif name in NEEDS_REFERENCE and gate is not None and gate.beats is None:
        message = "the gate holds no baseline, and what S says is nothing negative"
    elif not refused:
        try:
            found = recorder.pooled(contestant, pool, metric).verdict
        except (Blocked, CellFailed) as error:
            verdict, message = "contract", str(error)
        else:
            verdict = found.verdict if found else ""
            message = found.message if found else "no rule on this metric"
    return Trial(task=run.spec.name, control=name, metric=metric, verdict=verdict, message=message)


def _fitted_again(run: TaskRun, recorder: Recorder, contestant: Contestant, store: Path) -> CheckResult:
    """Return what a release run says of a model that passed: it fits a fold again in a fresh process."""
    model = CONTROL_MODELS[contestant.label]

    def fit(metric: str, _contestant: Contestant, cell: Cell) -> float:
        arguments = [
            "-c", os.devnull, "--noconftest", f"--stbench-store={store}",
            f"--stbench-model=import:{model.__module__}:{model.__name__}",
        ]  # fmt: skip
        return in_fresh_process(
            arguments, store, file=run.task.path, metric=metric, cell=cell.id, label=model.__name__
        )

    primary = primary_of(run.spec, run.family)
    again = refit(run, lambda _dataset: contestant, primary, recorder.facts.patients, fit)
    better = run.registry.metrics[primary].better
    return state_across_folds(model=contestant.label, beside={}, better=better, refitted=lambda: again)


def _contestant(name: str, model: type) -> Contestant:
    return Contestant(label=name, handle=ModelHandle(name, model))
