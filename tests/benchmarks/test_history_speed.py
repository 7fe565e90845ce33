"""``stbench report`` and ``compare`` of a folder of runs, process start included, beside ``json`` reading it.

Run: ``pytest tests/benchmarks/test_history_speed.py --benchmark-columns=min,median``. Peak memory is asserted
where it is timed: 300 MB for 100 runs of 5 models on 20 tasks, 770 MB of JSON.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pytest_stbench.results import save
from pytest_stbench.results.unchanged import with_digest

from ..large_results import large_results  # noqa: TID252  # of the tests alone, which no package has
from .test_compare_speed import COMPARE, STATUS, run

DIFFERENT = 4
"""Runs with scores of their own; the others are these with another date, since writing takes the longest."""
PEAK_MB = 300


@pytest.fixture(scope="module")
def shape(sized):
    """Runs, models and tasks."""
    return sized(100), sized(5), sized(20)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, shape):
    folder = tmp_path_factory.mktemp("history")
    n, *rest = shape
    written = []
    for seed in range(min(DIFFERENT, n)):
        path = folder / f"first{seed}.json"
        save(path, large_results(*rest, seed=seed, shift=0.05 * seed))
        written.append(re.sub(rb',\n "sha256": "[0-9a-f]{64}"\n}\n$', b"\n}\n", path.read_bytes()))
        path.unlink()
    for number in range(n):
        content = written[number % len(written)]
        day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        assert content.count(b'"started": "2026-01-01T00:00:00+00:00"') == 1
        dated = content.replace(b"2026-01-01T00:00:00+00:00", day.isoformat().encode())
        (folder / f"v{number:03}.json").write_bytes(with_digest(dated))
    return folder


def assert_bounded(status):
    if STATUS.exists():
        assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024 < PEAK_MB


@pytest.mark.benchmark(group="history")
def test_report(benchmark, runs, shape, tmp_path):
    page = tmp_path / "page.html"
    command = [sys.executable, "-c", COMPARE, "report", str(runs), "-o", str(page)]
    _, status = benchmark.pedantic(run, args=command, rounds=1)
    assert_bounded(status)
    text = page.read_text()
    n, models, tasks = shape
    assert f"{n * models * tasks:,} scores on {tasks} task" in text
    assert text.count('<svg class="curve"') == models * tasks
    assert page.stat().st_size < 10_000_000


@pytest.mark.benchmark(group="history")
def test_compare(benchmark, runs, shape):
    command = [sys.executable, "-c", COMPARE, "compare", str(runs)]
    printed, status = benchmark.pedantic(run, args=command, rounds=1)
    assert_bounded(status)
    assert f"history  {shape[0]} runs from 2026-01-01" in printed
    lines = printed.splitlines()
    assert all(len(line) <= 160 for line in lines)
    assert len(lines) < 1500


@pytest.mark.benchmark(group="history")
def test_json_alone(benchmark, runs, shape):
    code = (
        "import json, pathlib, sys\n"
        "for path in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    print(len(json.load(path.open())['scores']))"
    )
    printed, _ = benchmark.pedantic(run, args=[sys.executable, "-c", code, str(runs)], rounds=1)
    assert len(printed.split()) == shape[0]
