"""The design checklist as the path that data take through it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.patches import Circle, FancyBboxPatch

from pytest_stbench.report.figures.figure import (
    INK,
    MARKS,
    PAGE,
    QUIET,
    SMALL,
    STATUSES,
    TEXT,
    CannotDraw,
    Made,
    page,
)
from pytest_stbench.results.checklist import APPROXIMATE_MAX, EXPLORATORY_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from pytest_stbench.results.checklist import ChecklistRecord

NAME = "checklist"
TITLE = "The path of the data through the design checklist"
WAYS: Mapping[str, tuple[str, ...]] = {
    "resolution": ("spots or niches", "bins", "cells"),
    "sample size": (
        f"≤ {EXPLORATORY_MAX} patients",
        f"{EXPLORATORY_MAX + 1} to {APPROXIMATE_MAX}",
        f"≥ {APPROXIMATE_MAX + 1} patients",
    ),
    "panels": ("one panel", "several panels"),
}
"""Steps at which the path divides; at the others the checks alone say how it goes on."""
KINDS = {"spot": 0, "xisium": 0, "bin": 1, "cell": 2, "transcript": 2}
LEFT, RIGHT = 6.0, 96.0
"""Where nodes and answers begin, in mm."""
QUESTION, ANSWER = 50, 62
"""Letters of a line."""
LINE_MM = 3.1
GREY_TEXT = "#666666"
ON = {"pass": "white", "warn": INK, "fail": "white", "skip": INK, "open": INK}
"""Colour of letters on that of a status."""


def checklist(steps: Sequence[ChecklistRecord], name: str) -> Made:
    """Return the figure of one data set. Raises ``CannotDraw`` where no check ran."""
    if not steps:
        raise CannotDraw(f"no check ran on {name}", "`stbench check` says why")
    table = path_table(steps)
    return Made(
        name=NAME,
        title=TITLE,
        caption=(
            f"The design checklist of {name}, in the order in which its steps decide. Filled: the way that "
            "the data take; colour and word: the gravest result of the checks that answer the step, those "
            "that did not pass by name. `stbench check` prints the same path with every finding and how to "
            "mend it."
        ),
        tables={"": table},
        draw=lambda: _draw(table, name),
    )


def path_table(steps: Sequence[ChecklistRecord]) -> pd.DataFrame:
    """Return a row a step: question, the ways there are and the one taken, answer, status, findings."""
    return pd.DataFrame(
        [
            {
                "step": step.step,
                "question": step.question,
                "ways": " | ".join(WAYS.get(step.step, ())),
                "way": way_of(step),
                "answer": step.answer,
                "status": step.status,
                "checks": len(step.checks),
                "findings": ", ".join(step.findings),
            }
            for step in steps
        ]
    )


def way_of(step: ChecklistRecord) -> str:
    """Return the way that data take at a step; empty where the step has one way, or it is not known."""
    figures = step.figures
    place: int | None = None
    if step.step == "resolution":
        place = KINDS.get(figures.get("resolution", ""))
    elif step.step == "sample size" and figures.get("patients") is not None:
        place = sum(figures["patients"] > most for most in (EXPLORATORY_MAX, APPROXIMATE_MAX))
    elif step.step == "panels" and figures.get("panels"):
        place = min(len(figures["panels"]), 2) - 1
    return "" if place is None else WAYS[step.step][place]


def _draw(table: pd.DataFrame, name: str) -> Figure:
    heights = [_height(row) for _, row in table.iterrows()]
    height = sum(heights) + 10
    figure = page(PAGE, height)
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(0, PAGE)
    ax.set_ylim(height, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.text(LEFT - 4, 5, f"Design checklist: {name}", fontsize=TEXT + 1, fontweight="bold", va="center")
    tops = [10 + sum(heights[:place]) for place in range(len(table))]
    ax.plot([LEFT, LEFT], [tops[0] + 4, tops[-1] + 4], color=QUIET, linewidth=1.5, zorder=0)
    for number, (top, (_, row)) in enumerate(zip(tops, table.iterrows(), strict=True), start=1):
        _draw_step(ax, number, top, row)
    return figure


def _texts(row: Any) -> tuple[list[str], list[str], list[str]]:
    """Return question, answer, and status with findings, in lines."""
    word = MARKS[row["status"]] + (f": {row['findings']}" if row["findings"] else "")
    return (
        textwrap.wrap(row["question"], QUESTION),
        textwrap.wrap(row["answer"], ANSWER),
        textwrap.wrap(word, ANSWER),
    )


def _height(row: Any) -> float:
    question, answer, word = _texts(row)
    left = LINE_MM * len(question) + (8 if row["ways"] else 0)
    return max(left, LINE_MM * (len(answer) + len(word)) + 1, 8) + 5


def _draw_step(ax: Any, number: int, top: float, row: Any) -> None:
    colour = STATUSES[row["status"]]
    question, answer, word = _texts(row)
    ax.add_patch(Circle((LEFT, top + 4), 3.2, facecolor=colour, edgecolor="white", linewidth=1))
    ax.text(LEFT, top + 4, str(number), color=ON[row["status"]], ha="center", va="center", fontweight="bold")
    ax.text(LEFT + 6, top + 1.5, "\n".join(question), fontsize=TEXT, fontweight="bold", va="top")
    x, y = LEFT + 6, top + LINE_MM * len(question) + 6
    for way in filter(None, row["ways"].split(" | ")):
        x = _draw_way(ax, x, y, way, taken=way == row["way"], status=row["status"])
    ax.text(RIGHT, top + 1.5, "\n".join(answer), fontsize=SMALL + 0.5, va="top")
    y = top + 2.5 + LINE_MM * len(answer)
    ax.text(RIGHT, y, "\n".join(word), fontsize=SMALL, color=INK, fontweight="bold", va="top")


def _draw_way(ax: Any, x: float, y: float, way: str, *, taken: bool, status: str) -> float:
    width = 1.45 * len(way) + 4
    colour = STATUSES[status]
    box = FancyBboxPatch(
        (x + 0.8, y - 2.2), width - 1.6, 4.4, boxstyle="round,pad=0.3,rounding_size=1.2",
        facecolor=colour if taken else "white", edgecolor=colour if taken else QUIET, linewidth=0.8,
    )  # fmt: skip
    ax.add_patch(box)
    ax.text(
        x + width / 2, y, way, ha="center", va="center", fontsize=SMALL,
        color=ON[status] if taken else GREY_TEXT, fontweight="bold" if taken else "normal",
    )  # fmt: skip
    return x + width + 2.5
