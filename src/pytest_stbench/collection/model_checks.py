"""What the checks of a model and of its results do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.item_outcomes import payload
from pytest_stbench.collection.perform import Preparing, judged, parts
from pytest_stbench.collection.progress import progress_of
from pytest_stbench.collection.session import ARGUMENTS
from pytest_stbench.collection.under_test import contestant_of
from pytest_stbench.run.quality.check_records import contamination_records
from pytest_stbench.run.quality.model_facts import ModelFacts, ResultsFacts, pooled_primary
from pytest_stbench.run.quality.refit import in_fresh_process, refit
from pytest_stbench.spec.defaults import primary_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.checks.fold_state import Refitted
    from pytest_stbench.collection.plan_items import TaskItems
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.quality.facts import TestedFacts
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun


def check(item: pytest.Item, given: Any) -> Callable[[], None]:
    """Prepare a check of one model, or of its results over the variants of the task."""
    items, function, run, recorder = parts(item)
    record = function.check
    assert record is not None

    def contestant(dataset: str) -> Contestant:
        return contestant_of(item, dataset, "", given, run)

    with Preparing(item):
        first = contestant(next(iter(run.spec.datasets)))
        run.require_method(first)
        if record.scope == "results":
            # Selecting data checks alone must not start a model.
            scored = pooled_primary(run, recorder, contestant) if _metrics_selected(item, items) else {}
            asked = bool(scored) and _fits_again(item, first)
            again = partial(_again, item, run, recorder, contestant) if asked else None
            facts: TestedFacts = ResultsFacts(run, recorder, first.label, scored, contestant, again)
        else:
            facts = ModelFacts(run, first)
        result = run.checking.run(record, tested=facts)

    def call() -> None:
        ledger = contamination_records(run.spec, result, first.label)
        payload(item)["contamination"] = [entry.to_dict() for entry in ledger]
        judged(item, run, record, result, model=first.label)

    return call


def _fits_again(item: pytest.Item, contestant: Contestant) -> bool:
    """Tell whether a fold is fitted again: in a release run, a user's model that is fitted here."""
    fitted_here = contestant.baseline is None and contestant.files is None
    return fitted_here and bool(item.config.getoption("stbench_no_skip"))


def _again(
    item: pytest.Item, run: TaskRun, recorder: Recorder, contestant: Callable[[str], Contestant]
) -> Refitted | str:
    """Fit one fold again with the command line of this run."""
    config = item.config
    given = getattr(config, "workerinput", {}).get(ARGUMENTS, config.invocation_params.args)

    def fit(metric: str, model: Contestant, cell: Cell) -> float:
        with progress_of(config)(f"{model.label} {cell.id} again, in a fresh process"):
            return in_fresh_process(
                [str(argument) for argument in given], config.invocation_params.dir, file=item.path,
                metric=metric, cell=cell.id, label=model.label,
            )  # fmt: skip

    return refit(run, contestant, primary_of(run.spec, run.family), recorder.facts.patients, fit)


def _metrics_selected(item: pytest.Item, items: TaskItems) -> bool:
    """Tell whether some score of the task file is among the items of this run."""
    module = item.getparent(pytest.Module)
    return any(
        other.getparent(pytest.Module) is module
        and items.functions[getattr(other, "originalname", other.name)].metric is not None
        for other in item.session.items
    )
