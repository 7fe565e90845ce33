"""Whoever joins something to a file waits for those who are at it."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_stbench.results import schema
from pytest_stbench.results.schema import Results, load
from pytest_stbench.store.lock import locked, one_writer


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_nothing_is_lost_between_reading_and_writing(tmp_path):
    file = tmp_path / "sum"
    file.write_text("0")

    def add(_):
        with one_writer(file):
            found = int(file.read_text())
            time.sleep(0.01)
            file.write_text(str(found + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert file.read_text() == "20"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "sum"]


@pytest.mark.skipif(sys.platform == "win32", reason="the state is elsewhere there")
def test_processes_wait_for_each_other_by_whatever_path(tmp_path):
    (tmp_path / "a").mkdir()
    code = (
        "import sys; from pathlib import Path; from pytest_stbench.store.lock import one_writer\n"
        "with one_writer(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a" / ".." / "run.json")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout.readline() == "in\n"
    with ThreadPoolExecutor(1) as pool:

        def enter():
            with one_writer(tmp_path / "run.json"):
                return time.monotonic()

        entered = pool.submit(enter)
        time.sleep(0.2)
        assert not entered.done()
        left = time.monotonic()
        other.communicate("")
        assert entered.result(timeout=60) >= left


def test_without_locks_nobody_is_held_off(tmp_path, state):
    state.write_text("no folder")
    with one_writer(tmp_path / "run.json"):
        (tmp_path / "run.json").write_text("{}")


def test_results_are_saved_by_one_at_a_time(tmp_path, state, monkeypatch):
    from pytest_stbench.api.run_results import RunResults

    held = []
    save = schema.save

    def watched(path, *arguments):
        (lock,) = state.rglob("*.lock")
        with locked(lock, wait=False) as had:
            held.append(not had)
        return save(path, *arguments)

    monkeypatch.setattr(schema, "save", watched)
    file = tmp_path / "run.json"
    RunResults(Results(), place=None, text="", failures={}).save(file)
    assert held == [True]
    assert load(file).scores == ()
