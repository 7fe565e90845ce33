"""Where a score stands beside the simple baseline: a description, no verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.gate.intervals import bound_for
from pytest_stbench.gate.pairing import PatientValues, paired
from pytest_stbench.kernels.guarded import MIN_PATIENTS, TOLERANCE

if TYPE_CHECKING:
    from pytest_stbench.gate.margins import Floor
    from pytest_stbench.results.record import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The word, the mean paired difference to S (positive = model better) and its guarded lower bound.

    ``low`` is None below six patients.
    """

    word: Standing
    difference: float
    low: float | None


def stand(
    model: PatientValues, simple: PatientValues, *, metric: str, better: str, floor: Floor
) -> Stand | None:
    """Return where a model stands beside the simple baseline S.

    From six patients on the guarded bounds decide: ``above S`` where the difference is shown to be more
    than the least margin, ``below S`` where it is shown to be that much less, else ``level``. Below six
    patients nothing is shown, and the words say what was seen: above or below where every patient is.

    Parameters
    ----------
    model, simple
        Values by patient, same folds.
    metric, better
        Name and direction of the metric.
    floor
        The least margin: what is below it is no difference.

    Returns
    -------
    Stand or None
        None for a metric of context, and where no patient has a value on both sides.
    """
    if better == "context":
        return None
    d = paired(model, simple, metric=metric, better=better).differences
    if not len(d):
        return None
    reported = bound_for(d)
    least, most, low = float(np.min(d)), float(np.max(d)), None
    if reported.n >= MIN_PATIENTS and reported.interval is not None:
        least, most = reported.interval.low, reported.interval.high
        low = least
    word: Standing = "level"
    if least - floor.value > TOLERANCE:
        word = "above S"
    elif most + floor.value < -TOLERANCE:
        word = "below S"
    return Stand(word=word, difference=reported.mean, low=low)
