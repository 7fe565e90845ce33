"""The section of a report that shows earlier runs beside the present ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.report.history.trends import trends_of
from pytest_stbench.report.page.curves import SINGLE, chart_of
from pytest_stbench.report.page.render import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.report.history.runs import Dated, Runs
    from pytest_stbench.report.history.trends import Trend
    from pytest_stbench.report.page.curves import Chart
    from pytest_stbench.report.page.sources import Source

LARGE = 2000
"""Points of curves above which the section makes its parts when they are looked at."""


@dataclass(frozen=True, slots=True)
class History:
    """What the section shows: charts, the runs, and what is left out."""

    runs: tuple[tuple[int, Dated, str], ...]
    """Number of the file on the page, the run, and its models with revisions, the newest first."""
    charts: tuple[Chart, ...]
    notices: tuple[str, ...]
    lead: str
    large: bool
    single: int = SINGLE
    """Runs up to which each is drawn by itself."""


def history_of(runs: Runs, sources: Sequence[Source]) -> History:
    """Return the history of runs on a page that reports `sources` as a whole."""
    known = {source.path.resolve(): source.number for source in sources}
    numbers: dict[int, int] = {}
    following = len(sources)
    for run in runs.found:
        number = known.get(run.path.resolve())
        numbers[id(run)] = following if number is None else number
        following += number is None
    trends = trends_of(runs.found)
    points = sum(len(own) for trend in trends for own in trend.curves.values())
    drifted = sum(bool(trend.drifts) for trend in trends)
    first, last = runs.found[0], runs.found[-1]
    lead = (
        f"{count(len(runs.found), 'run')} from {first.day} to {last.day}, {count(points, 'score')} on "
        f"{count(len(trends), 'task')}; data or task drifted on {shown(drifted)} of them."
    )
    return History(
        runs=tuple((numbers[id(run)], run, _models(run)) for run in reversed(runs.found)),
        charts=tuple(chart_of(trend, numbers) for trend in trends),
        notices=(*runs.notices, *_others(trends)),
        lead=lead,
        large=points > LARGE,
    )


def _models(run: Dated) -> str:
    return ", ".join(f"{name} {run.revision(name)}".strip() for name in sorted(run.models))


def _others(trends: Sequence[Trend]) -> list[str]:
    return [
        f"{trend.title}: {count(len(trend.others), 'run')} with another primary metric than {trend.metric} "
        "left out of the curve."
        for trend in trends
        if trend.others
    ]
