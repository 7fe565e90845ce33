"""B16: a model's own predictions, put in the wrong places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.baselines.families import EXPRESSION
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


@baseline("B16", kind="control", families=(*EXPRESSION, "embedding"), memory="O(units)")
def shuffled(prediction: NDArray[Any], *, seed: int) -> NDArray[Any]:
    """The model's own predictions in a random order of units: what is left without their place.

    What a score keeps under this control it does not owe to the place of anything.

    Parameters
    ----------
    prediction
        (n, g) of one slide; it is not changed.
    seed
        Of the permutation.
    """
    order = stream(seed, "shuffled").permutation(len(prediction))
    return np.asarray(prediction[order])


@baseline("B16", kind="control", families=("coexpression", "communication"), memory="O(units)")
def shuffled_genes(prediction: NDArray[Any], *, seed: int) -> NDArray[Any]:
    """The model's own predictions, every gene in a random order of its own.

    Gene-gene correlations survive a common order of units unchanged, so co-expression needs this.
    Parameters as in :func:`shuffled`.
    """
    orders = stream(seed, "shuffled genes").permutations(prediction.shape[1], len(prediction))
    return np.take_along_axis(prediction, orders.T, axis=0)
