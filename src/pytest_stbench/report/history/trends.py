"""How models did on one task, run by run, and where data or task drifted between two runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.results.comparable import why_not_comparable
from pytest_stbench.run.installed import builtin_registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.report.history.runs import Dated
    from pytest_stbench.results.provenance import DatasetRecord, LockRecord, TaskRecord
    from pytest_stbench.results.record import ScoreRecord

Pool = tuple[str, str, str]
"""Task, data set and split."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One run of a curve.

    ``at`` is its number among the runs of the trend, ``place`` that of the score in the file; points of one
    ``era`` were measured on the same data and task.
    """

    run: Dated
    at: int
    era: int
    place: int
    score: ScoreRecord

    @property
    def spread(self) -> tuple[float, float] | None:
        """The smallest and the largest value of a patient."""
        values = [value for value in self.score.per_patient.values() if value is not None]
        return (min(values), max(values)) if values else None


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """What differs in a run (number ``at``) from the one before it, so that they are not compared."""

    at: int
    run: Dated
    since: Dated
    reasons: tuple[str, ...]

    @property
    def said(self) -> str:
        """What differs, as one clause."""
        more = f"; and {len(self.reasons) - SAID} more" if len(self.reasons) > SAID else ""
        return DIGEST.sub(r"\1", "; ".join(self.reasons[:SAID])) + more


SAID = 3
"""Differences of two runs that are said."""
DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
"""A sha256, of which people read the beginning."""


@dataclass(slots=True, eq=False)
class Trend:
    """The curves of one task, data set and split, by model; models of the newest run first."""

    pool: Pool
    metric: str
    version: int
    better: str
    runs: list[Dated] = field(default_factory=list)
    curves: dict[str, list[Point]] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    others: list[Dated] = field(default_factory=list)
    """Runs with another primary metric, which no curve shows."""

    @property
    def title(self) -> str:
        """Task with its newest version, data set and split."""
        task, dataset, split = self.pool
        return f"{task} v{self.version}, {dataset}, {split}"


@dataclass(slots=True)
class _Setting:
    """What a pool was measured on in one run."""

    task: TaskRecord
    datasets: list[DatasetRecord]
    folds: list[LockRecord]

    def same(self, other: _Setting) -> bool:
        return (self.task, self.datasets, self.folds) == (other.task, other.datasets, other.folds)


def trends_of(runs: Sequence[Dated]) -> list[Trend]:
    """Return the trends of runs that are in the order of their dates, those of the newest run first."""
    scores: dict[Pool, list[tuple[Dated, int, ScoreRecord]]] = {}
    for run in reversed(runs):
        for place, score in zip(run.places, run.results.scores, strict=True):
            scores.setdefault((score.task, score.dataset, score.split), []).append((run, place, score))
    settings = {id(run): _settings(run) for run in runs}
    return [_trend(pool, found, settings) for pool, found in scores.items()]


def _trend(
    pool: Pool,
    scores: Sequence[tuple[Dated, int, ScoreRecord]],
    settings: dict[int, dict[tuple[str, str, str], _Setting]],
) -> Trend:
    newest = scores[0][2]
    metric = builtin_registry().metrics.get(newest.metric)
    trend = Trend(pool, newest.metric, newest.task_version, metric.better if metric else "context")
    own = {id(run): run for run, _, _ in scores}
    trend.runs = sorted(own.values(), key=lambda run: (run.date, run.name))
    numbers = {id(run): number for number, run in enumerate(trend.runs)}
    eras = [0]
    for at in range(1, len(trend.runs)):
        run, since = trend.runs[at], trend.runs[at - 1]
        now, before = settings[id(run)][pool], settings[id(since)][pool]
        reasons = []
        if not now.same(before):
            reasons = why_not_comparable(
                now.task, now.datasets, since.results, now.folds, there=f"in {since.name}"
            )
        if reasons:
            trend.drifts.append(Drift(at, run, since, tuple(reasons)))
        eras.append(eras[-1] + bool(reasons))
    others: dict[int, Dated] = {}
    for run, place, score in scores:
        if score.metric != trend.metric:
            others[id(run)] = run
            continue
        at = numbers[id(run)]
        trend.curves.setdefault(score.model, []).append(Point(run, at, eras[at], place, score))
    for points in trend.curves.values():
        points.reverse()
    trend.others = [run for run in trend.runs if id(run) in others]
    return trend


def _settings(run: Dated) -> dict[Pool, _Setting]:
    """Return the settings of all pools of a run; its records are gone through once."""
    tasks = {task.name: task for task in run.results.tasks}
    datasets: dict[tuple[str, str], list[DatasetRecord]] = {}
    for data in run.results.datasets:
        datasets.setdefault((data.task, data.name), []).append(data)
    folds: dict[Pool, list[LockRecord]] = {}
    for fold in run.results.lock:
        if not fold.variant:
            folds.setdefault((fold.task, fold.dataset, fold.split), []).append(fold)
    pools = {(score.task, score.dataset, score.split) for score in run.results.scores}
    return {pool: _Setting(tasks[pool[0]], datasets.get(pool[:2], []), folds.get(pool, [])) for pool in pools}
