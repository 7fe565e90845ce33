"""The history of runs as lines of text: a row a run, so that the curve runs downwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count, some
from pytest_stbench.gate.wording import number
from pytest_stbench.report.width import aligned, for_ci

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_stbench.report.history.runs import Runs
    from pytest_stbench.report.history.trends import Point, Trend

WIDTH = 41
"""Characters of the scale that runs are drawn on."""
NAME, REVISION = 30, 14
"""Characters of the name of a run and of a revision that are shown, the last ones."""
ROWS, LEAST = 600, 5
"""Rows of all curves together where there are many, and of each in any case; runs below are counted."""
HEADER = ("run", "file", "revision", "value", "[95% CI]", "S", "patients")
KEY = ". from the lowest patient to the highest, = the 95% interval of the mean, o the mean"


def history_lines(runs: Runs, trends: Sequence[Trend]) -> list[str]:
    """Return the history of runs in lines of at most 160 characters."""
    first, last = runs.found[0], runs.found[-1]
    when = f"from {first.day} to {last.day}" if len(runs.found) > 1 else f"of {first.day}"
    lines = [f"history  {count(len(runs.found), 'run')} {when}; the newest is {last.name}"]
    lines += [f"note     {line}" for line in runs.notices]
    lines.append(f"         {KEY}; scores before and after a drift are not compared")
    curves = sum(len(trend.curves) for trend in trends)
    rows = max(LEAST, ROWS // max(curves, 1))
    for trend in trends:
        lines += _trend(trend, rows)
    return [part for line in lines for part in for_ci(line)]


def _trend(trend: Trend, rows: int) -> Iterator[str]:
    better = {"up": ", higher is better", "down": ", lower is better"}.get(trend.better, "")
    yield ""
    yield f"{trend.title}: {trend.metric}{better}"
    if trend.others:
        names = some([run.name for run in trend.others])
        yield f"  left out: {names}, where another metric is the primary one"
    shown = {model: points[-rows:] for model, points in trend.curves.items()}
    low, high = _ends([point for points in shown.values() for point in points])
    scale = f"{number(low)}{number(high).rjust(WIDTH - len(number(low)))}"
    for model, points in shown.items():
        older = trend.curves[model][: -len(points)]
        yield f"  {model}"
        yield from _counted(older, trend)
        cells = ((*_cells(point, model), _drawn(point, low, high)) for point in points)
        head, *rest = aligned([(*HEADER, scale), *cells])
        yield f"    {head}"
        before = older[-1].at if older else points[0].at
        for point, line in zip(points, rest, strict=True):
            for drift in trend.drifts:
                if before < drift.at <= point.at:
                    yield f"    drift  {drift.run.name}: {drift.said}"
            yield f"    {line}"
            before = point.at


def _counted(older: Sequence[Point], trend: Trend) -> Iterator[str]:
    """Yield what is said of runs of a curve that have no row."""
    if not older:
        return
    values = [point.score.value for point in older if point.score.value is not None]
    told = f", values from {number(min(values))} to {number(max(values))}" if values else ""
    drifts = sum(older[0].at < drift.at <= older[-1].at for drift in trend.drifts)
    drifted = f", {count(drifts, 'drift')}" if drifts else ""
    days = f"from {older[0].run.day} to {older[-1].run.day}"
    yield f"    {count(len(older), 'older run')} {days}{told}{drifted}: `stbench report` shows all"


def _cells(point: Point, model: str) -> tuple[str, ...]:
    score = point.score
    low, high = score.ci_low, score.ci_high
    return (
        point.run.day,
        _short(point.run.name, NAME),
        _short(point.run.revision(model), REVISION) or "-",
        "not evaluable" if score.value is None else number(score.value),
        "" if low is None or high is None else f"[{number(low)}, {number(high)}]",
        "-" if score.baseline is None else number(score.baseline),
        str(score.n_patients),
    )


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"...{name[3 - most :]}"


def _ends(points: Sequence[Point]) -> tuple[float, float]:
    """Return the ends of the scale: the lowest and the highest of all that is drawn."""
    found: list[float] = []
    for point in points:
        score = point.score
        found += point.spread or ()
        found += [value for value in (score.value, score.ci_low, score.ci_high) if value is not None]
    return (min(found), max(found)) if found else (0.0, 0.0)


def _drawn(point: Point, low: float, high: float) -> str:
    """Return a run on the scale."""
    score = point.score
    if score.value is None:
        return ""

    def at(value: float) -> int:
        return round((value - low) / (high - low) * (WIDTH - 1)) if high > low else WIDTH // 2

    cells = [" "] * WIDTH
    ends = point.spread
    for mark, pair in ((".", ends), ("=", (score.ci_low, score.ci_high))):
        if pair is not None and None not in pair:
            first, last = at(pair[0]), at(pair[1])  # type: ignore[arg-type]
            cells[first : last + 1] = mark * (last - first + 1)
    cells[at(score.value)] = "o"
    return "".join(cells)
