"""Agreement of gene-gene correlations with log library size taken off both arms.

Deep units have more of every gene, so that depth alone makes genes correlate: a prediction of the
library size reaches half of what a repeated measurement does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.metrics.coexpression import MIN_GENES, between, score_ssim
from pytest_stbench.metrics.coexpression_arms import (
    MIN_UNITS,
    coexpression_metric,
    compare_coexpression,
)
from pytest_stbench.metrics.coexpression_structure import (
    MIN_GENES as MIN_PAIRED,
    PERMUTATIONS,
    score_mantel,
    score_rv,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from pytest_stbench.metrics.coexpression import Ceiling, Prediction
    from pytest_stbench.metrics.coexpression_arms import Genes
    from pytest_stbench.metrics.scores import Scores


@coexpression_metric("M22", bounds=(-1.0, 1.0), source="10.1109/TIP.2003.819861; 10.5351/CSAM.2015.22.6.665")
def partial_coexpression_ssim(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    libsize: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Structural similarity of gene-gene correlations with log library size partialled out.

    Range [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction, measured, genes, min_units, min_genes
        As in :func:`pytest_stbench.metrics.coexpression_ssim`. :class:`GeneCorrelations` are taken
        as partial ones.
    libsize
        Shape (n,): total count of each unit over all genes measured; for both arms.

    Returns
    -------
    Scores
        As of :func:`pytest_stbench.metrics.coexpression_ssim`. A gene that only follows library
        size in truth leaves both matrices (the extra ``n_explained``); one that does so in the
        prediction correlates with nothing there (``n_pred_explained``). Where all units have one
        library size nothing is taken off and the flag ``libsize_constant`` is set.

    Raises
    ------
    ValueError
        If the shapes differ, the prediction is not finite or a library size is not positive.

    References
    ----------
    Partial correlation: 10.5351/CSAM.2015.22.6.665.
    """
    arms = compare_coexpression(
        truth, prediction, measured=measured, genes=genes, libsize=libsize, min_units=min_units
    )
    return score_ssim(arms, min_genes)


@coexpression_metric("M23", bounds=(None, None), source="10.1109/TIP.2003.819861; 10.5351/CSAM.2015.22.6.665")
def partial_coexpression_ssim_normalised(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    libsize: ArrayLike,
    ceiling: Ceiling,
    floor: float,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Structural similarity of partial gene-gene correlations, between floor and ceiling.

    As :func:`pytest_stbench.metrics.coexpression_ssim_normalised`, of
    :func:`partial_coexpression_ssim`: `ceiling` and `floor` must be partial too. At most about 1,
    higher is better.
    """
    arms = compare_coexpression(
        truth, prediction, measured=measured, genes=genes, libsize=libsize, min_units=min_units
    )
    return between(score_ssim(arms, min_genes), ceiling, floor)


@coexpression_metric("M24", bounds=(-1.0, 1.0), fill=0.0, source="10.5351/CSAM.2015.22.6.665")
def partial_coexpression_mantel(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    libsize: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_PAIRED,
    permutations: int = PERMUTATIONS,
) -> Scores:
    """Pearson correlation of true and predicted partial correlations of all pairs of genes.

    As :func:`pytest_stbench.metrics.coexpression_mantel`, with log library size taken off as in
    :func:`partial_coexpression_ssim`. Range [-1, 1], higher is better.
    """
    arms = compare_coexpression(
        truth, prediction, measured=measured, genes=genes, libsize=libsize, min_units=min_units
    )
    return score_mantel(arms, min_genes, permutations)


@coexpression_metric(
    "M25", bounds=(-1.0, 1.0), fill=0.0, source="10.2307/2347233; 10.5351/CSAM.2015.22.6.665"
)
def partial_coexpression_rv(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    libsize: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_PAIRED,
) -> Scores:
    """RV coefficient of true and predicted partial gene-gene correlations.

    As :func:`pytest_stbench.metrics.coexpression_rv`, with log library size taken off as in
    :func:`partial_coexpression_ssim`. Range [-1, 1], higher is better.
    """
    arms = compare_coexpression(
        truth, prediction, measured=measured, genes=genes, libsize=libsize, min_units=min_units
    )
    return score_rv(arms, min_genes)
