"""What the checks of a model and of its results do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.outcomes import payload
from pytest_stbench.collection.perform import Preparing, judged, parts
from pytest_stbench.collection.under_test import contestant_of
from pytest_stbench.run.about import model_facts, pooled_primary, results_facts
from pytest_stbench.run.checking import About
from pytest_stbench.run.records import contamination_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.collection.plan_items import TaskItems
    from pytest_stbench.run.contestants import Contestant


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
            facts = results_facts(run, recorder, first.label, scored)
        else:
            facts = model_facts(run, first)
        result = run.checking.run(record, about=About(name=first.label, facts=facts))

    def call() -> None:
        ledger = contamination_records(run.spec, result, first.label)
        payload(item)["contamination"] = [entry.to_dict() for entry in ledger]
        judged(item, run, record, result, model=first.label)

    return call


def _metrics_selected(item: pytest.Item, items: TaskItems) -> bool:
    """Tell whether some score of the task file is among the items of this run."""
    module = item.getparent(pytest.Module)
    return any(
        other.getparent(pytest.Module) is module
        and items.functions[getattr(other, "originalname", other.name)].metric is not None
        for other in item.session.items
    )
