"""What a figure is before it is written: numbers, a caption, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from matplotlib.figure import Figure as Drawing


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
    draw: Callable[[], Drawing]
    left_out: tuple[str, ...] = field(default=())


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
