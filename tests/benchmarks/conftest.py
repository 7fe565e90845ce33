"""What benchmarks share: their sizes, one thread for every contestant, and a file of all that was timed."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys

import pytest

# All contestants compute on one thread, as workers do (`tests/conftest.py`). Read when numpy is imported.
for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def sized(pytestconfig):
    """Return a function of a size: itself where it is timed, a tenth where it only has to run and agree."""
    timed = not pytestconfig.getoption("benchmark_disable")
    return lambda size: size if timed else max(1, size // 10)


TELL = """
import atexit, sys
def tell():
    print(*[line for line in open("/proc/self/status") if line.startswith("VmHWM")], file=sys.stderr)
if sys.platform == "linux":
    atexit.register(tell)
"""
"""A process tells of its own memory at the end: what is told of a child has its parent in it."""


@pytest.fixture
def fresh(benchmark):
    """Return what times code of Python in a process of its own, and tells its CPU time and peak memory."""

    def run(code, *arguments, codes=(0,)):
        command = [sys.executable, "-W", "ignore", "-c", TELL + code, *map(str, arguments)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = benchmark.pedantic(
            subprocess.run, args=(command,), kwargs={"capture_output": True, "text": True}, rounds=1
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode in codes, done.stdout + done.stderr
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        benchmark.extra_info["cpu_s"] = round(cpu, 2)
        peak = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
        if peak:
            benchmark.extra_info["peak_mib"] = int(peak[1]) >> 10
        return done.stdout

    return run


def pytest_generate_tests(metafunc):
    """Give tests the sizes that their module names in `SIZES`, the first alone where nothing is timed."""
    timed = not metafunc.config.getoption("benchmark_disable")
    for name, sizes in getattr(metafunc.module, "SIZES", {}).items():
        if name in metafunc.fixturenames:
            chosen = sizes if timed else sizes[:1]
            metafunc.parametrize(name, chosen, ids=[f"{size:,} {name}" for size in chosen], scope="module")


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_benchmark_generate_json(benchmarks):
    """Leave out what was skipped after it was announced: pytest-benchmark finds no shortest round of none."""
    benchmarks[:] = [timed for timed in benchmarks if timed.stats.data]


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info):
    """Say on how many threads BLAS computes, and numba may where a peer's kernel is parallel: ours are not.

    A plugin that imports numba before this file is read makes the latter those of the machine.
    """
    import numba
    from threadpoolctl import threadpool_info

    machine_info["threads"] = max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")
    machine_info["numba_threads"] = numba.get_num_threads()
