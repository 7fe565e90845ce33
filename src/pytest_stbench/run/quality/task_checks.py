"""Data-quality checks of one task: run once, remembered, and what each failure holds back."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import Blocked
from pytest_stbench.checks.result import WITHHOLDS, CheckResult
from pytest_stbench.checks.run import params_of, run_check
from pytest_stbench.index import loaded
from pytest_stbench.models.identity import AS_GIVEN
from pytest_stbench.registry import nearest
from pytest_stbench.run.quality.facts import DatasetFacts, SplitFacts, TaskFacts, names_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_stbench.registry import Check
    from pytest_stbench.run.cells import Cell, Pool
    from pytest_stbench.run.quality.check_memo import CheckMemo
    from pytest_stbench.run.quality.facts import Facts, TestedFacts
    from pytest_stbench.run.task_run import TaskRun


class TaskChecks:
    """Runs the checks of one task file, each once; results of earlier runs come from `memo`."""

    def __init__(self, run: TaskRun, memo: CheckMemo) -> None:
        self._run = run
        self._memo = memo
        self._results: dict[tuple[str, str], CheckResult] = {}
        self._cleared: set[tuple[str, str, str]] = set()

    def run(
        self, record: Check, view: str = "", pool: Pool | None = None, tested: TestedFacts | None = None
    ) -> CheckResult:
        """Return the result of one check on its view of a data set, its split, the task, or a model.

        `tested` are the facts of a model or of its results.
        Raises ``DataMissing`` and ``DataError`` where the data set cannot be opened.
        """
        place = tested.model if tested else pool.id if pool else view
        if (record.name, place) not in self._results:
            withheld = self._withheld(record, pool.dataset if pool else view)
            self._results[record.name, place] = withheld or self._judge(record, view, pool, tested)
        return self._results[record.name, place]

    def _judge(self, record: Check, view: str, pool: Pool | None, tested: TestedFacts | None) -> CheckResult:
        override = self._run.spec.checks.get(record.name)
        key = self._memo.key(record, view, pool, params_of(record, override))
        kept = self._memo.recall(key) if key else None
        if kept is not None:
            return run_check(record, lambda **_: kept, {}, override)
        facts = tested or self._facts(record, view, pool)
        function = loaded(record)
        asked = inspect.signature(function).parameters
        known = names_of(facts)
        untold = [
            name for name, parameter in asked.items()
            if parameter.default is parameter.empty and not parameter.kind.name.startswith("VAR_")
            and name not in known and name not in record.params
        ]  # fmt: skip
        if untold:
            return _not_told(record, untold[0], known)
        arguments = {name: getattr(facts, name) for name in asked if name in known}

        def noting(**given: Any) -> CheckResult:
            result: CheckResult = function(**given)
            # What is no result is refused where it is given its thresholds.
            return self._memo.keep(key, result) if key and isinstance(result, CheckResult) else result

        return run_check(record, noting, arguments, override)

    def _facts(self, record: Check, view: str, pool: Pool | None) -> Facts:
        if record.scope == "split" and pool:
            return SplitFacts(self._run, pool)
        return TaskFacts(self._run) if record.scope == "task" else DatasetFacts(self._run, view)

    def _withheld(self, record: Check, view: str) -> CheckResult | None:
        """Return the skip of a check that another one leaves nothing to judge; None where it is judged."""
        for first in filter(None, map(self._run.registry.checks.get, record.after)):
            if not first.withholds:
                continue
            result = self.run(first, view)
            if result.status == "fail" and WITHHOLDS in result.details:
                fix = f"correct first what {first.name} names"
                wrong = f"places of the units are wrong ({first.name} fails)"
                message = f"{wrong}, so that nothing can be said: {fix}"
                return CheckResult(status="skip", message=message, fix=fix, slides=result.slides)
        return None

    def require_names(self, view: str) -> None:
        """Raise ``Blocked`` unless names and order of units are known to tell nothing of the truth.

        Asked for models that want the names of the data set: under a population claim alone.
        """
        if self._run.spec.claim != "population":
            return
        record = self._run.registry.checks["name_leak"]
        result = self.run(record, view)
        if result.status != "pass":
            why = f"a model with `unit_names = {AS_GIVEN!r}` cannot carry a population claim"
            raise Blocked(cause=f"{record.name}[{view}]", detail=f"{why}: {result.message}")

    def require(self, cell: Cell | Pool) -> None:
        """Raise ``Blocked`` for the first check that failed and holds back the cell."""
        place = (cell.dataset, cell.view, cell.split)
        if place in self._cleared:
            return
        for record, view, pool in self._blocking(cell):
            result = self.run(record, view, pool)
            if result.status == "fail":
                where = pool.id if pool else view
                raise Blocked(
                    cause=f"{record.name}[{where}]" if where else record.name, detail=result.message
                )
        self._cleared.add(place)

    def _blocking(self, cell: Cell | Pool) -> Iterable[tuple[Check, str, Pool | None]]:
        for record in self._run.registry.checks:
            if record.blocks == "nothing":
                continue
            if record.scope == "task":
                yield record, "", None
            elif record.scope == "dataset":
                yield record, cell.view, None
            elif record.scope == "split":
                for pool in self._run.grid.of(cell.dataset):
                    if pool.split == cell.split and not pool.variant:
                        yield record, cell.dataset, pool


def _not_told(record: Check, name: str, known: Collection[str]) -> CheckResult:
    """Return what to say where the function of a check has a parameter that nobody fills."""
    fix = f"name one of {', '.join(sorted(known))}, or give it a default"
    message = f"{record.name} asks for {name!r}, which no check of scope {record.scope} is told"
    return CheckResult(status="fail", message=f"{message}{nearest(name, known)}: {fix}", fix=fix)
