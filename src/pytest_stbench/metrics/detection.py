"""Whether a rare structure of the tissue is found: unit by unit, and as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.label_overlap import overlaps
from pytest_stbench.kernels.matching import matched_pairs
from pytest_stbench.kernels.precision import average_precision
from pytest_stbench.kernels.ranks import average_ranks
from pytest_stbench.metrics.labelled import predicted_codes, probabilities, slide_score, true_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.metrics.scores import Scores

    Classes = Sequence[str] | NDArray[np.str_] | None

DECIMALS = 9
CALLED = 0.5
"""A unit is called positive where its probability is above this."""


detection_metric = partial(metric, needs="detection", over="slide", group="labels")


@detection_metric(
    "T04", bounds=(0.0, 1.0), better="up", inputs=("classes",), source="10.1371/journal.pone.0118432"
)
def auprc(truth: ArrayLike, prediction: ArrayLike, *, positive: str, classes: Classes = None) -> Scores:
    """Average precision of finding the positive units of a slide; by chance their share.

    Sum over thresholds of precision x gain in recall; equal probabilities (after rounding to 9
    decimals) share a threshold. Range [0, 1], higher is better; a constant prediction gets the
    share of positive units, the extra ``prevalence``.

    Parameters
    ----------
    truth
        Shape (n,): true labels. Units without one (None, NaN, empty or ``undetermined``) are left
        out.
    prediction
        Shape (n, k): probabilities. Labels (n,) count as certain.
    positive
        The label that is to be found; all others are negative.
    classes
        Names of the k columns of probabilities; without `positive` among them all have probability 0.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units`` (none has a label), ``no_positive``,
        ``no_negative``. Extras: ``prevalence``, ``n_positive``, ``n_left_out`` (units without a
        label).

    Raises
    ------
    ValueError
        If the lengths differ, a unit has no predicted label or probabilities are not valid.

    References
    ----------
    10.1371/journal.pone.0118432.
    """
    found = _compare(truth, prediction, positive, classes)
    if found.reason:
        return found.slide(np.nan)
    score = np.round(found.score, DECIMALS)
    return found.slide(float(average_precision(found.positive[:, None], score[:, None])[0]))


@detection_metric("T04", bounds=(0.0, 1.0), better="up", inputs=("classes",))
def auroc(truth: ArrayLike, prediction: ArrayLike, *, positive: str, classes: Classes = None) -> Scores:
    """Chance that a positive unit of a slide has a higher probability than a negative one.

    Equal probabilities (after rounding to 9 decimals) count one half. Range [0, 1], 0.5 by chance,
    higher is better. Where positives are rare it looks better than :func:`auprc`. Parameters,
    undefined values and errors as there.
    """
    found = _compare(truth, prediction, positive, classes)
    if found.reason:
        return found.slide(np.nan)
    ranks = average_ranks(np.round(found.score, DECIMALS)[:, None])[:, 0]
    hits = float(found.positive.sum())
    above = float(ranks[found.positive].sum()) - hits * (hits + 1.0) / 2.0
    return found.slide(above / (hits * (len(ranks) - hits)))


@detection_metric("T04", bounds=(0.0, 1.0), better="up", inputs=("classes", "min_overlap"))
def detection_f1(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    positive: str,
    graph: csr_matrix,
    classes: Classes = None,
    min_overlap: float = 0.3,
) -> Scores:
    """F1 of whole structures: connected positive units that overlap true ones.

    A unit is called positive where its probability is above 0.5. A true and a predicted object
    match where the units they share are at least `min_overlap` of the units of both together; each
    matches one other at most, as many as possible. Range [0, 1], higher is better.

    Parameters
    ----------
    truth, prediction, positive, classes
        As in :func:`auprc`.
    graph
        Which units are neighbours, (n, n), symmetric. Units without a label join nothing.
    min_overlap
        Above 0, at most 1.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``no_positive``: see
        :func:`false_positives_per_mm2` for such a slide. Extras: ``precision`` (0 without a
        predicted object), ``recall``, ``n_objects``, ``n_predicted``, ``n_left_out``.

    Raises
    ------
    ValueError
        As :func:`auprc`, or if `graph` is of other units or `min_overlap` out of range.
    """
    found = _compare(truth, prediction, positive, classes)
    true, predicted, matched = _matched(found, graph, min_overlap)
    total = true + predicted
    reason = "" if found.reason == "no_negative" else found.reason
    return slide_score(
        2.0 * matched / max(total, 1),
        reason,
        precision=matched / max(predicted, 1),
        recall=matched / max(true, 1),
        n_objects=true,
        n_predicted=predicted,
        n_left_out=found.n_left_out,
    )


@detection_metric("T04", bounds=(0.0, None), better="down", inputs=("classes", "min_overlap"))
def false_positives_per_mm2(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    positive: str,
    graph: csr_matrix,
    area_mm2: float,
    classes: Classes = None,
    min_overlap: float = 0.3,
) -> Scores:
    """Predicted structures without a true one, per mm^2 of tissue.

    Objects and their matches are those of :func:`detection_f1`; a slide without any true object
    has a value too. Range [0, inf), lower is better.

    Parameters
    ----------
    truth, prediction, positive, graph, classes, min_overlap
        As in :func:`detection_f1`.
    area_mm2
        Area of the tissue of all units.

    Returns
    -------
    Scores
        One value. Undefined: ``too_few_units`` (no unit has a label, or they have no area). The
        extra ``n_false`` is the number of such objects.

    Raises
    ------
    ValueError
        As :func:`detection_f1`.
    """
    found = _compare(truth, prediction, positive, classes)
    _, predicted, matched = _matched(found, graph, min_overlap)
    false = predicted - matched
    known = found.reason != "too_few_units" and area_mm2 > 0
    return slide_score(
        false / area_mm2 if known else np.nan, "" if known else "too_few_units", n_false=float(false)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """Which of the labelled units are positive, (m,), and how probable that is; ``kept`` (n,) are these."""

    positive: NDArray[np.bool_]
    score: NDArray[np.float64]
    kept: NDArray[np.bool_]

    @property
    def n_left_out(self) -> int:
        return int((~self.kept).sum())

    @property
    def reason(self) -> str:
        if not len(self.positive):
            return "too_few_units"
        if not self.positive.any():
            return "no_positive"
        return "no_negative" if self.positive.all() else ""

    def slide(self, value: float) -> Scores:
        n = int(self.positive.sum())
        share = n / max(len(self.positive), 1)
        return slide_score(value, self.reason, prevalence=share, n_positive=n, n_left_out=self.n_left_out)


def _compare(truth: ArrayLike, prediction: ArrayLike, positive: str, classes: Classes) -> _Found:
    codes, names = true_codes(truth)
    kept = codes >= 0
    score = _probability(np.asarray(prediction), positive, classes, len(codes))
    return _Found(positive=np.append(names == positive, False)[codes[kept]], score=score[kept], kept=kept)


def _probability(
    prediction: NDArray[np.generic], positive: str, classes: Classes, n_units: int
) -> NDArray[np.float64]:
    if prediction.ndim == 2:
        shares, columns = probabilities(prediction, classes, n_units)
        return np.asarray(shares[:, columns == positive].sum(axis=1))
    guess, names = predicted_codes(prediction, n_units)
    certain: NDArray[np.float64] = (names == positive)[guess].astype(np.float64)
    return certain


def _matched(found: _Found, graph: csr_matrix, min_overlap: float) -> tuple[int, int, int]:
    """Return how many objects are true, are predicted, and match."""
    n = len(found.kept)
    if graph.shape != (n, n):
        raise ValueError(f"graph has shape {graph.shape} for {n} units: it must be of the same units")
    among = graph[found.kept][:, found.kept]
    true, predicted = objects(among, found.positive), objects(among, found.score > CALLED)
    pairs = overlaps(true[None], predicted[None])
    return len(pairs.true_ids), len(pairs.predicted_ids), len(matched_pairs(pairs, min_overlap))


def objects(graph: csr_matrix, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return which connected group of `chosen` units each unit is in, from 1 on, 0 for none, (n,)."""
    from scipy.sparse.csgraph import connected_components

    found = np.zeros(len(chosen), dtype=np.int32)
    found[chosen] = 1 + connected_components(graph[chosen][:, chosen], directed=False)[1]
    return found
