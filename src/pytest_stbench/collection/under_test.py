"""The model under test of an item: a baseline by name, or what the user's fixture gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.calls.contestants import Contestant, user_contestant
from pytest_stbench.calls.failures import Blocked
from pytest_stbench.calls.model_calls import built
from pytest_stbench.collection.model_choice import BaselineChoice, NoModel, model_label
from pytest_stbench.collection.plan_items import MODEL_NAME, items_of
from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from pytest_stbench.run.task_run import TaskRun

LATEST: pytest.StashKey[dict[str, tuple[object, Contestant]]] = pytest.StashKey()


def contestant_of(item: pytest.Item, dataset: str, cell: str, given: Any, run: TaskRun) -> Contestant:
    """Return the model under test on a data set; `cell` is the part of the node id that is none of it.

    Raises ``Blocked`` when there is none.
    """
    if isinstance(given, NoModel):
        raise Blocked(cause=given.cause, detail=given.message)
    label = label_of(item, cell)
    try:
        if isinstance(given, BaselineChoice):
            return run.baseline(given.name, dataset)
        return _from_user(item.config, label, given, run.spec.timeout)
    except ModelError as error:
        raise Blocked(cause=f"model {label}", detail=str(error)) from None


def _from_user(config: pytest.Config, label: str, given: object, timeout: float | None) -> Contestant:
    """Return the contestant of a fixture's value; the same value gives the same one, copied once."""
    latest = config.stash.setdefault(LATEST, {})
    if label not in latest or latest[label][0] is not given:
        made: Contestant = built(label, lambda: user_contestant(label, given), timeout)
        latest[label] = (given, made)
    return latest[label][1]


def label_of(item: pytest.Item, cell: str) -> str:
    """Return the name of the model, with the parameter of its fixture where there is one."""
    items = items_of(item)
    callspec = getattr(item, "callspec", None)  # a check of the only model has no parameter
    if callspec is None:
        return model_label(items.choices[0])
    choice = callspec.params.get(MODEL_NAME)
    if choice is not None:
        return model_label(choice)
    name = model_label(items.choices[0])
    parameter = callspec.id.removesuffix(cell).rstrip("-")
    return f"{name}[{parameter}]" if parameter else name
