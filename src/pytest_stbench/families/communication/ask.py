"""T07, communication: predicted expression, looked at in ligands and receptors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.families.communication.declare import Communication
from pytest_stbench.families.derived import Derived
from pytest_stbench.families.pairs import builtin_pairs, pair_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import FamilySettings, Plan


class CommunicationQuestion(Derived):
    """Derived, with the ligand-receptor pairs that the task file names.

    A model is given and asked what it is in `expression` or, where the task file has a block ``imputation``,
    in that family. Which pairs are active is computed from truth and prediction alike.
    """

    def __init__(self, settings: FamilySettings | None = None) -> None:
        super().__init__(settings)
        own = self.settings.own or Communication()
        self.pairs = pair_table(own.pairs, self.settings.resolve, undirected=own.undirected)

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return the plan of the parent, with the genes of the pairs."""
        plan = super().plan(train)
        return replace(plan, communication=self.pairs.genes, counted={**plan.counted, **self.pairs.counted})

    def identity(self, fold: FoldData) -> Any:
        """Return the pairs of a file or of liana: ceilings and thresholds are of them, not of their genes."""
        del fold
        return None if self.pairs == builtin_pairs() else [self.pairs.pairs, self.pairs.pathways]
