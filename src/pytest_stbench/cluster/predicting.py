"""Cells predicted in this process, by the calls that the items of pytest make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.contestants import Contestant, user_contestant
from pytest_stbench.calls.failures import Blocked, CellFailed, NotSupported, blocking, first_line
from pytest_stbench.calls.model_calls import built
from pytest_stbench.calls.stored_identity import IdentityRemarks, keeps
from pytest_stbench.cluster.orders import CellJob, Done, Outcome
from pytest_stbench.cluster.work import UnfitError, Work
from pytest_stbench.collection.model_choice import (
    BaselineChoice,
    NoModel,
    model_label,
    resolve_bare,
    resolve_explicit,
    split_choice,
)
from pytest_stbench.data.roots import data_roots
from pytest_stbench.errors import DataError, DataMissing, ModelError, StbenchError
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.quality.given import checks_of
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.separate_panels import task_and_grid
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import family_of, metrics_of, with_defaults
from pytest_stbench.spec.fingerprint import fingerprint
from pytest_stbench.spec.validate import load_task
from pytest_stbench.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.cluster.orders import Order
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.task_run import TaskRun

RANKS: tuple[Outcome, ...] = ("done", "skipped", "blocked", "failed")
"""Outcomes of the two sides of a job, that of the whole last."""


class Predicting(Work):
    """Predicts the cells of one order; slides, folds and fits stay in memory as in a run of pytest."""

    jobs = CellJob

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self._registry = builtin_registry()
        settings = RunSettings(
            data=Path(order.data) if order.data else None,
            store=Path(order.store), retry=order.asked["retry"], run_id=order.run,
        )  # fmt: skip
        self._runner = Runner(settings, self._registry)
        self._store = Store(settings.store)
        self._computed: set[str] = set()
        self._tasks: dict[str, tuple[str, Callable[[], TaskRun], dict[str, Cell]]] = {}
        self._given: Any = None
        self._contestant: Contestant | None = None

    def _done(self, job: CellJob) -> Done:
        found, remarks = self._sides(job)
        outcome = max((kind for kind, _ in found), key=RANKS.index)
        news = self._runner.tally.news()
        self._computed = set(news["computed"])
        computed, reused = len(self._computed), len(set(news["reused"]) - self._computed)
        return Done(
            outcome=outcome,
            message="\n".join(dict.fromkeys(text for kind, text in found if kind == outcome and text)),
            said="judged" if job.checks else f"{computed} computed, {reused} reused",
            computed=computed,
            reused=reused,
            remarks=tuple(remarks),
        )

    def _kept(self) -> bool:
        return all(map(self._store.holds, self._computed))

    def _sides(self, job: CellJob) -> tuple[list[tuple[Outcome, str]], list[str]]:
        """Return how each side of a job ended, and remarks on the model."""
        said: list[str] = []
        run, cell = self._cell(job)
        found: list[tuple[Outcome, str]] = [("done", "")]
        if job.checks:
            found.append(_ended(lambda: self._checks(run, cell)))
        if job.model:
            found.append(_ended(lambda: said.extend(self._model(run, cell))))
        if job.baselines:
            found.append(_ended(lambda: self._baselines(run, cell)))
        return found, said

    def _checks(self, run: TaskRun, cell: Cell) -> None:
        """Judge the data and splits of a cell as the items of checks do; what a check finds, pytest tells."""
        run.views.dataset(cell.view)
        for record, pool in checks_of(run, cell.view):
            run.checking.run(record, pool.view if pool else cell.view, pool)

    def _model(self, run: TaskRun, cell: Cell) -> tuple[str, ...]:
        """Predict a cell as its item ``contract`` does, without scores; return the remarks on the model."""
        contestant = self._contestant_of(run, cell.dataset)
        run.require_data(cell)
        run.require_method(contestant)
        if contestant.handle.own_names:
            run.checking.require_names(cell.view)
        return run.prediction(contestant, cell).remarks

    def _baselines(self, run: TaskRun, cell: Cell) -> None:
        """Predict a cell as its item ``baselines`` does, and what its scores are read against."""
        run.require_data(cell)
        for record in run.ladder(cell.dataset).baselines:
            run.run_baseline(record, cell)
        with blocking(f"baselines[{cell.id}]"):
            run.ceilings(cell)

    def _cell(self, job: CellJob) -> tuple[TaskRun, Cell]:
        """Return a cell and the run of its task.

        Raises ``UnfitError``, since the command has read the same task file.
        """
        try:
            if job.task not in self._tasks:
                self._tasks[job.task] = self._read(Path(job.task))
            mark, run, cells = self._tasks[job.task]
        except StbenchError as error:
            raise UnfitError(f"cannot read the task file {job.task}: {error}") from None
        if mark != job.fingerprint:
            message = f"has another text of the task file {job.task} than the command"
            raise UnfitError(f"{message}: put task files on a path that all machines share")
        if job.cell not in cells:
            raise UnfitError(f"does not find the data of {job.cell} that {job.task} names")
        return run(), cells[job.cell]

    def _read(self, path: Path) -> tuple[str, Callable[[], TaskRun], dict[str, Cell]]:
        task = load_task(path, self._registry)
        mark = mark_of(task.spec, self._registry)
        roots = data_roots(path.parent, self._order.data)
        task, grid = task_and_grid(task, roots, self._registry, Path(self._order.store))
        metrics = metrics_of(task.spec, family_of(task.spec, self._registry))

        def run() -> TaskRun:
            return self._runner.task_run(task, grid, metrics, roots)[0]

        return mark, run, {cell.id: cell for pool in grid.pools for cell in pool.cells}

    def _contestant_of(self, run: TaskRun, dataset: str) -> Contestant:
        if self._contestant is not None:
            return self._contestant
        try:
            return run.baseline(self._given.name, dataset)
        except ModelError as error:
            raise Blocked(cause=f"model {self._given.name}", detail=str(error)) from None

    def _look(self) -> None:
        model = self._order.asked["model"]
        label, given = model_label(model), resolved(model)
        if isinstance(given, NoModel):
            raise UnfitError(f"does not have the model {model}: {first_line(given.message)}")
        self._given = given
        if isinstance(given, BaselineChoice):
            return
        try:
            contestant: Contestant = built(label, lambda: user_contestant(label, given), None)
            identity = built(label, lambda: contestant.handle.identity, None)
        except Blocked as error:
            raise UnfitError(f"cannot build the model {label}: {first_line(error.detail)}") from None
        except ModelError as error:
            raise UnfitError(f"cannot use the model {label}: {error}") from None
        if not keeps(identity):
            why = IdentityRemarks().memory_only(contestant) or (
                f"predictions of {label} cannot be kept, since it has no `name` and `revision`: give it both",
            )
            raise UnfitError(f"would fill no store: {why[0]}")
        self._contestant = contestant


def resolved(choice: str) -> Any:
    """Return what ``--model`` stands for, as ``--stbench-model`` does."""
    form, name = split_choice(choice)
    return resolve_bare(name) if form == "name" else resolve_explicit(form, name)


def mark_of(spec: Any, registry: Any) -> str:
    """Return the fingerprint of what a task file says."""
    return fingerprint(with_defaults(spec, registry)).digest


def _ended(side: Callable[[], object]) -> tuple[Outcome, str]:
    """Return how one side of a job ended."""
    try:
        side()
    except NotSupported as error:
        return "skipped", str(error)
    except (Blocked, DataMissing) as error:
        return "blocked", str(error)
    except (CellFailed, DataError) as error:
        return "failed", str(error)
    return "done", ""
