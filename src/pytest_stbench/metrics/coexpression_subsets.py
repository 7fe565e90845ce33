"""Whether predicted expression keeps the correlations within niches, and of ligands with receptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.coexpression import MIN_GENES, coexpression_ssim, score_ssim
from pytest_stbench.metrics.coexpression_arms import (
    MIN_NICHE_UNITS,
    MIN_UNITS,
    GeneCorrelations,
    NicheCorrelations,
    coexpression_metric,
    compare_coexpression,
    niche_correlations,
)
from pytest_stbench.metrics.labelled import true_codes
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.coexpression_arms import Genes

    Floats = NDArray[np.float64]
    Prediction = ArrayLike | GeneCorrelations
    Ceiling = float | Sequence[float]


@coexpression_metric("M22", bounds=(-1.0, 1.0), genes="communication", source="10.1109/TIP.2003.819861")
def lr_coexpression_ssim(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Structural similarity of the correlations between ligand and receptor genes.

    :func:`coexpression_ssim` of those genes. Range [-1, 1], higher is better.
    """
    return coexpression_ssim(
        truth, prediction, measured=measured, genes=genes, min_units=min_units, min_genes=min_genes
    )


@coexpression_metric(
    "M22", bounds=(-1.0, 1.0), over="niche", statistic=niche_correlations, source="10.1109/TIP.2003.819861"
)
def niche_coexpression_ssim(
    truth: ArrayLike,
    prediction: ArrayLike | NicheCorrelations,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_NICHE_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Structural similarity of gene-gene correlations within each niche.

    Correlations over a whole slide are mostly differences between niches; these are what is left
    inside them. Range [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction, measured, genes, min_units, min_genes
        As in :func:`coexpression_ssim`, for the units of one niche. The prediction may also be
        :class:`~pytest_stbench.metrics.coexpression_arms.NicheCorrelations`.
    niches
        Shape (n,): true niche of each unit. Units without one (None, NaN, empty or
        ``undetermined``) belong to none.

    Returns
    -------
    Scores
        One value per niche, by name, with the extras of :func:`coexpression_ssim`. Undefined, in
        this order: ``empty_niche`` (fewer than `min_units`), ``too_few_genes``.

    Raises
    ------
    ValueError
        As :func:`coexpression_ssim`.
    """
    codes, names = true_codes(niches, "niches")
    true = np.asarray(truth)
    if len(codes) != len(true):
        raise ValueError(f"truth has {len(true)} units and niches {len(codes)}: give the niche of each unit")
    found = []
    for code in range(len(names)):
        inside = codes == code
        if isinstance(prediction, NicheCorrelations):
            predicted: Prediction = _stated(prediction, str(names[code]), true.shape[1])
        else:
            predicted = np.asarray(prediction)[inside]
        arms = compare_coexpression(
            true[inside], predicted, measured=measured, genes=genes, min_units=min_units
        )
        found.append(score_ssim(arms, min_genes))
    reasons = np.array([scores.reasons[0] for scores in found], dtype="U32")
    names_of_extras = found[0].extras if found else ()
    return Scores(
        values=np.array([scores.values[0] for scores in found], dtype=np.float64),
        reasons=np.where(reasons == "too_few_units", "empty_niche", reasons),
        labels=names,
        flags=tuple(sorted({flag for scores in found for flag in scores.flags})),
        extras={name: np.array([scores.extras[name][0] for scores in found]) for name in names_of_extras},
    )


def _stated(prediction: NicheCorrelations, niche: str, n_genes: int) -> GeneCorrelations:
    given = np.asarray(prediction.values, np.float64)
    if given.shape != (len(prediction.niches), n_genes, n_genes):
        raise ValueError(
            f"correlations have shape {given.shape}: give one for each pair of the {n_genes} genes in each "
            f"of the {len(prediction.niches)} niches"
        )
    places = {str(name): row for row, name in enumerate(prediction.niches)}
    return GeneCorrelations(values=given[places[niche]] if niche in places else np.zeros((n_genes, n_genes)))
