"""What the truth itself scores: where not even a perfect prediction has a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.families.predicted_expression import ExpressionTruth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.families.question import Truth
    from pytest_stbench.run.scoring import Scorer

SETS = frozenset({"communication", "markers"})
"""Sets of genes of which tissue must show enough: active pairs, candidates for lists."""


def perfect_scores(
    folds: Iterable[Mapping[str, Truth]], scorer: Scorer
) -> dict[str, dict[str, dict[str, int]]]:
    """Return the account of what true expression scores against itself.

    Metric -> slide -> reason -> number of scores, the empty reason for those with a value; of the
    metrics of `scorer`. Of questions that are not answered by expression, nothing.
    """
    found: dict[str, dict[str, dict[str, int]]] = {name: {} for name in scorer.names}
    for truths in folds:
        for slide, truth in truths.items():
            if isinstance(truth, ExpressionTruth):
                # Not measured is nan in truth, and a prediction must be finite.
                itself = {slide: np.nan_to_num(truth.values)}
                for name, value in scorer.slide(truth, itself).items():
                    found[name][slide] = {"": value.n_valid, **value.undefined}
    return found
