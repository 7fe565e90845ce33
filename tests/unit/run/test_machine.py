"""What models are told of the machine."""

from __future__ import annotations

import pytest

from pytest_stbench.run.machine import Machine, machine_of


@pytest.mark.parametrize(
    ("devices", "worker", "told"),
    [
        (None, None, "cpu"),
        ("", "gw3", "cpu"),
        ("cuda", None, "cuda"),
        ("cuda:0,cuda:1", None, "cuda:0"),
        ("cuda:0, cuda:1", "gw1", "cuda:1"),
        ("cuda:0,cuda:1,", "gw2", "cuda:0"),
    ],
)
def test_devices_are_dealt_to_workers_in_turn(devices, worker, told):
    environment = {} if worker is None else {"PYTEST_XDIST_WORKER": worker}
    assert machine_of(devices, environment).device == told


@pytest.mark.parametrize(("workers", "jobs"), [("", 8), ("1", 8), ("2", 4), ("3", 2), ("20", 1)])
def test_workers_share_the_processors(monkeypatch, workers, jobs):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", workers)
    assert Machine().n_jobs == jobs
