"""A worker hands jobs to processes beside it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pytest_stbench.cluster import on_worker
from pytest_stbench.cluster.orders import Done, Job, Order

SLOW_END = "import os, sys, time; sys.stdin.readline(); os.close(1); time.sleep(1); os._exit(70)"
ANSWER = Done(outcome="done", computed=4)
REPLY = f"import sys; sys.stdin.readline(); print({ANSWER.text()!r}, flush=True); sys.stdin.readline()"


def test_a_process_that_is_about_to_end_is_given_nothing_more(monkeypatch):
    codes = [SLOW_END, REPLY]

    class Process(on_worker.CellProcess):
        def __init__(self, order):
            self._process = subprocess.Popen(
                [sys.executable, "-c", codes.pop(0)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self._ready = True

    monkeypatch.setattr(on_worker, "CellProcess", Process)
    job = Job(label="Mean a c").text()
    try:
        assert on_worker._done(SimpleNamespace(run="run"), job).computed == ANSWER.computed
    finally:
        on_worker.end_run("run")
    assert not codes, "one that ended, one that answered"


@pytest.mark.parametrize(("said", "kept"), [("65536", None), ("1000000", "1000000")])
def test_memory_is_kept_for_the_next_array_unless_somebody_says_otherwise(monkeypatch, said, kept):
    """Dask lets its workers give all memory back: checks took 24 s of CPU where they take 17."""
    given = {}

    def start(command, **how):
        given.update(how["env"])
        return SimpleNamespace(stdin=io.StringIO())

    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", said)
    monkeypatch.setattr(subprocess, "Popen", start)
    on_worker.CellProcess(Order(work="bin", asked={}, store="s", mark="m", run="r", version="1", code="c"))
    assert given.get("MALLOC_TRIM_THRESHOLD_") == kept
    assert given["PATH"] == os.environ["PATH"]
