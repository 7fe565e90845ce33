"""How well predicted clusters hang together in space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from pytest_stbench.kernels.neighbours import nearest_units
from pytest_stbench.metrics.labelled import Labels, cluster_metric, compare_labels, slide_score

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

NEAREST = 10
DIFFERENT = 6


@cluster_metric("M38", bounds=(0.0, 1.0), better="down", source="10.1038/s41467-022-34879-1")
def pas(truth: ArrayLike, prediction: ArrayLike, *, xy_um: ArrayLike) -> Scores:
    """Share of units whose predicted label differs from most of their neighbours.

    Percentage of abnormal spots: those from whose label 6 or more of the 10 nearest units differ.
    Range [0, 1], lower is better; a single label gives 0.

    Parameters
    ----------
    truth
        Shape (n,): true labels. Units without one (None, NaN, empty or ``undetermined``) are left
        out, as if they were not on the slide.
    prediction
        Shape (n,): predicted label or cluster of each unit.
    xy_um
        Shape (n, 2): coordinates in um. Equal distances are decided by x, then by y.

    Returns
    -------
    Scores
        One value. Extras: ``truth``, the same of the true labels, and ``n_left_out``, the units
        without one. Undefined: ``too_few_units`` (fewer than 11).

    Raises
    ------
    ValueError
        If the lengths differ, a unit has no predicted label or a coordinate is not finite.

    References
    ----------
    PAS and CHAOS: 10.1038/s41467-022-34879-1.
    """
    labels = compare_labels(truth, prediction)
    xy = _places(xy_um, labels)
    if len(xy) <= NEAREST:
        return slide_score(np.nan, "too_few_units", n_left_out=labels.n_left_out)
    nearest = nearest_units(xy, NEAREST)
    found, reference = (
        float(((codes[nearest] != codes[:, None]).sum(axis=1) >= DIFFERENT).mean())
        for codes in (labels.prediction, labels.truth)
    )
    return slide_score(found, truth=reference, n_left_out=labels.n_left_out)


@cluster_metric("M39", bounds=(0.0, None), better="down", source="10.1038/s41467-022-34879-1")
def chaos(truth: ArrayLike, prediction: ArrayLike, *, xy_um: ArrayLike) -> Scores:
    """Distance of units to the nearest one of the same predicted label, in slide radii.

    Coordinates are centred and both divided by one scale, sqrt((var x + var y) / 2). 0 or more,
    lower is better. A unit that is the only one of its label is left out and counted.

    Parameters
    ----------
    truth, prediction, xy_um
        As in :func:`pas`.

    Returns
    -------
    Scores
        One value. Extras: ``singleton``, the units alone in their label; ``truth``, the same of
        the true labels (nan where all are alone); ``n_left_out``, the units without a true label.
        Undefined, in this order: ``too_few_units`` (fewer than two places), ``empty_pred`` (every
        unit alone in its label).

    Raises
    ------
    ValueError
        As :func:`pas`.

    References
    ----------
    PAS and CHAOS: 10.1038/s41467-022-34879-1.
    """
    labels = compare_labels(truth, prediction)
    xy = _places(xy_um, labels)
    xy = xy - (xy.mean(axis=0) if len(xy) else 0.0)
    scale = float(np.sqrt((xy**2).sum() / (2.0 * max(len(xy), 1))))
    if len(np.unique(xy, axis=0)) < 2:
        return slide_score(np.nan, "too_few_units", n_left_out=labels.n_left_out)
    found, alone = _mean_distance(xy / scale, labels.prediction)
    reference, _ = _mean_distance(xy / scale, labels.truth)
    reason = "empty_pred" if np.isnan(found) else ""
    return slide_score(found, reason, singleton=alone, truth=reference, n_left_out=labels.n_left_out)


@cluster_metric("M40", bounds=(None, 1.0), better="context")
def spatial_coherence(truth: ArrayLike, prediction: ArrayLike, *, graph: csr_matrix) -> Scores:
    """How much more often neighbours share a predicted label than by chance.

    (share - e) / (1 - e) with the share of neighbours of equal label and e = sum of squared frequencies
    over all units. At most 1, 0 by
    chance; context, neither direction is better: it should be near the extra ``truth``.

    Parameters
    ----------
    truth, prediction
        As in :func:`pas`.
    graph
        Shape (n, n): binary, symmetric neighbours, as made in
        :mod:`pytest_stbench.kernels.graph`.

    Returns
    -------
    Scores
        One value. Extras: ``truth``, the same of the true labels (nan for a single one), and
        ``n_left_out``, the units without one. Undefined, in this order: ``too_few_units`` (no two
        units are neighbours), ``pred_constant`` (one predicted label).

    Raises
    ------
    ValueError
        If the lengths differ or a unit has no predicted label.
    """
    labels = compare_labels(truth, prediction)
    if graph.shape != labels.kept.shape * 2:
        raise ValueError(f"the graph joins {graph.shape[0]} units and there are {len(labels.kept)} labels")
    edges = csr_matrix(graph)[labels.kept][:, labels.kept].tocoo()
    if edges.nnz == 0:
        return slide_score(np.nan, "too_few_units", n_left_out=labels.n_left_out)
    found, reference = (
        _beyond_chance(codes, edges.row, edges.col) for codes in (labels.prediction, labels.truth)
    )
    reason = "pred_constant" if np.isnan(found) else ""
    return slide_score(found, reason, truth=reference, n_left_out=labels.n_left_out)


def _places(xy_um: ArrayLike, labels: Labels) -> Floats:
    xy = np.asarray(xy_um, np.float64)
    if xy.shape != (len(labels.kept), 2) or not np.isfinite(xy).all():
        raise ValueError(
            f"xy_um has shape {xy.shape}: give a finite x and y for each of the {len(labels.kept)} units"
        )
    return xy[labels.kept]


def _mean_distance(xy: Floats, codes: Codes) -> tuple[float, int]:
    """Return the mean distance to the nearest unit of the same code, and how many units are alone."""
    order = np.argsort(codes, kind="stable")
    groups = np.split(xy[order], np.flatnonzero(np.diff(codes[order])) + 1)
    together = [group for group in groups if len(group) > 1]
    if not together:
        return np.nan, len(xy)
    distances = np.concatenate([cKDTree(group).query(group, k=2)[0][:, 1] for group in together])
    return float(distances.mean()), len(xy) - len(distances)


def _beyond_chance(codes: Codes, left: Codes, right: Codes) -> float:
    frequency = np.bincount(codes) / len(codes)
    chance = float(frequency @ frequency)
    if frequency.max() == 1.0:
        return np.nan
    return (float((codes[left] == codes[right]).mean()) - chance) / (1.0 - chance)
