"""What the family asks, and what it scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.families import Arms, Plan, Truth
from pytest_stbench.families.imputation.ask import ImputationQuestion


class RatiosQuestion(ImputationQuestion):
    """Ask for the genes of all ratios from all other genes."""

    def plan(self, train):
        """Ask for the genes of the ratios."""
        genes, wanted = train[0].genes, {gene for pair in self.settings.own.pairs for gene in pair}
        if lacking := sorted(wanted - set(genes.tolist())):
            raise DataError(f"ratios.pairs: the data set does not measure {', '.join(lacking)}")
        asked = np.isin(genes, sorted(wanted))
        columns = np.flatnonzero(asked)
        return Plan(candidates=columns, asked=columns, observed=np.flatnonzero(~asked), counted={})

    def truth(self, slide, fold):
        """Return the true ratios of a test slide."""
        return RatioTruth(expression=super().truth(slide, fold), pairs=self.settings.own.pairs)

    def repeats(self, slide, fold, truth):
        """Nothing: no ceiling is made of halves of counts."""
        return iter(())


@dataclass(frozen=True)
class RatioTruth(Truth):
    """The differences of the logs of two genes each, (units, pairs)."""

    expression: Truth
    pairs: tuple[tuple[str, str], ...]

    @property
    def n_units(self):
        """Number of units."""
        return self.expression.n_units

    def n_columns(self, record):
        """Return the number of ratios."""
        return len(self.pairs)

    def arms(self, record, predicted):
        """Return true and predicted ratios."""
        place = {gene: column for column, gene in enumerate(self.expression.genes.tolist())}
        one, other = np.array([[place[gene] for gene in pair] for pair in self.pairs]).T
        (under,) = self.expression.arms(record, predicted)
        offered = {
            **under.offered,
            "genes": lambda: np.array(["/".join(pair) for pair in self.pairs]),
            "measured": lambda: self.expression.measured[one] & self.expression.measured[other],
        }
        ratios = (values[:, one] - values[:, other] for values in (under.truth, under.prediction))
        return (Arms(truth=next(ratios), prediction=next(ratios), offered=offered),)
