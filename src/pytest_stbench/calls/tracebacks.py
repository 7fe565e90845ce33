"""Tracebacks that show a user's own code and nothing of this package."""

from __future__ import annotations

import traceback
from pathlib import Path

from pytest_stbench.errors import ModelError

PACKAGE = Path(__file__).parents[1]


class ModelExited(ModelError):  # says what happened; callers print its message
    """A model that raised SystemExit; its ``__cause__`` is that exception."""


def exit_call(error: SystemExit) -> str:
    """Return the call that raised `error`, such as ``sys.exit(3)``."""
    return f"sys.exit({'' if error.code is None else repr(error.code)})"


OUTCOMES = {
    "Skipped": "pytest.skip()",
    "XFailed": "pytest.xfail()",
    "Failed": "pytest.fail()",
    "Exit": "pytest.exit()",
    "SkipTest": "unittest.SkipTest",
}
"""What a test may raise to say how it ended, by the name of its class: pytest itself stays outside."""
_OF_TESTS = ("_pytest.outcomes", "unittest.case", "builtins")


def outcome_call(error: BaseException) -> str | None:
    """Return the call by which a test says how it ended, such as ``pytest.skip()``; None for other errors."""
    kind = type(error)
    return OUTCOMES.get(kind.__name__) if kind.__module__ in _OF_TESTS else None


def said(error: BaseException) -> str:
    """Return the first line of `error`, as ``ValueError: no such file``, also where its text raises."""
    call = outcome_call(error)
    try:
        text = str(error).partition("\n")[0]
    except KeyboardInterrupt:
        raise
    except BaseException as other:  # noqa: BLE001  # code of a user, as any other
        text = f"(its text cannot be shown: {type(other).__name__})"
    return f"{call}: {text}" if call else f"{type(error).__name__}: {text}"


def user_traceback(error: BaseException) -> str:
    """Return the traceback of `error` as text, without frames of this package.

    Chained exceptions and groups are treated alike; a SystemExit that was turned into
    ``ModelExited`` is shown as ``called sys.exit(3)`` at the place of the call.
    """
    if isinstance(error, ModelExited) and isinstance(error.__cause__, SystemExit):
        *head, _ = _own_frames(error.__cause__).format()
        return "".join([*head, f"SystemExit: called {exit_call(error.__cause__)}\n"])
    return "".join(_own_frames(error).format())


def _own_frames(error: BaseException) -> traceback.TracebackException:
    report = traceback.TracebackException.from_exception(error)
    waiting = [report]
    while waiting:
        part = waiting.pop()
        part.stack = traceback.StackSummary.from_list([f for f in part.stack if not _is_ours(f.filename)])
        waiting.extend(
            other for other in (part.__cause__, part.__context__, *(part.exceptions or ())) if other
        )
    return report


def _is_ours(filename: str) -> bool:
    return Path(filename).is_relative_to(PACKAGE)
