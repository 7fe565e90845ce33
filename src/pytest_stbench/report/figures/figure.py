"""A figure: its numbers, caption and drawing, how it looks and is written.

Sizes are those of a paper, text stays text, and the same numbers give the same bytes.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    from matplotlib.axes import Axes

COLUMN, PAGE = 85.0, 180.0
"""Width of one and of two columns of a journal, in mm."""
MM = 1 / 25.4
SMALL, TEXT = 6.0, 7.0
"""Points; nothing is smaller."""
DPI = 300

INK, QUIET, PALE = "#1a1a1a", "#8c8c8c", "#e4e4e4"
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
"""Told apart by colour-blind readers as well (Okabe and Ito)."""
STATUSES = {"pass": GREEN, "warn": ORANGE, "fail": RED, "skip": QUIET, "open": QUIET}
MARKS = {"pass": "passed", "warn": "warned", "fail": "failed", "skip": "skipped", "open": "not judged"}

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that text is the same everywhere
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "pdf.fonttype": 42,  # letters stay letters that can be searched and edited
    "text.parse_math": False,  # a $ in the name of a gene or a slide is a $
    "svg.hashsalt": "stbench",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One figure.

    ``tables`` hold every number that ``draw`` shows, the main one under the empty name; ``caption`` says
    what was measured, ``left_out`` what a part of the figure lacks, each with the reason.
    """

    name: str
    title: str
    caption: str
    tables: Mapping[str, pd.DataFrame]
    draw: Callable[[], Figure]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMade:
    """A figure that cannot be made of the data, why, and what to do."""

    name: str
    why: str
    fix: str

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.name}: not made: {self.why}: {self.fix}"


class CannotDraw(StbenchError):
    """The data lack what a figure, or a part of one, shows."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(f"{why}: {fix}")
        self.why = why
        self.fix = fix


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of these figures, whatever the settings of matplotlib are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)  # type: ignore[arg-type,unused-ignore]  # newer versions name every key
        yield


def page(width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure that no window shows."""
    return Figure(figsize=(width_mm * MM, height_mm * MM), layout="constrained")


def letter(ax: Axes, text: str, *, outside: bool = False) -> None:
    """Put the letter of a part above its left corner; `outside` of it where its title is long."""
    how: Any = {"fontweight": "bold", "fontsize": TEXT + 1}
    if outside:
        ax.annotate(text, (0, 1), (-16, 10), xycoords="axes fraction", textcoords="offset points", **how)
    else:
        ax.set_title(text, loc="left", **how)


def written(figure: Figure) -> tuple[bytes, bytes]:
    """Return a figure as PNG and as PDF, without dates or names of programs in them."""
    png, pdf = io.BytesIO(), io.BytesIO()
    # Parts are laid out once, so that both have the same places.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
    figure.savefig(pdf, format="pdf", dpi=DPI, metadata=nothing)
    return png.getvalue(), pdf.getvalue()
