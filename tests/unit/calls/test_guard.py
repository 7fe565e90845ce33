from __future__ import annotations

import signal
import sys
import threading
import time
import warnings

import pytest

from pytest_stbench.calls import guard
from pytest_stbench.calls.guard import (
    ModelTimeout,
    TimeoutUnsupportedWarning,
    guarded_call,
    timeout_unsupported,
)
from pytest_stbench.calls.tracebacks import ModelExited
from pytest_stbench.errors import ModelError

needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarm signal on this system")


def nap(seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return "woke"


@pytest.fixture(autouse=True)
def alarm_is_as_before():
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.getsignal(signal.SIGALRM)
    yield
    after, timer = signal.getsignal(signal.SIGALRM), signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    assert after is before
    assert timer == (0.0, 0.0)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_a_call_in_time_returns_its_value(timeout):
    assert guarded_call(lambda: 42, timeout=timeout) == 42


@pytest.mark.parametrize("timeout", [None, 5.0])
@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_what_a_model_raises_passes_through(timeout, error):
    def model():
        raise error

    with pytest.raises(type(error)) as caught:
        guarded_call(model, timeout=timeout)
    assert caught.value is error


@pytest.mark.parametrize("timeout", [None, 5.0])
@pytest.mark.parametrize(
    ("code", "text"), [(3, r"sys\.exit\(3\)"), (None, r"sys\.exit\(\)"), ("no GPU", r"sys\.exit\('no GPU'\)")]
)
def test_sys_exit_counts_as_raising(timeout, code, text):
    with pytest.raises(ModelExited, match=f"the model called {text}") as caught:
        guarded_call(lambda: sys.exit(code), timeout=timeout)
    assert isinstance(caught.value, ModelError)


@needs_alarm
@pytest.mark.parametrize("sleep", [nap, lambda: time.sleep(5)], ids=["python", "native sleep"])
def test_a_sleeping_model_gets_a_timeout(sleep):
    died = []
    with pytest.raises(ModelTimeout, match=r"the model ran past its timeout of 0\.05 s") as caught:
        guarded_call(sleep, timeout=0.05, on_death=lambda: died.append(1))
    assert not isinstance(caught.value, Exception)
    assert died == []


@needs_alarm
def test_except_exception_does_not_swallow_it():
    def model():
        try:
            nap()
        except Exception:  # noqa: BLE001  # what models do
            return "swallowed"

    with pytest.raises(ModelTimeout):
        guarded_call(model, timeout=0.05)


@needs_alarm
def test_a_model_that_swallows_it_and_returns_has_still_timed_out():
    def model():
        try:
            nap()
        except BaseException:  # noqa: BLE001  # what models do
            return "swallowed"

    with pytest.raises(ModelTimeout):
        guarded_call(model, timeout=0.05)


@needs_alarm
@pytest.mark.parametrize("raised", [RuntimeError("wrapped"), SystemExit(3)])
def test_a_model_that_raises_something_else_has_still_timed_out(raised):
    def model():
        try:
            nap()
        except BaseException:  # noqa: BLE001  # what models do
            raise raised from None

    with pytest.raises(ModelTimeout) as caught:
        guarded_call(model, timeout=0.05)
    assert caught.value.__cause__ is not None


@needs_alarm
def test_cleanup_of_the_model_runs_within_the_grace():
    cleaned = []

    def model():
        try:
            nap()
        finally:
            time.sleep(0.1)
            cleaned.append(1)

    with pytest.raises(ModelTimeout):
        guarded_call(model, timeout=0.05, grace=5.0)
    assert cleaned == [1]


def in_a_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_outside_the_main_thread_models_run_without_a_limit_and_it_is_said_once(monkeypatch):
    monkeypatch.setattr(guard, "_said", set())
    assert "main thread" in in_a_thread(timeout_unsupported)

    def twice():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = [guarded_call(lambda: nap(0.05), timeout=0.01) for _ in range(2)]
        return values, [(w.category, str(w.message)) for w in caught]

    values, said = in_a_thread(twice)
    assert values == ["woke", "woke"]
    assert [category for category, _ in said] == [TimeoutUnsupportedWarning]
    assert "not enforced: models run outside the main thread" in said[0][1]


def test_without_an_alarm_signal_too(monkeypatch):
    monkeypatch.setattr(guard, "_said", set())
    monkeypatch.delattr(signal, "setitimer", raising=False)
    with pytest.warns(TimeoutUnsupportedWarning, match="this system has no alarm signal"):
        assert guarded_call(lambda: nap(0.05), timeout=0.01) == "woke"
    monkeypatch.undo()
