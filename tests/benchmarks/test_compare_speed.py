"""``stbench compare`` of two large results, process start included, beside reading both with ``json``.

Run: ``pytest tests/benchmarks/test_compare_speed.py --benchmark-columns=min,median``. Peak memory is asserted
where it is timed: 500 MB for 20 models on 50 tasks.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_stbench.results import save

from ..large_results import METRICS, large_results  # noqa: TID252  # of the tests alone, which no package has

ROUNDS = 3
PEAK_MB = 500
STATUS = Path("/proc/self/status")
COMPARE = f"""
import pathlib, sys
from pytest_stbench.cli import main
try:
    main()
finally:
    status = pathlib.Path({str(STATUS)!r})
    sys.stderr.write(status.read_text() if status.exists() else "")
"""
"""The command, which tells of its own memory at the end: what is told of a child has its parent in it."""


@pytest.fixture(scope="module")
def shape(sized):
    """Models and tasks."""
    return sized(20), sized(50)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, shape):
    folder = tmp_path_factory.mktemp("compare")
    paths = [folder / "v1.json", folder / "v2.json"]
    for seed, path in enumerate(paths):
        save(path, large_results(*shape, seed=seed, shift=0.05 * seed))
    return paths


def run(*command):
    """Run a command; return what it wrote to standard output and to standard error."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.benchmark(group="compare")
def test_compare(benchmark, runs, shape):
    command = [sys.executable, "-c", COMPARE, "compare", *map(str, runs)]
    printed, status = benchmark.pedantic(run, args=command, rounds=ROUNDS)
    models, tasks = shape
    assert f"{models * tasks * len(METRICS):,} scores compared on {tasks} tasks" in printed
    assert all(len(line) <= 160 for line in printed.splitlines())
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    if STATUS.exists():
        assert int(peak[1]) / 1024 < PEAK_MB


@pytest.mark.benchmark(group="compare")
def test_json_alone(benchmark, runs):
    code = "import json, sys\nfor path in sys.argv[1:]:\n    print(len(json.load(open(path))['scores']))"
    printed, _ = benchmark.pedantic(run, args=[sys.executable, "-c", code, *map(str, runs)], rounds=ROUNDS)
    assert len(set(printed.split())) == 1
