from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pytest_stbench.calls import peak_memory
from pytest_stbench.calls.peak_memory import PeakMemory, highest_bytes, resident_bytes

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")


@needs_proc
def test_a_large_array_shows():
    with PeakMemory() as small:
        time.sleep(0.05)
    with PeakMemory() as large:
        array = np.ones(8_000_000)  # 64 MB, every page touched
        time.sleep(0.1)
        del array
    assert large.peak_mb - small.peak_mb == pytest.approx(64, abs=30)


@needs_proc
def test_resident_memory_agrees_with_the_kernels_highest():
    now, highest = resident_bytes(), highest_bytes()
    assert 1e6 < now <= highest * 1.1


@needs_proc
def test_the_end_of_a_short_block_is_seen():
    with PeakMemory() as peak:
        pass
    assert peak.peak_mb == pytest.approx(resident_bytes() / 1e6, rel=0.2)


@needs_proc
def test_the_sampler_ends_with_the_block_even_by_an_exception():
    peak = PeakMemory()
    with pytest.raises(ValueError, match="x"), peak:
        raise ValueError("x")
    assert peak.peak_mb > 0
    assert not any(thread.name == "stbench-memory" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(100e6, 150e6, 150.0), (100e6, 100e6, None), (None, None, None), (None, 1e6, None)],
)
def test_without_samples_only_a_new_highest_is_known(monkeypatch, before, after, expected):
    readings = iter([before, after])
    monkeypatch.setattr(peak_memory, "resident_bytes", lambda: None)
    monkeypatch.setattr(peak_memory, "highest_bytes", lambda: next(readings))
    with PeakMemory() as peak:
        pass
    assert peak.peak_mb == expected


def test_no_proc_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "STATM", tmp_path / "absent")
    assert resident_bytes() is None
    (tmp_path / "absent").write_text("garbage")
    assert resident_bytes() is None


def test_no_resource_module_is_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert highest_bytes() is None


def test_units_of_the_highest_differ_by_system(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrusage", lambda who: type("R", (), {"ru_maxrss": 10})())
    monkeypatch.setattr(peak_memory.sys, "platform", "darwin")
    assert highest_bytes() == 10
    monkeypatch.setattr(peak_memory.sys, "platform", "linux")
    assert highest_bytes() == 10 * 1024
