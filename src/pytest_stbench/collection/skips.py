"""Skips and expected failures that are no words of ours: a model that ends its items has not passed them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.calls.process_end import HonestExits
from pytest_stbench.collection.item_outcomes import BlockedItem, GateNotMet, payload
from pytest_stbench.collection.plan_items import function_of, items_of
from pytest_stbench.collection.remarks import AS_ERROR
from pytest_stbench.errors import StbenchWarning

if TYPE_CHECKING:
    from collections.abc import Generator

MODEL_FIXTURE = "stbench_model"
RAISED_BY = "_stbench_raised_by"
"""Attribute of an exception: the fixture that raised it."""
GAVE_WAY = "_stbench_gave_way"
"""Attribute of an exception that kept the model under test from being made: the fixture that raised it."""
PROCESS: pytest.StashKey[int] = pytest.StashKey()
EXITS: pytest.StashKey[HonestExits] = pytest.StashKey()


def keep_exits_honest(config: pytest.Config) -> None:
    """Let no ``os._exit(0)`` end the run as if it had passed, until `config` is done with."""
    if EXITS not in config.stash:
        config.stash[EXITS] = exits = HonestExits()
        exits.start()
        config.add_cleanup(exits.stop)


class Guard:
    """Hooks around the fixtures of items of task files; a plugin from the first task file on."""

    def __init__(self) -> None:
        self._item: pytest.Item | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember whose fixtures are made, and in which process."""
        self._item = item if item.get_closest_marker("stbench") is not None else None
        item.stash[PROCESS] = os.getpid()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: Any
    ) -> Generator[None, object, object]:
        """Note which fixture of a model skips, expects a failure or ends the session."""
        __tracebackhide__ = True
        try:
            return (yield)
        except (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception) as error:
            name = getattr(error, RAISED_BY, fixturedef.argname)
            setattr(error, RAISED_BY, name)
            if self._item is None or fixturedef.argname not in fixtures_of_model(self._item):
                raise
            if not isinstance(error, pytest.exit.Exception):
                setattr(error, GAVE_WAY, name)
                raise
            # pytest lets it end the session, with a code of its own choice, also from its cache.
            blocked = blocked_by_fixture(name, error)
            fixturedef.cached_result = (None, fixturedef.cache_key(request), (blocked, None))
            raise blocked from None


def fixtures_of_model(item: pytest.Item) -> set[str]:
    """Return the names of the fixtures that make the model under test, as far as signatures tell."""
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # items are functions
    found: set[str] = set()
    waiting = [MODEL_FIXTURE]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for made in known.get(name, ()) for other in made.argnames]
    return found - {"request"}


def blocked_by_fixture(name: str, error: BaseException) -> BlockedItem:
    """Return the outcome of an item whose model was not made because its fixture gave way."""
    from pytest_stbench.calls.model_calls import ADVICE
    from pytest_stbench.calls.tracebacks import said

    detail = f"its fixture {name} called {said(error)}; a model that ends its test has not passed: {ADVICE}"
    return BlockedItem(cause=f"model fixture {name}", detail=detail)


def own_outcome(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Make a failure of a skip or an expected failure that neither the task file nor this package asked for.

    What a user's marks and other fixtures ask is theirs to say, but under ``--stbench-no-skip``.
    """
    error = call.excinfo.value if call.excinfo else None
    name = getattr(error, GAVE_WAY, None)
    if name is not None and error is not None:
        error = blocked_by_fixture(name, error)
        _fail(report, str(error))
    if isinstance(error, StbenchWarning):
        _fail(report, f"{error} {AS_ERROR}")
    if isinstance(error, BlockedItem):
        task = items_of(item).task.spec.name
        payload(item).update(outcome="blocked", task=task, cause=error.cause, detail=error.detail)
    if not report.skipped or "skipped" in payload(item) or _expected(item, error):
        return
    if report.when == "teardown" or item.config.getoption("stbench_no_skip"):
        kind = "expected to fail" if hasattr(report, "wasxfail") else "skipped"
        why = getattr(report, "wasxfail", "") or str(getattr(error, "msg", None) or error)
        _fail(report, f"{kind} by something outside the task file: {why} (--stbench-no-skip allows none)")


def _expected(item: pytest.Item, error: object) -> bool:
    """Tell whether the task file knows its gate to fail."""
    return isinstance(error, GateNotMet) and function_of(item).name in items_of(item).task.spec.xfail


def _fail(report: pytest.TestReport, message: str) -> None:
    report.outcome = "failed"
    report.longrepr = message
    if hasattr(report, "wasxfail"):
        del report.wasxfail
