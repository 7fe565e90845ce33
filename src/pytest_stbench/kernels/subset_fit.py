"""How well features explain values, for many selections of units at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.ranks import average_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_TOLERANCE = 1e-9


def explained(features: Floats, values: Floats, taken: NDArray[np.bool_]) -> Floats:
    """Return the share of the variance of `values` that a linear model of the features explains.

    Parameters
    ----------
    features
        Shape (s, n, f): the features of each selection, or (1, n, f) where they are the same ones.
    values
        Shape (n, k).
    taken
        Shape (s, n): the units of each selection.

    Returns
    -------
    NDArray[np.float64]
        (s,), 0 to 1; nan where the values or all features do not vary.
    """
    n_taken = np.maximum(taken.sum(axis=1), 1)
    weight = taken.astype(np.float64)
    whole = (weight @ values**2).sum(axis=1) - ((weight @ values) ** 2).sum(axis=1) / n_taken
    centred = np.where(taken[:, :, None], features, 0.0)
    mean = centred.sum(axis=1, keepdims=True) / n_taken[:, None, None]
    centred = np.where(taken[:, :, None], centred - mean, 0.0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n_taken[:, None, None])
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > _TOLERANCE)
    basis, size, _ = np.linalg.svd(scaled, full_matrices=False)
    basis *= (size > _TOLERANCE * size[:, :1])[:, None, :]
    # The basis lies in the selection and is centred, so that the values need not be.
    fitted = ((np.swapaxes(basis, 1, 2) @ values) ** 2).sum(axis=(1, 2))
    defined = (size[:, 0] > 0) & (whole > _TOLERANCE * n_taken)
    share: Floats = np.divide(fitted, whole, out=np.full(len(fitted), np.nan), where=defined)
    return share


def spearman(first: NDArray[Any], second: NDArray[Any], taken: NDArray[np.bool_]) -> Floats:
    """Return Spearman's correlation of two variables among the units of each selection, (s,).

    Variables are (s, n), or (1, n) where they are the same in all selections; `taken` is (s, n).
    Ties are averaged; nan where a variable does not vary.
    """
    ranks = []
    for variable in (first, second):
        chosen = np.where(taken, variable, np.nan)
        rank = average_ranks(chosen.T).T
        middle = (taken.sum(axis=1, keepdims=True) + 1) / 2
        ranks.append(np.where(taken, rank - middle, 0.0))
    a, b = ranks
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    found: Floats = np.divide((a * b).sum(axis=1), size, out=np.full(len(size), np.nan), where=size > 0)
    return found
