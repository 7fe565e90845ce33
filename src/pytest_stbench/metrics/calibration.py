"""Whether predicted probabilities and values can be taken at their word."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics.comparison import at_least_three, compare_genes
from pytest_stbench.metrics.correlation import mark_constant
from pytest_stbench.metrics.labelled import probabilities, slide_score, true_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Names = Sequence[str] | NDArray[np.str_] | None
    Floats = NDArray[np.float64]

N_BINS = 15
TIE_DECIMALS = 9


probability_metric = partial(
    metric, needs="labels", better="down", over="slide", group="calibration", inputs=("classes",)
)


@probability_metric("M49", bounds=(0.0, 1.0), source="10.1609/aaai.v29i1.9602")
def ece(truth: ArrayLike, prediction: ArrayLike, *, classes: Names = None) -> Scores:
    """Gap between the predicted probability of the called class and how often it is right.

    Calibration error expected of the most probable class, over 15 bins of equal size.

    Units are sorted by their largest probability and split into 15 bins; the error is the mean over
    units of the gap between mean probability and share right in the unit's bin. Units of equal
    probability (after rounding to 9 decimals) count with the share of them that is right, so that
    the same probabilities for every unit are calibrated if they are right as often as they say.
    Range [0, 1], lower is better.

    Parameters
    ----------
    truth
        Shape (n,): true labels. Units without one (None, NaN, empty or ``undetermined``) are left
        out. A label that is none of `classes` is never predicted right.
    prediction
        Shape (n, k): probabilities. Labels (n,) have no value.
    classes
        Names of the k columns. Of equal probabilities the first class counts as predicted.

    Returns
    -------
    Scores
        One value; the extra ``n_left_out`` counts units without a true label. Undefined, in this
        order: ``too_few_units`` (none), ``empty_pred`` (labels only).

    Raises
    ------
    ValueError
        If the shapes differ or probabilities are negative or not finite.

    References
    ----------
    Expected calibration error: 10.1609/aaai.v29i1.9602.
    """
    right, shares, reason, left_out = _outcomes(truth, prediction, classes)
    if reason:
        return slide_score(np.nan, reason, n_left_out=left_out)
    top = shares.argmax(axis=1)
    rows = np.arange(len(shares))
    confidence, correct = shares[rows, top], right[rows, top]
    _, place = np.unique(np.round(confidence, TIE_DECIMALS), return_inverse=True)
    # Sorted by anything else, equal probabilities would fill bins with the right or the wrong alone.
    correct = (np.bincount(place, correct) / np.bincount(place))[place]
    gap = np.array_split((confidence - correct)[np.argsort(place, kind="stable")], N_BINS)
    error = sum(abs(float(part.sum())) for part in gap) / len(shares)
    return slide_score(error, n_left_out=left_out)


@probability_metric("M49", bounds=(0.0, 2.0), source="10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2")
def brier(truth: ArrayLike, prediction: ArrayLike, *, classes: Names = None) -> Scores:
    """Mean squared error of predicted class probabilities.

    Brier score of class probabilities: mean squared distance from the truth, summed over classes.

    Range [0, 2] for probabilities that sum to 1, lower is better. A true label that is none of
    `classes` had probability 0. Parameters, undefined values and errors as in :func:`ece`.

    References
    ----------
    Brier score: 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    right, shares, reason, left_out = _outcomes(truth, prediction, classes)
    if reason:
        return slide_score(np.nan, reason, n_left_out=left_out)
    # Of a label outside `classes` the probability was 0: its term is 1.
    outside = 1.0 - right.sum(axis=1)
    value = float((((shares - right) ** 2).sum(axis=1) + outside).mean())
    return slide_score(value, n_left_out=left_out)


@metric("M50", bounds=(None, None), better="context", group="calibration")
def calibration_slope(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    genes: Names = None,
    min_units: int = 10,
) -> Scores:
    """Slope of the truth on the prediction of each gene over the units of a slide; 1 is ideal.

    1 is ideal; below 1 the prediction varies too much, above 1 too little.

    Parameters
    ----------
    truth, prediction, measured, genes, min_units
        As in :func:`pytest_stbench.metrics.pearson_gene`.

    Returns
    -------
    Scores
        One value per gene, undefined as in :func:`pytest_stbench.metrics.pearson_gene`.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    found = compare_genes(
        truth,
        prediction,
        measured=measured,
        genes=genes,
        at_least=at_least_three(min_units, "min_units"),
    )
    mark_constant(found)
    m = found.moments
    defined = found.reasons == ""
    return found.scores(np.divide(m.ss_tp, m.ss_p, out=np.full(len(m.ss_p), np.nan), where=defined))


def _outcomes(truth: ArrayLike, prediction: ArrayLike, classes: Names) -> tuple[Floats, Floats, str, int]:
    """Return truth as zeros and ones (n, k), probabilities, why there are none, units left out."""
    codes, names = true_codes(truth)
    kept = codes >= 0
    left_out = int((~kept).sum())
    predicted = np.asarray(prediction)
    nothing = np.zeros((0, 0))
    if not kept.any():
        return nothing, nothing, "too_few_units", left_out
    if predicted.ndim != 2:
        return nothing, nothing, "empty_pred", left_out
    shares, columns = probabilities(predicted, classes, len(codes))
    right = (names[codes[kept]][:, None] == columns).astype(np.float64)
    return right, shares[kept], "", left_out
