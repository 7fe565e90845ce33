from __future__ import annotations

import signal
import sys
import time
import traceback

import pytest

from pytest_stbench.calls.guard import ModelTimeout, guarded_call
from pytest_stbench.calls.tracebacks import user_traceback

needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarm signal on this system")


def nap(seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return "woke"


def raise_value_error():
    raise ValueError("inner")


def chained():
    try:
        guarded_call(raise_value_error, timeout=None)
    except ValueError as error:
        raise RuntimeError("outer") from error


def implicit():
    try:
        guarded_call(raise_value_error, timeout=None)
    except ValueError:
        return {}["key"]


def grouped():
    try:
        chained()
    except RuntimeError as error:
        raise ExceptionGroup("several", [error])  # noqa: B904  # the implicit chain is part of the test


def calls_us_wrongly():
    guarded_call(raise_value_error, timeout=None)


def caught_from(function):
    try:
        guarded_call(function, timeout=5.0 if hasattr(signal, "setitimer") else None)
    except BaseException as error:  # noqa: BLE001  # whatever the function raises is what is asked for
        return error


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        (raise_value_error, ["in raise_value_error", "ValueError: inner"]),
        (
            chained,
            [
                "in raise_value_error",
                "ValueError: inner",
                "direct cause",
                "in chained",
                "RuntimeError: outer",
            ],
        ),
        (implicit, ["ValueError: inner", "During handling", "in implicit", "KeyError: 'key'"]),
        (
            grouped,
            [
                "in grouped",
                "ExceptionGroup: several",
                "in chained",
                "RuntimeError: outer",
                "ValueError: inner",
            ],
        ),
        (calls_us_wrongly, ["in calls_us_wrongly", "in raise_value_error", "ValueError: inner"]),
    ],
)
def test_tracebacks_show_the_users_frames_and_none_of_ours(function, parts):
    error = caught_from(function)
    assert "guard.py" in "".join(traceback.format_exception(error))
    text = user_traceback(error)
    assert all(part in text for part in parts), text
    assert __file__ in text
    assert "guard.py" not in text
    assert "pytest_stbench" not in text


def test_traceback_of_sys_exit_says_where_it_was_called():
    def give_up():
        sys.exit(3)

    text = user_traceback(caught_from(give_up))
    assert "in give_up" in text
    assert text.endswith("SystemExit: called sys.exit(3)\n")
    assert "pytest_stbench" not in text


@needs_alarm
def test_traceback_of_a_timeout_says_where_the_model_was():
    with pytest.raises(ModelTimeout) as caught:
        guarded_call(nap, timeout=0.05)
    text = user_traceback(caught.value)
    assert "in nap" in text
    assert "_ring" not in text


def test_the_exception_itself_is_left_as_it_is():
    error = caught_from(chained)
    frames = traceback.extract_tb(error.__traceback__)
    user_traceback(error)
    assert traceback.extract_tb(error.__traceback__) == frames
