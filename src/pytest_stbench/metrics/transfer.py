"""What a change of technology between training and test costs."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from pytest_stbench.extend import metric
from pytest_stbench.metrics.labelled import slide_score

if TYPE_CHECKING:
    from pytest_stbench.metrics.scores import Scores


transfer_metric = partial(
    metric, needs="transfer", bounds=(None, None), over="slide", group="transfer", inputs=("down",)
)


@transfer_metric("T13", better="up")
def transfer_score(truth: float, prediction: float, *, down: bool = False) -> Scores:
    """Score of slides by a model that was trained on another technology.

    The value of the wrapped metric; where its lower values are better, it is negated, so that
    higher is better always.

    Parameters
    ----------
    truth
        Score of a model trained on the slide's own side, the extra ``within``.
    prediction
        Score of the model trained on the other side.
    down
        Whether lower values of the wrapped metric are better.

    Returns
    -------
    Scores
        One value. Undefined: ``no_headroom`` (the wrapped metric has no value on the slide).
    """
    sign = -1.0 if down else 1.0
    return slide_score(
        sign * prediction, "no_headroom" if math.isnan(prediction) else "", within=sign * truth
    )


@transfer_metric("T13", better="down")
def transfer_gap(truth: float, prediction: float, *, down: bool = False) -> Scores:
    """Score of a model trained on the slide's own technology minus that of one trained on another.

    Both models were trained on equally many units; lower is better. 0 means that nothing is lost, as
    it is for a model that knows nothing: read it beside :func:`transfer_score`.

    Parameters
    ----------
    truth, prediction, down
        As in :func:`transfer_score`.

    Returns
    -------
    Scores
        One value. Undefined: ``no_headroom`` (one of the two scores has no value).
    """
    sign = -1.0 if down else 1.0
    gap = sign * (truth - prediction)
    return slide_score(gap, "no_headroom" if math.isnan(gap) else "")
