"""What is kept of one task while it runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_stbench.results.kept import unanswered
from pytest_stbench.results.kept_parts import MapPart, write_part
from pytest_stbench.run.cells import patient_of
from pytest_stbench.run.details.map_writer import MapKeeper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.families.question import Truth
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.details.writer import Keeper
    from pytest_stbench.run.scores.ceilings import Ceiling
    from pytest_stbench.run.scores.scoring import Detail
    from pytest_stbench.run.task_run import TaskRun


class TaskKeeper:
    """Hands what a task run makes to the keeper of its process."""

    def __init__(self, keeper: Keeper, run: TaskRun) -> None:
        self._keeper = keeper
        self._task = run.spec.name
        self._grid = run.grid
        asked = keeper.level != "scores"
        self._maps = MapKeeper(keeper.folder, run, everything=keeper.level == "all") if asked else None

    def ceilings(self, cell: Cell, found: Mapping[str, Mapping[str, Ceiling]]) -> None:
        """Keep the ceilings of one cell."""
        self._keeper.ceilings(self._task, cell, found, patient_of(self._grid, cell.dataset))

    def scores(self, cell: Cell, who: tuple[str, str], details: Sequence[Detail]) -> None:
        """Keep every single score of one contestant, its role and name, on one cell."""
        self._keeper.scores(self._task, cell, who, details, patient_of(self._grid, cell.dataset))
        if self._maps is not None and who[0] == "model":
            self._maps.note(cell, who[1], details)

    def unanswered(self, contestant: Contestant, cell: Cell, why: str) -> None:
        """Say of each test slide of a cell that a model gave no prediction; variants keep no maps."""
        for slide in cell.fold.test if not cell.variant else ():
            about = {"task": self._task, "dataset": cell.dataset, "slide": slide}
            part = MapPart(about=about, left_out=(unanswered(contestant.label, why),))
            self._keeper.guarded(partial(write_part, self._keeper.folder, part, contestant.label))

    def maps(self, contestant: Contestant, cell: Cell, truths: Mapping[str, Truth]) -> None:
        """Keep the maps of one cell, where maps are asked."""
        maps = self._maps
        if maps is not None:
            self._keeper.guarded(lambda: maps.keep(contestant, cell, truths))
