"""B16: a model's own predictions, put in the wrong places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


def shuffled(prediction: NDArray[Any], *, seed: int, each_gene: bool = False) -> NDArray[Any]:
    """Return the prediction of one slide with its units in random order.

    What a score keeps under this control it does not owe to the place of anything.

    Parameters
    ----------
    prediction
        (n, g) of one slide; it is not changed.
    seed
        Of the permutation.
    each_gene
        Permute every gene on its own. Gene-gene correlations survive a common permutation
        unchanged, so co-expression needs this one.
    """
    rng = np.random.default_rng(seed)
    if each_gene:
        return np.asarray(rng.permuted(prediction, axis=0))
    return np.asarray(prediction[rng.permutation(len(prediction))])
