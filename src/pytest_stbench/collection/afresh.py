"""The plugin of a process that fits one fold again, started by :mod:`pytest_stbench.run.quality.refit`.

It takes the command line of the run it belongs to, collects one task file, runs one score of one fold, writes
the value and ends before anybody writes a report: those belong to the run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.plan_items import CELL
from pytest_stbench.run.settings import AFRESH

if TYPE_CHECKING:
    from collections.abc import Generator

ALONE: dict[str, Any] = {"numprocesses": None, "dist": "no", "tx": [], "usepdb": False, "trace": False}
"""Options of others that have no place in a process that nobody sees."""
ANSWER: dict[str, Any] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Collect the one task file, in this process."""
    config.args = [_asked()["file"]]
    for name, value in ALONE.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, object, object]:
    """Keep the one score, whatever was selected in the run."""
    every = list(items)
    result = yield
    items[:] = [item for item in every if _is_asked(item)][:1]
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the value, or what kept it from being made; then end."""
    scores = getattr(report, "stbench", {}).get("scores")
    if scores:
        ANSWER["value"] = scores[0]["value"]
    elif report.failed or report.skipped:
        ANSWER.setdefault("error", str(report.longreprtext).partition("\n")[0])
    if report.when == "teardown":
        from pytest_stbench.calls.process_end import leave

        if "value" not in ANSWER:
            ANSWER.setdefault("error", "the score was not made")
        Path(_asked()["answer"]).write_text(json.dumps(ANSWER), encoding="utf-8")
        leave()


def _asked() -> dict[str, str]:
    found: dict[str, str] = json.loads(os.environ[AFRESH])
    return found


def _is_asked(item: pytest.Item) -> bool:
    asked = _asked()
    cell = getattr(getattr(item, "callspec", None), "params", {}).get(CELL)
    name = getattr(item, "originalname", "")
    if name != asked["metric"] or cell is None or cell.id != asked["cell"]:
        return False
    from pytest_stbench.collection.under_test import label_of

    return label_of(item, cell.id) == asked["label"]
