"""What the similarity of gene-gene correlations is read against: ceiling and floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.coexpression import MIN_GENES, score_ssim
from pytest_stbench.metrics.coexpression_arms import MIN_UNITS, GeneCorrelations, compare_coexpression

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from pytest_stbench.metrics.coexpression import Prediction
    from pytest_stbench.metrics.coexpression_arms import Genes


def coexpression_ceiling(
    halves: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    libsize: Iterable[ArrayLike] | None = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> float:
    """Return the structural similarity that two halves of the truth's counts reach.

    Parameters
    ----------
    halves
        Pairs of matrices (n, g): thinned counts, each normalised by its own library size. The
        first is scored as a prediction of the second.
    libsize
        Library sizes (n,) of the second half of each pair, for the partial version.
    measured, genes, min_units, min_genes
        As in :func:`pytest_stbench.metrics.coexpression_ssim`.

    Returns
    -------
    float
        Mean over the pairs that have a value; nan where none has.
    """
    depths = iter(libsize) if libsize is not None else None
    values = []
    for first, second in halves:
        arms = compare_coexpression(
            second, first, measured=measured, genes=genes, min_units=min_units,
            libsize=None if depths is None else next(depths),
        )  # fmt: skip
        values.append(float(score_ssim(arms, min_genes).values[0]))
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def coexpression_floor(
    truth: ArrayLike,
    references: Iterable[Prediction],
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    libsize: ArrayLike | None = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> float:
    """Return the best structural similarity reached without knowing the slide; nan where none is.

    The largest of the matrix of zeros and of the `references`: a prediction from library size
    alone and the mean correlations of the training patients. With `libsize` all are partial.
    """
    options = {"measured": measured, "genes": genes, "libsize": libsize, "min_units": min_units}
    g = np.shape(truth)[1]
    nothing = GeneCorrelations(values=np.zeros((g, g)))
    found = [
        float(score_ssim(compare_coexpression(truth, reference, **options), min_genes).values[0])  # type: ignore[arg-type]  # names and types as declared
        for reference in (nothing, *references)
    ]
    # What makes one undefined is in the truth: all are, or none.
    return max(found)
