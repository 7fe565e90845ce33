"""What all tests share."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers side by side share the cores: each computes on one thread. Read when numpy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What the user of this machine has fetched is not the tests' business, and they leave no locks with it.
_HOME = Path(tempfile.mkdtemp(prefix="stbench-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(STBENCH_CACHE=str(_HOME / "fetched"), XDG_STATE_HOME=str(_HOME / "state"))

# On CI lines are broken and GitHub is told of failures: tests that ask for that say so.
for _name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(_name, None)

# A shell starts what runs in its background so, and nohup what it runs: processes that tests end inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Machines that run tests side by side have no steady clock.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

pytest_plugins = ["pytester"]

# What libraries say of each other where tests write and plot with them: options of pandas that anndata up to
# 0.13 reads, its way to zarr 3, scanpy's colour maps. A test that is marked with `filterwarnings("error")`
# hears of them all the same.
OF_LIBRARIES = (
    "ignore:Writing zarr v2 data will no longer be the default:UserWarning",
    "ignore:The set_bad function will be deprecated:PendingDeprecationWarning",
    "ignore:The 'future.infer_string' option is deprecated:DeprecationWarning:anndata",
    "ignore:The 'mode.chained_assignment' option is deprecated:DeprecationWarning:anndata",
)


@pytest.fixture
def in_child(monkeypatch, pytestconfig):
    """Return what calls a function in a process of its own, by a start method of multiprocessing.

    A child that is no fork imports the test module by its name, for which ``pytest`` alone has no path; one
    that cannot would be waited for without end.
    """
    monkeypatch.syspath_prepend(pytestconfig.rootpath)

    def call(method, function, *arguments):
        with multiprocessing.get_context(method).Pool(1) as pool:
            return pool.apply_async(function, arguments).get(timeout=300)

    return call


def pytest_collection_modifyitems(items):
    """A warning from a module of the package is a defect."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error:::pytest_stbench", *OF_LIBRARIES), append=False)
