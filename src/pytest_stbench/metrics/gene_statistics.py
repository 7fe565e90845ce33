"""One number per gene in place of predicted expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneStatistic:
    """Predicted value of the statistic of each gene (g,): Moran's I, or the variance.

    Where it is nan the prediction does not say: such a gene ranks last.
    """

    values: ArrayLike


def matrix_and_statistic(
    truth: ArrayLike, prediction: ArrayLike | GeneStatistic
) -> tuple[ArrayLike, NDArray[np.float64] | None]:
    """Return the predicted matrix and None, or, for a statistic, the truth in its place and the values.

    Raises
    ------
    ValueError
        If the statistic does not give a number, or nan, for each gene of the truth.
    """
    if not isinstance(prediction, GeneStatistic):
        return prediction, None
    values = np.asarray(prediction.values, np.float64)
    n_genes = np.shape(truth)[-1]
    if values.shape != (n_genes,) or np.isinf(values).any():
        message = (
            f"the gene statistic has shape {values.shape}: give a number for each of the {n_genes} genes, "
            "nan where there is none"
        )
        raise ValueError(message)
    return truth, values
