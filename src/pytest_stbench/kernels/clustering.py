"""Clusters of embedded units: k-means from several seeds, and Ward's method."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_WARD = 5_000


def kmeans(points: NDArray[np.floating], k: int, seeds: Sequence[int]) -> NDArray[np.intp]:
    """Return the cluster of each point for every seed, (seeds, n).

    One start of k-means++ and Lloyd's iterations a seed. With fewer than `k` different points
    there are fewer clusters. Points are taken as they come: give them in a canonical order for a
    result that does not depend on the file.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    values = np.ascontiguousarray(points, dtype=np.float64)
    found = np.zeros((len(seeds), len(values)), dtype=np.intp)
    k = min(k, len(values))
    if k < 2 or not np.ptp(values, axis=0).any():
        return found
    with warnings.catch_warnings():
        # Fewer different points than clusters is a property of the embedding, not of the fit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for row, seed in enumerate(seeds):
            found[row] = KMeans(k, n_init=1, random_state=seed).fit_predict(values)
    return found


def ward(points: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """Return the cluster of each point by Ward's method, (n,); a single one where all are equal.

    Above 5,000 points as many, drawn with seed 0, are clustered, and every point joins the cluster
    with the nearest centre.
    """
    from sklearn.cluster import AgglomerativeClustering

    values = np.ascontiguousarray(points, dtype=np.float64)
    k = min(k, len(values))
    if k < 2 or not np.ptp(values, axis=0).any():
        return np.zeros(len(values), dtype=np.intp)
    if values.shape[0] == values.shape[1]:
        # A square table could be taken for one of distances; a column of zeros changes no distance.
        values = np.hstack([values, np.zeros((len(values), 1))])
    drawn = np.arange(len(values))
    if len(values) > MAX_WARD:
        drawn = np.sort(stream(0, "ward").sample(len(values), MAX_WARD))
    found: NDArray[np.intp] = AgglomerativeClustering(k, linkage="ward").fit_predict(values[drawn])
    if len(drawn) == len(values):
        return found
    sums = np.zeros((k, values.shape[1]))
    np.add.at(sums, found, values[drawn])
    centres = sums / np.bincount(found, minlength=k)[:, None]
    distance = (centres**2).sum(axis=1) - 2.0 * values @ centres.T
    nearest: NDArray[np.intp] = distance.argmin(axis=1)
    return nearest
