"""Whether predicted genes are as smooth over the tissue as they truly are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels import moran
from pytest_stbench.metrics.arguments import once
from pytest_stbench.metrics.comparison import compare_genes
from pytest_stbench.metrics.correlation import spearman_gene
from pytest_stbench.metrics.gene_statistics import matrix_and_statistic, moran_statistic
from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.scores import Scores
from pytest_stbench.metrics.similarity import concordance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.metrics.arguments import Shared
    from pytest_stbench.metrics.comparison import Comparison
    from pytest_stbench.metrics.gene_statistics import GeneStatistic

    Floats = NDArray[np.float64]
    Labels = Sequence[str] | NDArray[np.str_] | None

MIN_UNITS = 20
MIN_GENES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoranArms:
    """Moran's I of each gene (g,) in truth and prediction.

    ``truth`` is nan where ``reasons`` (data reasons alone) is not empty; ``prediction`` is nan
    where the predicted gene is constant or the truth is not known. ``n_islands`` units have no
    neighbour.
    """

    labels: NDArray[np.str_]
    reasons: NDArray[np.str_]
    truth: Floats
    prediction: Floats
    n_islands: int

    @property
    def too_few_units(self) -> bool:
        """Whether the slide is too small for any gene."""
        return bool((self.reasons == "too_few_units").any() and not (self.reasons == "").any())


@metric(
    "M12",
    bounds=(None, None),
    better="context",
    fill=0.0,
    group="spatial",
    statistic=moran_statistic,
    source="10.2307/2332142",
)
def morans_i(
    truth: ArrayLike,
    prediction: ArrayLike | GeneStatistic,
    *,
    graph: csr_matrix,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = MIN_UNITS,
    shared: Shared | None = None,
) -> Scores:
    """Moran's I of each predicted gene, to be set beside that of the true gene.

    n / S0 * sum_ij w_ij z_i z_j / sum_i z_i^2 with z centred; units without neighbours are left
    out of n, of S0 and of the mean. Range about [-1, 1], 0 without spatial pattern;
    neither direction is better: it should be near the extra ``truth``.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. NaN in the truth leaves that unit out for that gene. The
        prediction may also be a :class:`GeneStatistic` of Moran's I.
    graph
        Shape (n, n): binary, symmetric neighbours.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    genes
        Gene symbols (g,), the labels of the scores.
    min_units
        Fewest units with neighbours that give a value.
    shared
        Steps that metrics of the same arguments have in common.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units``,
        ``gt_nan`` (truth known for less than half of the units), ``gt_constant``,
        ``pred_constant``. Extras: ``truth``, ``difference`` (prediction - truth; above 0 where
        the prediction is smoother) and ``n_islands``, the number of units without neighbours.

    Raises
    ------
    ValueError
        If shapes differ, the prediction is not finite or the graph is not symmetric.

    References
    ----------
    10.2307/2332142.
    """
    arms = compare_moran(
        truth, prediction, graph=graph, measured=measured, genes=genes, min_units=min_units, shared=shared
    )
    unsaid = (arms.reasons == "") & np.isnan(arms.prediction)
    reasons = np.where(unsaid, "pred_constant", arms.reasons)
    values = np.where(arms.reasons == "", arms.prediction, np.nan)
    islands = np.full(len(arms.labels), float(arms.n_islands))
    extras = {"truth": arms.truth, "difference": values - arms.truth, "n_islands": islands}
    return Scores(values=values, reasons=reasons, labels=arms.labels, extras=extras)


@metric(
    "M13",
    bounds=(-1.0, 1.0),
    better="up",
    fill=0.0,
    over="slide",
    group="spatial",
    statistic=moran_statistic,
    source="10.2307/2332142; 10.2307/2532051",
)
def moran_concordance(
    truth: ArrayLike,
    prediction: ArrayLike | GeneStatistic,
    *,
    graph: csr_matrix,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
    shared: Shared | None = None,
) -> Scores:
    """Lin's concordance of true and predicted Moran's I over the genes of a slide.

    Lowered where the prediction is too smooth or too rough, not only where the order of the genes
    differs. Range [-1, 1], higher is better. Parameters and errors as in :func:`morans_i`; a gene
    whose prediction is constant has a predicted Moran's I of 0.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_genes`` (fewer than
        `min_genes` have a true Moran's I), ``gt_constant`` (neither arm varies over the genes).
        Extras: ``spearman`` over the genes (nan where one arm does not vary), ``bias`` (mean of
        prediction - truth: smoothing), ``mean_truth``, ``mean_prediction``, ``n_genes``,
        ``n_dropped`` (without a true value), ``n_constant`` (predicted constant), ``n_islands``.

    References
    ----------
    Moran's I: 10.2307/2332142; concordance: 10.2307/2532051.
    """
    arms = compare_moran(
        truth, prediction, graph=graph, measured=measured, genes=genes, min_units=min_units, shared=shared
    )
    kept = arms.reasons == ""
    true, predicted = arms.truth[kept], arms.prediction[kept]
    counts = {
        "n_genes": len(true),
        "n_dropped": len(kept) - len(true),
        "n_constant": int(np.isnan(predicted).sum()),
        "n_islands": arms.n_islands,
    }
    if arms.too_few_units:
        return slide_score(np.nan, "too_few_units", **counts)
    if len(true) < max(min_genes, 3):
        return slide_score(np.nan, "too_few_genes", **counts)
    predicted = np.nan_to_num(predicted, nan=0.0)
    pair = true[:, None], predicted[:, None]
    lin, rank = concordance(*pair, min_units=3), spearman_gene(*pair, min_units=3)
    return slide_score(
        float(lin.values[0]),
        str(lin.reasons[0]),
        **counts,
        spearman=float(rank.values[0]),
        bias=float((predicted - true).mean()),
        mean_truth=float(true.mean()),
        mean_prediction=float(predicted.mean()),
    )


def compare_moran(
    truth: ArrayLike,
    prediction: ArrayLike | GeneStatistic,
    *,
    graph: csr_matrix,
    measured: ArrayLike | None,
    genes: Labels,
    min_units: int,
    shared: Shared | None,
) -> MoranArms:
    """Return Moran's I of both arms; parameters and errors as in :func:`morans_i`."""

    def make() -> MoranArms:
        predicted, given = matrix_and_statistic(truth, prediction)
        found = compare_genes(truth, predicted, measured=measured, genes=genes)
        return _arms(found, given, graph, min_units)

    return once(shared, ("moran", min_units), make)


def _arms(found: Comparison, given: Floats | None, graph: csr_matrix, min_units: int) -> MoranArms:
    n, g = found.truth.shape
    if graph.shape != (n, n):
        message = f"the graph joins {graph.shape[0]} units and truth has {n}: they must be the same units"
        raise ValueError(message)
    true, predicted = np.full(g, np.nan), np.full(g, np.nan)
    small = np.zeros(g, bool)
    for columns, rows in found.known_together():
        part = graph if rows is None else graph[rows][:, rows]
        small[columns] = part.shape[0] - _islands(part) < min_units
        arms = [arm if rows is None else arm[rows] for arm in found.take(columns)]
        true[columns] = moran.morans_i(arms[0], part, min_units=min_units)
        if given is None:
            predicted[columns] = moran.morans_i(arms[1], part, min_units=min_units)
    found.mark(small, "too_few_units")
    if given is not None:
        predicted = np.where(found.reasons == "", given, np.nan)
    found.mark(np.isnan(true), "gt_constant")
    return MoranArms(
        labels=found.labels,
        reasons=found.reasons,
        truth=true,
        prediction=predicted,
        n_islands=_islands(graph),
    )


def _islands(graph: csr_matrix) -> int:
    return int((np.diff(graph.indptr) == 0).sum())
