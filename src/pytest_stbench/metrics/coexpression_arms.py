"""Gene-gene correlations of both arms: those of the truth and those of the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.correlations import column_correlations, is_level
from pytest_stbench.metrics.comparison import (
    at_least_three,
    known_genes,
    labels_of,
    matrices,
)
from pytest_stbench.metrics.labelled import true_codes
from pytest_stbench.metrics.partial import log_libsize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Genes = Sequence[str] | NDArray[np.str_] | None

MIN_UNITS = 10
MIN_NICHE_UNITS = 20
RANK_ONE_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneCorrelations:
    """Correlations (g, g) of all pairs of genes; as a prediction, instead of predicted expression.

    nan where nothing is known of a pair: it counts as 0 in a prediction.
    """

    values: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NicheCorrelations:
    """Correlations (niches, g, g) within each niche, instead of predicted expression.

    In a niche that is not in ``niches`` nothing correlates.
    """

    niches: Sequence[str]
    values: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoexpressionArms:
    """Correlations (k, k) of the k genes that can be compared, sorted by symbol; zero diagonals.

    ``reason`` is empty unless the slide has too few units. ``counts`` says how many genes were
    given and what became of them; ``flags`` are ``rank_one`` and ``libsize_constant``.
    """

    genes: NDArray[np.str_]
    truth: Floats
    prediction: Floats
    reason: str
    counts: dict[str, float]
    flags: tuple[str, ...]


def gene_correlations(
    values: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    libsize: ArrayLike | None = None,
    min_units: int = MIN_UNITS,
) -> GeneCorrelations:
    """Return the correlation of every pair of genes over the units of a slide.

    Parameters
    ----------
    values
        Shape (n, g): units x genes, log-normalised.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    libsize
        Shape (n,): total count of each unit over all genes measured. If given, correlations are
        partial on its logarithm.
    min_units
        With fewer units nothing is known.

    Returns
    -------
    GeneCorrelations
        Ones on the diagonal; nan for genes that were not measured, have missing values, do not
        vary or (partial) only follow library size.
    """
    array, _ = matrices(values, values)
    known = known_genes(measured, array.shape[1]) & np.isfinite(array).all(axis=0)
    whole = np.full((array.shape[1], array.shape[1]), np.nan)
    if len(array) >= min_units:
        found = column_correlations(array[:, known], _depth(libsize, len(array)))
        undefined = found.constant | found.explained
        inside = found.values
        inside[undefined], inside[:, undefined] = np.nan, np.nan
        whole[np.ix_(known, known)] = inside
    return GeneCorrelations(values=whole)


coexpression_metric = partial(
    metric, better="up", over="slide", genes="coexpressed", group="coexpression", statistic=gene_correlations
)


def niche_correlations(
    values: ArrayLike,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    min_units: int = MIN_NICHE_UNITS,
) -> NicheCorrelations:
    """Return :func:`gene_correlations` over the units of each niche of a slide.

    `niches` (n,) names the niche of each unit; units without one belong to none, and niches with
    fewer than `min_units` are left out.
    """
    codes, names = true_codes(niches, "niches")
    array, _ = matrices(values, values)
    large = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(names)) >= min_units)
    found = [
        gene_correlations(array[codes == code], measured=measured, min_units=min_units).values
        for code in large
    ]
    g = array.shape[1]
    return NicheCorrelations(
        niches=names[large].tolist(), values=np.array(found, np.float64).reshape(-1, g, g)
    )


def compare_coexpression(
    truth: ArrayLike,
    prediction: ArrayLike | GeneCorrelations,
    *,
    measured: ArrayLike | None,
    genes: Genes,
    libsize: ArrayLike | None = None,
    min_units: int,
) -> CoexpressionArms:
    """Compute the correlations of both arms; partial on log library size if `libsize` is given.

    A gene leaves both arms if it was not measured, has missing truth, does not vary in truth or
    (partial) only follows library size there. One that does so in the prediction alone keeps its
    place and correlates with nothing. Raises ValueError on bad shapes and where the prediction is
    not finite.
    """
    stated = isinstance(prediction, GeneCorrelations)
    true, predicted = matrices(truth, truth if stated else prediction)  # type: ignore[arg-type]  # not stated: an array
    known = known_genes(measured, true.shape[1])
    whole = known & np.isfinite(true).all(axis=0)
    symbols = labels_of(genes, true.shape[1], "genes")
    depth = _depth(libsize, len(true))
    counts: dict[str, Any] = {
        "n_genes": len(known),
        "n_missing": (~known).sum(),
        "n_gaps": (known & ~whole).sum(),
    }
    if not stated and not np.isfinite(predicted).all():
        message = "the prediction is not finite: a model must return a finite number for every unit and gene"
        raise ValueError(message)
    ordered = np.flatnonzero(whole)
    ordered = ordered[np.argsort(symbols[ordered], kind="stable")]
    reference = column_correlations(true[:, ordered], depth)
    varies = ~reference.constant & ~reference.explained
    kept = ordered[varies]
    counts |= {
        "n_constant": reference.constant.sum(),
        "n_explained": reference.explained.sum(),
        "n_compared": len(kept),
    }
    other, lost = _predicted(prediction, predicted, kept, depth)
    counts |= lost
    flags: tuple[str, ...] = ("rank_one",) if rank_one(other) else ()
    if depth is not None and is_level(depth):
        flags += ("libsize_constant",)
    left = reference.values[np.ix_(varies, varies)]
    for matrix in (left, other):
        np.fill_diagonal(matrix, 0.0)
    return CoexpressionArms(
        genes=symbols[kept],
        truth=left,
        prediction=other,
        reason="too_few_units" if len(true) < at_least_three(min_units, "min_units") else "",
        counts={name: float(count) for name, count in counts.items()},
        flags=flags,
    )


def rank_one(correlations: Floats) -> bool:
    """Tell whether one axis holds more than 0.9 of the variance of the genes that vary at all.

    `correlations` (k, k) has ones on the diagonal, 0 for genes that do not vary.
    """
    varies = np.diagonal(correlations) > 0
    if varies.sum() < 2:
        return False
    inside = correlations[np.ix_(varies, varies)]
    return bool(np.linalg.eigvalsh(inside)[-1] > RANK_ONE_SHARE * len(inside))


def _predicted(
    prediction: ArrayLike | GeneCorrelations,
    values: NDArray[Any],
    kept: NDArray[np.intp],
    depth: Floats | None,
) -> tuple[Floats, dict[str, Any]]:
    """Return the predicted correlations of the genes `kept`, and how many of those have none."""
    if isinstance(prediction, GeneCorrelations):
        given = np.asarray(prediction.values, np.float64)
        if given.shape != (values.shape[1], values.shape[1]):
            raise ValueError(
                f"correlations have shape {given.shape}: "
                f"give one for each pair of the {values.shape[1]} genes of truth"
            )
        inside = given[np.ix_(kept, kept)]
        inside = np.where(np.isfinite(inside), inside, 0.0)
        inside = np.clip((inside + inside.T) / 2, -1.0, 1.0)
        unknown = ~(np.abs(inside).sum(axis=1) > 0)
        np.fill_diagonal(inside, (~unknown).astype(np.float64))
        return inside, {"n_pred_constant": unknown.sum(), "n_pred_explained": 0}
    found = column_correlations(values[:, kept], depth)
    return found.values, {
        "n_pred_constant": found.constant.sum(),
        "n_pred_explained": found.explained.sum(),
    }


def _depth(libsize: ArrayLike | None, n_units: int) -> Floats | None:
    return None if libsize is None else log_libsize(libsize, n_units)
