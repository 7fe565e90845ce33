"""Whether the genes that stand out in the truth stand out in the prediction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.markers import TIE_DECIMALS, edge_is_tied, marker_order
from pytest_stbench.metrics.autocorrelation import MIN_UNITS, compare_moran
from pytest_stbench.metrics.comparison import compare_genes
from pytest_stbench.metrics.gene_statistics import matrix_and_statistic, moran_statistic, variance_statistic
from pytest_stbench.metrics.labelled import SLIDE
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.metrics.arguments import Shared
    from pytest_stbench.metrics.gene_statistics import GeneStatistic

    Floats = NDArray[np.float64]
    Labels = Sequence[str] | NDArray[np.str_] | None

TOP = 20
SMALLEST_UNIVERSE = 2
"""Genes there must be for each that is recovered."""


recovery_metric = partial(
    metric, bounds=(0.0, 1.0), better="up", fill=0.0, over="slide", group="spatial", params=("k",)
)


@recovery_metric(
    "M15", statistic=moran_statistic, source="10.1038/s41467-023-39748-z; 10.1186/s13059-021-02404-0"
)
def svg_recovery(
    truth: ArrayLike,
    prediction: ArrayLike | GeneStatistic,
    *,
    graph: csr_matrix,
    k: int = TOP,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = MIN_UNITS,
    shared: Shared | None = None,
) -> Scores:
    """Share of the k genes with the most spatial pattern that the prediction finds; chance k/g.

    Both arms rank the genes by Moran's I; genes without one rank last, as do those whose truth is
    known for less than half of the units. Equal values (after rounding to 9 decimals) follow the
    alphabet, so a constant prediction is scored by its symbols, with the flag ``ties``. Range
    [0, 1], higher is better; chance is the extra ``chance``, k / number of genes.

    Parameters
    ----------
    truth, prediction, graph, measured, genes, min_units, shared
        As in :func:`pytest_stbench.metrics.morans_i`; `genes` also decides ties.
    k
        Length of both lists, such as 20, 50 or 100.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units`` (fewer than `min_units` with
        neighbours), ``too_few_genes`` (fewer than 2 k measured, or fewer than k with a true
        Moran's I). The flag ``ties`` says that more than a tenth of a list is tied with a gene
        that did not enter. Extras: ``chance``, ``n_genes``, ``n_dropped`` (without a true value).

    Raises
    ------
    ValueError
        If shapes differ, the prediction is not finite, the graph is not symmetric or `k` is below 1.

    References
    ----------
    Moran's I: 10.2307/2332142; spatially variable genes: 10.1038/s41467-023-39748-z,
    10.1186/s13059-021-02404-0.
    """
    arms = compare_moran(
        truth, prediction, graph=graph, measured=measured, genes=genes, min_units=min_units, shared=shared
    )
    known = arms.reasons != "gene_missing"
    reason = "too_few_units" if arms.too_few_units else ""
    return compare_tops(arms.truth[known], arms.prediction[known], arms.labels[known], k, reason)


@recovery_metric("M16", statistic=variance_statistic, source="10.1016/j.cell.2019.05.031")
def hvg_recovery(
    truth: ArrayLike,
    prediction: ArrayLike | GeneStatistic,
    *,
    hvg_score: ArrayLike,
    k: int = TOP,
    measured: ArrayLike | None = None,
    genes: Labels = None,
) -> Scores:
    """Share of the k most variable genes that vary most in the prediction; chance is k/g.

    The truth ranks genes by `hvg_score`, the prediction by the variance over units. Genes without
    a score rank last, as do those whose truth is known for less than half of the units; equal
    values (after rounding to 9 decimals) follow the alphabet. Range [0, 1], higher is better;
    chance is the extra ``chance``, k / number of genes.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. Units whose truth is missing take no part. The prediction may
        also be a :class:`GeneStatistic` of the variance.
    hvg_score
        Shape (g,): how variable the genes truly are, as
        :func:`pytest_stbench.kernels.hvg.standardised_variance` makes it of the raw counts; nan
        where there is none.
    k
        Length of both lists, such as 20, 50 or 100.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    genes
        Gene symbols (g,); they decide ties.

    Returns
    -------
    Scores
        One value. Undefined: ``too_few_units`` (no unit), ``too_few_genes`` (fewer than 2 k
        measured, or fewer than k with a score). Flag and extras as in :func:`svg_recovery`.

    Raises
    ------
    ValueError
        If shapes differ, the prediction is not finite or `k` is below 1.

    References
    ----------
    10.1016/j.cell.2019.05.031.
    """
    predicted, spread = matrix_and_statistic(truth, prediction)
    found = compare_genes(truth, predicted, measured=measured, genes=genes)
    known = found.reasons != "gene_missing"
    score = np.asarray(hvg_score, np.float64)
    if score.shape != known.shape:
        raise ValueError(f"hvg_score has shape {score.shape}: give one for each of the {len(known)} genes")
    if spread is None:
        variance = found.moments.ss_p / np.maximum(found.moments.n, 1.0)
        spread = np.where(found.constant_prediction(), 0.0, variance)
    score, spread = (np.where(found.reasons == "", arm, np.nan) for arm in (score, spread))
    reason = "" if len(found.truth) else "too_few_units"
    return compare_tops(score[known], spread[known], found.labels[known], k, reason)


def compare_tops(truth: Floats, prediction: Floats, genes: NDArray[np.str_], k: int, reason: str) -> Scores:
    """Return the share of the `k` genes (g,) highest in truth that are highest in the prediction.

    A `reason` found before makes the score undefined.
    """
    if k < 1:
        raise ValueError(f"k is {k}: it is the number of genes in both lists, at least 1")
    g, defined = len(genes), int(np.isfinite(truth).sum())
    if not reason and (g < SMALLEST_UNIVERSE * k or defined < k):
        reason = "too_few_genes"
    value, tied = np.nan, False
    if not reason:
        stacked = np.stack([np.where(np.isnan(arm), -np.inf, arm) for arm in (truth, prediction)])
        rounded = np.round(stacked, TIE_DECIMALS)
        order = marker_order(rounded, genes)
        value = len(np.intersect1d(order[0, :k], order[1, :k])) / k
        tied = any(edge_is_tied(*row, k) for row in zip(rounded, order, strict=True))
    extras = {"chance": k / g if g else np.nan, "n_genes": g, "n_dropped": g - defined}
    return Scores(
        values=np.array([value]),
        reasons=np.array([reason], dtype="U32"),
        labels=np.array([SLIDE]),
        flags=("ties",) if tied else (),
        extras={name: np.array([float(extra)]) for name, extra in extras.items()},
    )
