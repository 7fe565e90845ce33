"""Whether predicted expression gives the same marker genes of each niche as the truth.

Niches are the true ones in both arms. A marker of a niche is more expressed inside than outside
(log2 fold change above 0) and detected in at least 10% of the niche's units in truth; markers are
ordered by the Wilcoxon rank-sum statistic of the niche against all other labelled units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.draws import ceiling_draws, effects, mean_of_draws
from pytest_stbench.metrics.niche_arms import (
    MIN_UNITS,
    N_TOP,
    NicheFoldChanges,
    compare_niches,
    jaccard,
    score_lists,
)
from pytest_stbench.metrics.niche_reference import niche_metric
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Genes = Sequence[str] | NDArray[np.str_] | None
    Prediction = ArrayLike | NicheFoldChanges


@niche_metric("M18", bounds=(0.0, 1.0), params=("n",), source="10.1111/j.1469-8137.1912.tb05611.x")
def niche_jaccard(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> Scores:
    """Jaccard index of true and predicted marker genes of each niche.

    Markers are ordered by the Wilcoxon rank-sum test of a niche against all other units, with the
    correction for ties. Range [0, 1], higher is better. Two halves of one slide reach about 0.2, so that
    a plain value says little: see :func:`niche_jaccard_normalised`.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes, log1p scale. The prediction may also be
        :class:`~pytest_stbench.metrics.niche_arms.NicheFoldChanges`, which order the genes by themselves.
    niches
        Shape (n,): true niche of each unit. Units without one (None, NaN, empty or
        ``undetermined``) are left out of both sides.
    measured
        Shape (g,), True where the slide measured the gene; all by default. Other genes, and genes
        with missing truth, are no candidates.
    genes
        Gene symbols (g,), which decide between equal statistics.
    n
        Length of the lists; cut to a quarter of the niche's candidates.
    min_units
        Fewest units inside and outside a niche that give a value.

    Returns
    -------
    Scores
        One value per niche, by name. Undefined, in this order: ``empty_niche``, ``too_few_genes``
        (lists shorter than 5), ``empty_signature`` (no true marker), ``empty_pred`` (no predicted
        marker). The flag ``ties`` says that equal statistics decided more than a tenth of a list.
        Extras: ``n_candidates``, ``n_truth``, ``n_prediction`` (lengths of the lists),
        ``expected`` (of random lists of these lengths), and ``n_left_out`` (units without a niche).

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.

    References
    ----------
    Jaccard index: 10.1111/j.1469-8137.1912.tb05611.x.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    return score_lists(arms, n, jaccard)


@niche_metric("M19", bounds=(0.0, 1.0), params=("n",))
def niche_overlap(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> Scores:
    """Overlap coefficient of true and predicted marker genes of each niche.

    Common markers over the length of the shorter list, so that lists of different lengths can
    agree fully. Range [0, 1], higher is better. Parameters, undefined values and errors as in
    :func:`niche_jaccard`.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    return score_lists(arms, n, lambda a, b: len(np.intersect1d(a, b)) / min(len(a), len(b)))


@niche_metric("M20", bounds=(None, None), params=("n",))
def niche_jaccard_normalised(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    niches: ArrayLike,
    ceiling: Mapping[str, float | Sequence[float]],
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> Scores:
    """Jaccard index of the marker genes of each niche, between chance and ceiling.

    (J - floor) / (ceiling - floor), where the floor is the exact expectation of two random lists
    of the same lengths among the candidates. At most about 1, negative below chance, higher is
    better.

    Parameters
    ----------
    truth, prediction, niches, measured, genes, n, min_units
        As in :func:`niche_jaccard`.
    ceiling
        Niche -> Jaccard index that the depth of the truth allows, or its draws, as made by
        :func:`~pytest_stbench.metrics.niche_reference.niche_ceiling`: their mean is taken. A niche
        without a finite one has no headroom.

    Returns
    -------
    Scores
        As of :func:`niche_jaccard`, with the extras ``ceiling`` and ``jaccard``. Undefined besides,
        after ``empty_signature``: ``no_headroom`` (the ceiling is less than 0.05 above what random
        lists of full length reach, which does not depend on the prediction).

    Raises
    ------
    ValueError
        As :func:`niche_jaccard`.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    draws = ceiling_draws([ceiling.get(str(niche), np.nan) for niche in arms.niches])
    top = mean_of_draws(draws)
    plain = score_lists(arms, n, jaccard, ceiling=top)
    floor = plain.extras["expected"]
    defined = plain.reasons == ""
    values = np.divide(plain.values - floor, top - floor, out=np.full(len(floor), np.nan), where=defined)
    return Scores(
        values=values,
        reasons=plain.reasons,
        labels=plain.labels,
        flags=plain.flags,
        extras={**plain.extras, "ceiling": top, "jaccard": plain.values},
        effects=effects(draws, np.where(defined, values, 0.0), np.where(defined, top - floor, 1.0)).T,
        members=plain.members,
    )


@niche_metric("M20", bounds=(0.0, 1.0), params=("n",))
def novel_recall(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    niches: ArrayLike,
    known_markers: Mapping[str, Collection[str]],
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> Scores:
    """Share of the true markers unknown from training that are predicted; chance is an extra.

    Range [0, 1], higher is better; chance is the extra ``chance``, predicted markers / candidates: what a
    random list of the predicted length holds of any other list.

    Parameters
    ----------
    truth, prediction, niches, measured, genes, n, min_units
        As in :func:`niche_jaccard`; `genes` must be given for their symbols to be looked up.
    known_markers
        Niche -> symbols that are in the signature of that niche in any training patient, as made
        by :func:`~pytest_stbench.metrics.niche_reference.niche_markers`. Of a niche that is
        not there every marker is novel.

    Returns
    -------
    Scores
        As of :func:`niche_jaccard`, with the extras ``n_novel`` and ``chance``. Undefined besides, after
        ``empty_signature``: ``no_positive`` (no true marker is novel).

    Raises
    ------
    ValueError
        As :func:`niche_jaccard`.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    known = [
        np.isin(arms.genes, np.asarray(sorted(known_markers.get(str(niche), ())), np.str_))
        for niche in arms.niches
    ]
    return score_lists(arms, n, lambda a, b: float(np.isin(a, b).mean()), known=known)
