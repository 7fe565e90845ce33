from __future__ import annotations

import signal
import threading
import time

import pytest

from pytest_stbench.calls.guard import ModelTimeout, guarded_call

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


class OtherAlarm(BaseException):
    pass


@pytest.fixture
def other():
    rings = []

    def handler(number, frame):
        rings.append(time.monotonic())

    before = signal.signal(signal.SIGALRM, handler)
    yield handler, rings
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@needs_alarm
def test_handler_and_timer_of_another_are_restored(other):
    handler, rings = other
    signal.setitimer(signal.ITIMER_REAL, 50.0, 7.0)
    guarded_call(lambda: time.sleep(0.1), timeout=20.0)
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert 40.0 < left < 49.95
    assert interval == 7.0
    assert rings == []


@needs_alarm
def test_handler_and_timer_are_restored_after_a_timeout(other):
    handler, rings = other
    signal.setitimer(signal.ITIMER_REAL, 50.0)
    with pytest.raises(ModelTimeout):
        guarded_call(nap, timeout=0.05)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert 40.0 < signal.getitimer(signal.ITIMER_REAL)[0] < 50.0
    assert rings == []


@needs_alarm
def test_another_that_is_due_first_rings_in_time_and_ours_still_follows(other):
    _, rings = other
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(ModelTimeout):
        guarded_call(nap, timeout=0.2)
    assert len(rings) == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@needs_alarm
def test_an_interval_of_another_goes_on_ringing(other):
    _, rings = other
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    assert guarded_call(lambda: nap(0.3), timeout=5.0) == "woke"
    assert len(rings) >= 2
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert left > 0
    assert interval == pytest.approx(0.05)


@needs_alarm
def test_what_another_raises_ends_the_model(other):
    def handler(number, frame):
        raise OtherAlarm

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(OtherAlarm):
        guarded_call(nap, timeout=5.0)
    assert signal.getsignal(signal.SIGALRM) is handler


@needs_alarm
@pytest.mark.parametrize(("outer", "inner", "message"), [(0.05, 5.0, "0.05 s"), (5.0, 0.05, "0.05 s")])
def test_guarded_calls_nest(outer, inner, message):
    with pytest.raises(ModelTimeout, match=message):
        guarded_call(lambda: guarded_call(nap, timeout=inner), timeout=outer)


def test_no_thread_is_left_behind():
    guarded_call(lambda: None, timeout=30.0)
    deadline = time.monotonic() + 5
    while any(t.name == "stbench-watchdog" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(t.name == "stbench-watchdog" for t in threading.enumerate())
