"""What is left of a prediction and its score when the input of a model is perturbed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Predictions = Mapping[str, NDArray[np.floating]]

TOLERANCE = 1e-9
MIN_GAIN = 0.02
"""A model whose clean score is less than this above the trivial one has nothing to retain."""


robustness_metric = partial(metric, needs="robustness", better="up", over="perturbation", group="robustness")


@robustness_metric("T14", bounds=(None, None), fill=0.0, inputs=("down",))
def retained_fraction(
    truth: NDArray[np.floating],
    prediction: Predictions,
    *,
    scores: Mapping[str, float],
    trivial: float,
    down: bool = False,
) -> Scores:
    """Share of the gain over the trivial baseline that is left under each perturbation.

    (perturbed - T) / (clean - T) with the wrapped metric of one slide; 1 where nothing is lost, 0
    where the trivial baseline is as good, below 0 where it is better; higher is better.

    Parameters
    ----------
    truth
        Clean prediction of the slide.
    prediction
        Predictions under each perturbation, by name.
    scores
        Score of the clean prediction under the empty name, and of each perturbed one.
    trivial
        Score T of the trivial baseline.
    down
        Whether lower values of the wrapped metric are better.

    Returns
    -------
    Scores
        One value per perturbation. Undefined: ``no_headroom`` where the clean score is undefined
        or less than 0.02 better than T; ``pred_constant`` where the perturbed one is undefined.
        The extra ``score`` is the perturbed score.
    """
    del truth
    sign = -1.0 if down else 1.0
    names = list(prediction)
    gain = sign * (scores[""] - trivial)
    perturbed = np.array([scores[name] for name in names], dtype=np.float64)
    kept = sign * (perturbed - trivial)
    nothing = not gain >= MIN_GAIN - TOLERANCE
    reasons = np.where(nothing, "no_headroom", np.where(np.isnan(kept), "pred_constant", "")).astype("U32")
    values = np.where(reasons == "", kept / (np.nan if nothing else gain), np.nan)
    return Scores(values=values, reasons=reasons, labels=_labels(names), extras={"score": perturbed})


@robustness_metric("T14", bounds=(-1.0, 1.0), fill=0.0)
def self_consistency(truth: NDArray[np.floating], prediction: Predictions) -> Scores:
    """Correlation of each perturbed prediction with the clean one.

    Columns are centred first, so that their means agree with nobody. Range [-1, 1], 1 for a model
    that the perturbation does not touch, higher is better.

    Parameters
    ----------
    truth, prediction
        As in :func:`retained_fraction`.

    Returns
    -------
    Scores
        One value per perturbation. Equal predictions have 1, constant ones too. Undefined:
        ``pred_constant`` where one of two different predictions is constant.
    """
    clean = _centred(truth)
    values, reasons = [], []
    for found in prediction.values():
        other = _centred(found)
        size = float(np.sqrt((clean**2).sum() * (other**2).sum()))
        if np.array_equal(np.asarray(found), np.asarray(truth)):
            values.append(1.0)
        elif size > 0:
            values.append(float(np.clip((clean * other).sum() / size, -1.0, 1.0)))
        else:
            values.append(np.nan)
        reasons.append("pred_constant" if np.isnan(values[-1]) else "")
    return Scores(
        values=np.array(values, dtype=np.float64),
        reasons=np.array(reasons, dtype="U32"),
        labels=_labels(list(prediction)),
    )


@robustness_metric("T14", bounds=(0.0, 1.0), inputs=("down",))
def robust_share(
    truth: NDArray[np.floating],
    prediction: Predictions,
    *,
    scores: Mapping[str, float],
    trivial: float,
    expected: Mapping[str, tuple[str, float]],
    down: bool = False,
) -> Scores:
    """Share of the perturbations under which a model keeps what a robust one keeps.

    1 where the expectation of the perturbation is met, else 0; higher is better.

    Parameters
    ----------
    truth, prediction, scores, trivial, down
        As in :func:`retained_fraction`.
    expected
        For each perturbation the measure and its limit: ``retained`` and ``consistency`` are at
        least, ``same`` (the largest difference from the clean prediction) at most as large. A measure
        may miss its limit by 1e-9, so that rounding errors fail nothing.

    Returns
    -------
    Scores
        One value per perturbation. Undefined: ``no_headroom`` where there is nothing to retain.
        The extra ``measured`` is what was compared with the limit, nan where it has no value.
    """
    retained = retained_fraction(truth, prediction, scores=scores, trivial=trivial, down=down)
    consistent = self_consistency(truth, prediction)
    names = list(prediction)
    met = np.zeros(len(names))
    measured = np.zeros(len(names))
    for place, name in enumerate(names):
        measure, limit = expected[name]
        if measure == "same":
            difference = np.abs(np.asarray(prediction[name], np.float64) - np.asarray(truth, np.float64))
            measured[place] = float(difference.max(initial=0.0))
            met[place] = measured[place] <= limit + TOLERANCE
        else:
            measured[place] = (retained if measure == "retained" else consistent).values[place]
            met[place] = measured[place] >= limit - TOLERANCE
    of_score = np.array([expected[name][0] == "retained" for name in names], dtype=bool)
    nothing = of_score & (retained.reasons == "no_headroom")
    return Scores(
        values=np.where(nothing, np.nan, met),
        reasons=np.where(nothing, "no_headroom", "").astype("U32"),
        labels=_labels(names),
        extras={"measured": measured},
    )


def _centred(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return values less the mean of their column; a constant column is all 0, without rounding errors."""
    found = np.asarray(values, dtype=np.float64)
    if not len(found):
        return found
    mean = found.mean(axis=0)
    varies = np.ptp(found, axis=0) > TOLERANCE * np.maximum(1.0, np.abs(mean))
    return np.where(varies, found - mean, 0.0)


def _labels(names: list[str]) -> NDArray[np.str_]:
    return np.array(names, dtype=np.str_)
