"""Curves over runs as SVG: a row for each model, all runs and models of a task on the same scales.

Shapes lie in a box of 1000 x 100 that is stretched to the width of the page; strokes keep their width, and a
point is a stroke without length, so that it stays round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.report.page.dots import ticks
from pytest_stbench.report.page.render import Number, anchor, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_stbench.report.history.runs import Dated
    from pytest_stbench.report.history.trends import Point, Trend

WIDE, HIGH = 1000.0, 100.0
LEFT = 110.0
"""Part of the width that the numbers of the scale take."""
MARGIN = 6.0
"""Part of the height left free above and below."""
APART = 3.0
"""Percent of the width that two numbers of drifts need between them."""
SINGLE = 40
"""Runs up to which patients and intervals are drawn one by one; above they are bands."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One model as paths: patients, interval, mean line and means, and its simple baseline."""

    model: str
    patients: str
    interval: str
    line: str
    means: str
    simple: str
    banded: bool
    hover: tuple[tuple[str, str], ...]
    said: str
    last: Number


@dataclass(frozen=True, slots=True)
class Chart:
    """All curves of one trend; ``drifts`` are places in percent with their number, ``ticks`` heights."""

    id: str
    trend: Trend
    curves: tuple[Curve, ...]
    drifts: tuple[tuple[str, str], ...]
    ticks: tuple[tuple[str, str], ...]
    days: tuple[tuple[str, str, str, bool], ...]
    """Place, text and anchor of dates, and whether a narrow page leaves one out."""
    rows: tuple[tuple[Dated, tuple[tuple[Point, tuple[Number, ...]] | None, ...]], ...]
    """Of the table: each run with the point of each model, the newest run first."""


def chart_of(trend: Trend, numbers: Mapping[int, int]) -> Chart:
    """Return the chart of a trend; `numbers` are those of the files of runs on the page."""
    n = len(trend.runs)
    low, high = _ends(trend)

    def x(at: float) -> float:
        return LEFT + (WIDE - LEFT) * (at + 0.5) / n

    def y(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return MARGIN + (HIGH - 2 * MARGIN) * (1 - share)

    marks = ticks(low, high) if high > low else []
    points = {model: {point.at: point for point in own} for model, own in trend.curves.items()}
    # The first, the middle and the last: more would lie on each other.
    shown_days = sorted({0, (n - 1) // 2, n - 1})
    return Chart(
        id=anchor("history", *trend.pool),
        trend=trend,
        curves=tuple(_curve(model, own, numbers, x, y, n) for model, own in trend.curves.items()),
        drifts=tuple(_numbered([x(drift.at - 0.5) / 10 for drift in trend.drifts])),
        ticks=tuple((f"{y(value):.1f}", text) for value, text in marks),
        days=tuple(
            (f"{x(at) / 10:.2f}", trend.runs[at].day, _anchor(x(at)), 0 < at < n - 1) for at in shown_days
        ),
        rows=tuple(
            (run, tuple(_cell(own.get(at), numbers) for own in points.values()))
            for at, run in reversed(list(enumerate(trend.runs)))
        ),
    )


def _numbered(places: Sequence[float]) -> Iterator[tuple[str, str]]:
    """Yield places in percent with the number of each; none where it would lie on the one before."""
    last = -APART
    for number, place in enumerate(places, start=1):
        shows = place - last >= APART
        last = place if shows else last
        yield f"{place:.2f}", str(number) if shows else ""


def _anchor(x: float) -> str:
    return "start" if x < 0.2 * WIDE else "end" if x > 0.88 * WIDE else "middle"


def _ends(trend: Trend) -> tuple[float, float]:
    found = []
    for point in (point for points in trend.curves.values() for point in points):
        score = point.score
        known = (score.value, score.ci_low, score.ci_high, score.baseline, *(point.spread or ()))
        found += [value for value in known if value is not None]
    return (min(found), max(found)) if found else (0.0, 0.0)


def _curve(
    model: str, points: Sequence[Point], numbers: Mapping[int, int],
    x: Callable[[float], float], y: Callable[[float], float], n: int,
) -> Curve:  # fmt: skip
    banded = n > SINGLE
    known = [point for point in points if point.score.value is not None]
    eras = _eras(known)
    ends = [(point, point.score.ci_low, point.score.ci_high) for point in known]
    bounds = [(point, low, high) for point, low, high in ends if low is not None and high is not None]
    spread = [(point, *point.spread) for point in known if point.spread is not None]
    values = [(point.at, value) for point in known for value in point.score.per_patient.values()]
    simple = [(point, point.score.baseline) for point in points if point.score.baseline is not None]
    return Curve(
        model=model,
        patients=_bands(spread, x, y) if banded else _dots(values, x, y),
        interval=_bands(bounds, x, y) if banded else _bars(bounds, x, y),
        line="".join(_line([(p.at, p.score.value or 0.0) for p in era], x, y) for era in eras),
        means=_dots([(point.at, point.score.value) for point in known], x, y),
        simple="".join(
            f"M{x(point.at - 0.4):.1f} {y(value):.1f}H{x(point.at + 0.4):.1f}" for point, value in simple
        ),
        banded=banded,
        hover=() if banded else tuple((f"{x(point.at) / 10:.2f}", _said(point)) for point in points),
        said=_summary(model, known, len(points)),
        last=_number(points[-1], "value", numbers),
    )


def _eras(points: Sequence[Point]) -> list[list[Point]]:
    """Return points in groups that may be compared: no line crosses a drift."""
    found: list[list[Point]] = []
    for point in points:
        if not found or found[-1][-1].era != point.era:
            found.append([])
        found[-1].append(point)
    return found


def _dots(
    values: Iterable[tuple[int, float | None]], x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    return "".join(f"M{x(at):.1f} {y(value):.1f}h0" for at, value in values if value is not None)


def _line(
    values: Sequence[tuple[int, float]], x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    path = "M" + "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in values)
    return path if len(values) > 1 else f"{path}h0"


def _bars(
    ends: Iterable[tuple[Point, float, float]], x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    return "".join(f"M{x(point.at):.1f} {y(low):.1f}V{y(high):.1f}" for point, low, high in ends)


def _bands(
    ends: Sequence[tuple[Point, float, float]], x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    """Return a closed area for each era; a run alone is as wide as its place."""
    parts = []
    by_point = {id(point): (low, high) for point, low, high in ends}
    for era in _eras([point for point, _, _ in ends]):
        whole: list[tuple[float, float, float]] = [(point.at, *by_point[id(point)]) for point in era]
        if len(whole) == 1:
            at, low, high = whole[0]
            whole = [(at - 0.4, low, high), (at + 0.4, low, high)]
        upper = [f"{x(at):.1f} {y(high):.1f}" for at, _, high in whole]
        lower = [f"{x(at):.1f} {y(low):.1f}" for at, low, _ in reversed(whole)]
        parts.append(f"M{'L'.join(upper + lower)}Z")
    return "".join(parts)


def _said(point: Point) -> str:
    score = point.score
    text = f"{point.run.day} {point.run.name}: {shown(score.value)}"
    if score.ci_low is not None and score.ci_high is not None:
        text += f" [{shown(score.ci_low)}, {shown(score.ci_high)}]"
    if point.spread is not None:
        text += f", patients {shown(point.spread[0])} to {shown(point.spread[1])}"
    return text


def _summary(model: str, known: Sequence[Point], n: int) -> str:
    """Return the curve in words, for who cannot see it."""
    if not known:
        return f"{model}: not defined in any of {n} runs"
    first, last = known[0], known[-1]
    return f"{model} over {n} runs, first {_said(first)}; last {_said(last)}"


def _cell(point: Point | None, numbers: Mapping[int, int]) -> tuple[Point, tuple[Number, ...]] | None:
    if point is None:
        return None
    return point, tuple(_number(point, name, numbers) for name in ("value", "ci_low", "ci_high"))


def _number(point: Point, name: str, numbers: Mapping[int, int]) -> Number:
    at = f"{numbers[id(point.run)]}:scores.{point.place}.{name}"
    return Number(getattr(point.score, name), at)
