"""Correlation per gene with library size held fixed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.moments import column_ranges, pair_moments
from pytest_stbench.kernels.ranks import average_ranks
from pytest_stbench.metrics.comparison import (
    CONSTANT_TOLERANCE,
    Comparison,
    at_least_three,
    clip,
    compare_genes,
    correlation,
)
from pytest_stbench.metrics.correlation import mark_constant, rank_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.arguments import Shared
    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]
    Labels = Sequence[str] | NDArray[np.str_] | None

COLLINEAR = 1e-9


depth_adjusted_metric = partial(
    metric,
    bounds=(-1.0, 1.0),
    better="up",
    fill=0.0,
    group="depth_adjusted",
    source="10.5351/CSAM.2015.22.6.665; 10.1186/s13059-024-03241-7",
)


@depth_adjusted_metric(
    "M05",
)
def partial_pearson_gene(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    libsize: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = 10,
) -> Scores:
    """Pearson correlation of each gene with log library size partialled out.

    (r_yp - r_yL r_pL) / sqrt((1 - r_yL^2) (1 - r_pL^2)), L = ln(libsize). A prediction that only
    follows the depth of a unit gets nothing. Range [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction, measured, genes, min_units
        As in :func:`pytest_stbench.metrics.pearson_gene`.
    libsize
        Shape (n,): total count of each unit over all genes measured, not only those scored.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units``,
        ``gt_nan``, ``gt_constant``, ``pred_constant``, ``collinear_with_libsize`` (truth),
        ``pred_collinear_with_libsize``. Where all units have one library size the value is the
        plain correlation and the flag ``libsize_constant`` is set.

    Raises
    ------
    ValueError
        If the shapes differ, the prediction is not finite or a library size is not positive.

    References
    ----------
    Partial correlation: 10.5351/CSAM.2015.22.6.665; library size as biology:
    10.1186/s13059-024-03241-7.
    """
    found = compare_genes(
        truth,
        prediction,
        measured=measured,
        genes=genes,
        at_least=at_least_three(min_units, "min_units"),
    )
    return _partial(found, log_libsize(libsize, len(found.truth)), ranked=None)


@depth_adjusted_metric(
    "M05",
)
def partial_spearman_gene(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    libsize: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = 10,
    shared: Shared | None = None,
) -> Scores:
    """Spearman correlation of each gene with log library size partialled out.

    The formula of :func:`partial_pearson_gene` on average ranks of truth, prediction and library
    size. Range [-1, 1], higher is better. Parameters, undefined values and errors as there.
    """
    found = compare_genes(
        truth,
        prediction,
        measured=measured,
        genes=genes,
        at_least=at_least_three(min_units, "min_units"),
    )
    ranked = partial(rank_columns, found, shared=shared)
    return _partial(found, log_libsize(libsize, len(found.truth)), ranked=ranked)


def _partial(found: Comparison, depth: Floats, *, ranked: Callable[..., Any] | None) -> Scores:
    mark_constant(found)
    g = len(found.labels)
    r_yp, r_yd, r_pd, level = np.zeros(g), np.zeros(g), np.zeros(g), np.zeros(g, bool)
    for columns in found.blocks(np.flatnonzero(found.reasons == "")):
        mask = found.mask(columns)
        level[columns] = _constant(depth, mask, len(columns))
        (true, predicted), third = found.take(columns), depth
        if ranked is not None:
            true, predicted, mask = ranked(columns)
            # Depth is ranked among the units that count, which differ from gene to gene.
            among = depth[:, None] if mask is None else np.where(mask, depth[:, None], np.nan)
            third = average_ranks(among)
            third = third[:, 0] if mask is None else third
        m = pair_moments(true, predicted, mask, third)
        r_yp[columns] = correlation(m.ss_tp, m.ss_t, m.ss_p)
        r_yd[columns] = correlation(m.ss_te, m.ss_t, m.ss_e)
        r_pd[columns] = correlation(m.ss_pe, m.ss_p, m.ss_e)
    left_y, left_p = 1.0 - r_yd**2, 1.0 - r_pd**2
    found.mark(~level & (left_y < COLLINEAR), "collinear_with_libsize")
    found.mark(~level & (left_p < COLLINEAR), "pred_collinear_with_libsize")
    defined = ~level & (found.reasons == "")
    scale = np.sqrt(np.where(defined, left_y * left_p, 1.0))
    partial = clip((r_yp - r_yd * r_pd) / scale)
    flags = ("libsize_constant",) if level.any() else ()
    return found.scores(np.where(level, r_yp, partial), flags=flags)


def _constant(depth: Floats, mask: NDArray[np.bool_] | None, g: int) -> NDArray[np.bool_]:
    """Return for each of g genes whether depth is the same in all units that count."""
    columns = depth[:, None] if mask is None else np.broadcast_to(depth[:, None], mask.shape)
    mean = depth.mean() if mask is None else (columns * mask).sum(axis=0) / mask.sum(axis=0)
    allowed = CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean))
    return np.broadcast_to(column_ranges(columns, mask) <= allowed, (g,))


def log_libsize(libsize: ArrayLike, n_units: int) -> Floats:
    """Return the natural logarithm of the total count of each unit, or raise ValueError."""
    counts = np.asarray(libsize, np.float64)
    if counts.shape != (n_units,):
        message = f"libsize has shape {counts.shape}: give the total count of each of the {n_units} units"
        raise ValueError(message)
    if not (np.isfinite(counts) & (counts > 0)).all():
        message = "libsize holds totals that are not positive: leave out units without counts before scoring"
        raise ValueError(message)
    return np.log(counts)
