"""Which scheduler a run under pytest-xdist has."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_stbench.plugin import pytest_xdist_make_scheduler

pytest.importorskip("xdist", reason="pytest-xdist is not installed")

WITH_MODEL = {"stbench_model": ["ridge"], "dist": "load", "tx": ["popen", "popen"]}


def scheduler(**options):
    known = {**WITH_MODEL, **options}

    def getoption(name, default=None):
        return known.get(name, default)

    config = SimpleNamespace(
        getoption=getoption, getvalue=getoption, option=SimpleNamespace(**known, loadscopereorder=True)
    )
    return pytest_xdist_make_scheduler(config, None)


def test_cells_stay_together():
    from pytest_stbench.collection.schedule import CellScheduling

    assert isinstance(scheduler(), CellScheduling)
    assert isinstance(scheduler(reruns=0), CellScheduling), "what pytest-rerunfailures gives without --reruns"


@pytest.mark.parametrize("options", [{"reruns": 1}, {"reruns": 3}])
def test_items_that_may_be_run_again_are_not_grouped(options):
    """A group whose worker died while one of its items was run again is waited for without end."""
    assert scheduler(**options) is None


@pytest.mark.parametrize("options", [{"stbench_model": []}, {"dist": "loadfile"}, {"dist": "worksteal"}])
def test_what_the_user_chose_stays(options):
    assert scheduler(**options) is None
