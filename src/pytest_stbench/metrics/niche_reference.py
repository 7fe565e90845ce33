"""What else is said of niche signatures: the markers of one matrix, and what depth allows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.draws import drawn, settled_ceilings
from pytest_stbench.metrics.niche_arms import (
    MIN_HEADROOM,
    MIN_LIST,
    MIN_UNITS,
    N_TOP,
    NicheFoldChanges,
    compare_niches,
    full_length_chance,
    jaccard,
    marker_lists,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Genes = Sequence[str] | NDArray[np.str_] | None


def niche_markers(
    values: ArrayLike,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> dict[str, tuple[str, ...]]:
    """Return the marker genes of each niche of a slide, best first; () where none can be told.

    Parameters and errors as in :func:`niche_jaccard`, of one matrix.
    """
    arms = compare_niches(
        values, _nothing(values), niches, measured=measured, genes=genes, min_units=min_units
    )
    lists, _ = arms.lists(n, predicted=False)
    told = (arms.reasons == "") & (arms.lengths(n) >= MIN_LIST)
    return {
        str(niche): tuple(arms.genes[chosen].tolist()) if tells else ()
        for niche, chosen, tells in zip(arms.niches, lists, told, strict=True)
    }


def niche_fold_changes(
    values: ArrayLike, *, niches: ArrayLike, min_units: int = MIN_UNITS
) -> NicheFoldChanges:
    """Return the log2 fold changes of the niches of a slide that are large enough on both sides.

    nan for a gene with missing values. Parameters and errors as in :func:`niche_jaccard`, of one
    matrix.
    """
    arms = compare_niches(values, _nothing(values), niches, measured=None, genes=None, min_units=min_units)
    told = arms.reasons == ""
    known = np.isfinite(np.asarray(values)).all(axis=0)
    change = np.where(known, arms.change_truth[told], np.nan)
    return NicheFoldChanges(niches=arms.niches[told].tolist(), values=change)


niche_metric = partial(
    metric, better="up", fill=0.0, over="niche", genes="markers", group="set", statistic=niche_fold_changes
)


def niche_ceiling(
    truth: ArrayLike,
    halves: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> dict[str, list[float]]:
    """Return the Jaccard index that two halves of the counts reach, for each niche and pair of halves.

    Parameters
    ----------
    truth, niches, measured, genes, n, min_units
        As in :func:`niche_jaccard`. Candidates and lengths of the lists are those of the whole
        truth.
    halves
        Pairs of matrices (n, g): thinned counts, each normalised by its own library size. The
        first is scored as a prediction of the second. As many are taken as suffice for a score
        between chance and ceiling (:func:`~pytest_stbench.kernels.draws.settled_ceilings`).

    Returns
    -------
    dict
        Niche -> one value a pair; nan where the second half has no marker.
    """
    whole = compare_niches(
        truth, _nothing(truth), niches, measured=measured, genes=genes, min_units=min_units
    )
    shared = whole.candidates, whole.genes, whole.lengths(n)

    def values() -> Iterator[NDArray[np.float64]]:
        for first, second in halves:
            arms = compare_niches(second, first, niches, measured=measured, genes=genes, min_units=min_units)
            reference, _ = marker_lists(arms.order_truth, arms.change_truth, *shared)
            guess, _ = marker_lists(arms.order_prediction, arms.change_prediction, *shared)
            both = zip(reference, guess, strict=True)
            yield np.array([jaccard(a, b) if len(a) else np.nan for a, b in both])

    floors = full_length_chance(whole, n)
    found = drawn(values(), lambda so_far: settled_ceilings(so_far, floors, MIN_HEADROOM))
    by_niche = found.T if len(found) else np.empty((len(whole.niches), 0))
    return {str(niche): ceilings.tolist() for niche, ceilings in zip(whole.niches, by_niche, strict=True)}


def _nothing(values: ArrayLike) -> NicheFoldChanges:
    """Return the prediction of no niche: what is said of one matrix takes none."""
    return NicheFoldChanges(niches=(), values=np.zeros((0, np.shape(values)[-1])))
