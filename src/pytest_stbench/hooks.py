"""Hooks that a project's conftest.py may define."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.results import Results, ScoreRecord


def pytest_stbench_records() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return what :mod:`pytest_stbench.extend` decorates: metrics, checks, baselines, families ...

    Asked once, when pytest starts, of the conftest.py files that it reads before it collects; task files can
    then name what is returned, in every worker as well.
    """


def pytest_stbench_scored(item: Any, score: ScoreRecord) -> None:
    """Look at a score of the model under test as soon as its item has it.

    `score` is that of one cell or, where its ``fold`` is None, pooled over all of them, which is what gates
    are held to. It is called in the process that scores, under ``-n`` in a worker. What it raises fails the
    item; the score stays in the results.
    """


def pytest_stbench_update_results(config: Any, results: Results) -> Results | None:
    """Return the results that are saved in the place of `results`, or None where these are right.

    Called once, with ``--stbench-save``, after the last item and before what it gives is merged with the
    file. Where it raises, `results` are saved as they are, and the run fails.
    """
