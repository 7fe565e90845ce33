"""What the truth tells before any model is asked: its classes, and what it scores against itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.calls.failures import Blocked
from pytest_stbench.checks.measured import NothingToScore
from pytest_stbench.errors import DataMissing
from pytest_stbench.families.predicted_expression import ExpressionTruth
from pytest_stbench.run.cells import view_parts
from pytest_stbench.run.scores.scoring import Scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.task_run import TaskRun
    from pytest_stbench.spec.model import MetricSpec

SETS = frozenset({"communication", "markers"})
"""Sets of genes of which tissue must show enough: active pairs, candidates for lists."""

Accounts = dict[str, dict[str, dict[str, int]]]
"""Metric -> slide -> reason -> number of scores, the empty reason for those with a value."""


class TruthFacts:
    """Asks the folds of a task for what checks want to know of the truth."""

    def __init__(self, run: TaskRun, metrics: Sequence[MetricSpec]) -> None:
        self._run = run
        catalogue = run.registry.metrics
        of_sets = [metric for metric in metrics if catalogue[metric.name].genes in SETS]
        self._scorer = Scorer(of_sets, catalogue)

    def perfect(self, view: str) -> Accounts:
        """Return the account of what true expression scores against itself on the first split of a view.

        Of the metrics of niches and ligand-receptor pairs; of questions that are not answered by
        expression, nothing. Raises ``NothingToScore``.
        """
        found: Accounts = {name: {} for name in self._scorer.names}
        if not found:
            return found
        pool = next(pool for pool in self._run.grid.of(view_parts(view)[0]) if pool.view == view)
        cells: dict[str, Cell] = {}
        for cell in pool.cells:
            cells.setdefault(cell.fold.name, cell)
        for cell in cells.values():
            try:
                truths = self._run.truths_of(cell, self._run.fold(cell))
            except Blocked as error:
                raise NothingToScore(error.detail) from None
            for slide, truth in truths.items():
                if isinstance(truth, ExpressionTruth):
                    # Not measured is nan in truth, and a prediction must be finite.
                    itself = {slide: np.nan_to_num(truth.values)}
                    for name, value in self._scorer.slide(truth, itself).items():
                        found[name][slide] = {"": value.n_valid, **value.undefined}
        return found

    def classes(self, name: str) -> tuple[str, ...]:
        """Return the classes of the first fold of a data set; none where it cannot be made."""
        cell = next((cell for pool in self._run.grid.of(name) for cell in pool.cells), None)
        with contextlib.suppress(Blocked, DataMissing):
            return self._run.fold(cell).task.classes if cell else ()
        return ()
