"""Whether a prediction shows which ligand-receptor pairs are active in the tissue, and where.

The association of a pair is L = (1/n) sum_i z_i(ligand) * mean over neighbours j of z_j(receptor):
bivariate Moran's I, where z is the expression with log library size taken off, standardised. It is
evidence compatible with signalling, not proof of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.moments import pair_moments
from pytest_stbench.kernels.precision import average_precision
from pytest_stbench.kernels.ranks import average_ranks
from pytest_stbench.metrics.comparison import CONSTANT_TOLERANCE, correlation
from pytest_stbench.metrics.correlation import pearson_gene
from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.pair_arms import (
    MIN_UNITS,
    PairArms,
    PairAssociations,
    compare_pairs,
    pair_metric,
)
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.metrics.pair_arms import Genes, Pairs

    Floats = NDArray[np.float64]
    Prediction = ArrayLike | PairAssociations

DECIMALS = 9
MIN_POSITIVE = 3
MIN_PER_PATHWAY = 3


@pair_metric(
    "M28", bounds=(0.0, 1.0), source="10.1371/journal.pone.0118432; 10.1111/j.1538-4632.1985.tb00849.x"
)
def lr_auprc(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    pairs: Pairs,
    graph: csr_matrix,
    libsize: ArrayLike,
    lr_threshold: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None = None,
    min_pairs: int = 10,
) -> Scores:
    """Average precision of finding the active ligand-receptor pairs of a slide.

    The association of a pair is bivariate Moran's I: the mean over units of z(ligand) times the mean of
    z(receptor) over the unit's neighbours, z being what log library size leaves, standardised. Pairs are
    ranked by their predicted association; equal ones (after rounding to 9 decimals) share a threshold. A
    pair is active if its true association is above 0 and above that of matched other pairs. Range [0,
    1], higher is better; a constant prediction gets the share of active pairs (the extra
    ``prevalence``).

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes, log-normalised. The prediction may also be
        :class:`~pytest_stbench.metrics.pair_arms.PairAssociations`.
    pairs
        Shape (p, 2): symbols of ligand and receptor. A pair is usable if the slide measured both
        and each is detected in at least 10% of its units.
    graph
        Shape (n, n): binary, symmetric neighbours. Units without any are left out.
    libsize
        Shape (n,): total count of each unit over all genes measured; for both arms.
    lr_threshold
        Shape (p,): what :func:`~pytest_stbench.metrics.pair_arms.lr_thresholds` makes of the truth. A
        usable pair without one is left out and counted (the extra ``n_unmatched``).
    genes, measured
        Gene symbols (g,), and True where the slide measured the gene (g,); all by default.
    min_pairs
        Fewest pairs that give a value.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units`` (fewer than 20 with neighbours),
        ``too_few_pairs``, ``no_positive`` (fewer than 3 active pairs), ``no_negative``. Extras:
        ``prevalence``, ``gain`` (value - prevalence), ``n_positive``, ``n_pairs``, ``n_usable``,
        ``n_missing`` (a gene not measured), ``n_rare`` (detected too rarely), ``n_unmatched``.

    Raises
    ------
    ValueError
        If shapes differ, the prediction is not finite or a library size is not positive.

    References
    ----------
    Precision and recall under imbalance: 10.1371/journal.pone.0118432; bivariate Moran's I:
    10.1111/j.1538-4632.1985.tb00849.x.
    """
    arms = compare_pairs(
        truth, prediction, pairs=pairs, graph=graph, libsize=libsize, genes=genes, measured=measured
    )
    return _precision(arms, *_active(arms, lr_threshold), min_pairs)


@pair_metric("M29", bounds=(-1.0, 1.0), fill=0.0, source="10.1111/j.1538-4632.1985.tb00849.x")
def lr_spearman(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    pairs: Pairs,
    graph: csr_matrix,
    libsize: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None = None,
    min_pairs: int = 10,
) -> Scores:
    """Spearman correlation of true and predicted association over ligand-receptor pairs.

    The association is bivariate Moran's I, as in :func:`lr_auprc`; so are parameters and errors. Range
    [-1, 1], higher is better.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_pairs``, ``gt_constant``,
        ``pred_constant``. Extras: ``n_pairs``, ``n_usable``, ``n_missing``, ``n_rare``.
    """
    arms = compare_pairs(
        truth, prediction, pairs=pairs, graph=graph, libsize=libsize, genes=genes, measured=measured
    )
    reason = short_of(arms, len(arms.l_truth), min_pairs)
    value, found = spearman_of(arms.l_truth, arms.l_prediction)
    return slide_score(value, reason or found, **arms.counts())


@pair_metric(
    "M30", bounds=(-1.0, 1.0), fill=0.0, over="pair", source="10.1038/s41467-023-39608-w", statistic=None
)
def lr_local(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    pairs: Pairs,
    graph: csr_matrix,
    libsize: ArrayLike,
    lr_threshold: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None = None,
) -> Scores:
    """Pearson correlation of the true and the predicted map of each active ligand-receptor pair.

    The map is z_i(ligand) * mean over neighbours j of z_j(receptor). Range [-1, 1], higher is
    better. Parameters and errors as in :func:`lr_auprc`; the prediction is expression.

    Returns
    -------
    Scores
        One value per pair, called ``LIGAND_RECEPTOR``. Undefined, in this order: ``gene_missing``,
        ``not_covered`` (detected too rarely, or too few matched pairs), ``too_few_units``,
        ``no_positive`` (the pair is not active), ``gt_constant``, ``pred_constant``.
    """
    arms = compare_pairs(
        truth, prediction, pairs=pairs, graph=graph, libsize=libsize, genes=genes, measured=measured
    )
    if arms.prediction is None:
        raise ValueError("associations have no map: lr_local needs predicted expression")
    active, matched = _active(arms, lr_threshold)
    found = np.where(matched, np.where(active, "", "no_positive"), "not_covered")
    if arms.n_units < MIN_UNITS:
        found = np.where(matched, "too_few_units", found)
    reasons, values = arms.reasons.copy(), np.full(len(arms.reasons), np.nan)
    chosen = np.flatnonzero(found == "")
    if len(chosen):
        ends = arms.ligand[chosen], arms.receptor[chosen]
        maps = pearson_gene(arms.truth.local(*ends), arms.prediction.local(*ends))
        found = found.astype("U32")
        found[chosen] = maps.reasons
        values[np.flatnonzero(arms.usable)[chosen]] = maps.values
    reasons[arms.usable] = found
    return Scores(values=values, reasons=reasons, labels=arms.labels)


def _precision(
    arms: PairArms, active: NDArray[np.bool_], matched: NDArray[np.bool_], min_pairs: int
) -> Scores:
    """Return the average precision of finding the `active` among the `matched` usable pairs."""
    active, score = active[matched], np.round(arms.l_prediction[matched], DECIMALS)
    n_active = int(active.sum())
    counts = arms.counts() | {"n_unmatched": int((~matched).sum()), "n_positive": n_active}
    reason = short_of(arms, len(active), min_pairs)
    if not reason and n_active < MIN_POSITIVE:
        reason = "no_positive"
    if not reason and n_active == len(active):
        reason = "no_negative"
    if reason:
        return slide_score(np.nan, reason, **counts)
    value = float(average_precision(active[:, None], score[:, None])[0])
    prevalence = n_active / len(active)
    return slide_score(value, **counts, prevalence=prevalence, gain=value - prevalence)


def _active(arms: PairArms, lr_threshold: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which usable pairs are active, and which could be told."""
    threshold = np.asarray(lr_threshold, np.float64)
    if threshold.shape != arms.reasons.shape:
        raise ValueError(
            f"lr_threshold has shape {threshold.shape}: "
            f"give one for each of the {len(arms.reasons)} pairs (nan where there is none)"
        )
    needed = threshold[arms.usable]
    matched = np.isfinite(needed)
    active: NDArray[np.bool_] = matched & (arms.l_truth > 0) & (arms.l_truth > needed)
    return active, matched


def short_of(arms: PairArms, n_scored: int, at_least: int) -> str:
    """Return why a slide has too little to be scored; empty where it has enough."""
    if arms.n_units < MIN_UNITS:
        return "too_few_units"
    return "too_few_pairs" if n_scored < at_least else ""


def spearman_of(true: Floats, predicted: Floats) -> tuple[float, str]:
    """Return the rank correlation of two vectors, or nan and why there is none."""
    for values, reason in ((true, "gt_constant"), (predicted, "pred_constant")):
        if len(values) == 0 or np.ptp(values) <= CONSTANT_TOLERANCE * max(1.0, abs(float(values.mean()))):
            return np.nan, reason
    left, right = (average_ranks(np.round(values, DECIMALS)[:, None]) for values in (true, predicted))
    m = pair_moments(left, right)
    return float(correlation(m.ss_tp, m.ss_t, m.ss_p)[0]), ""
