"""Clusters of embedded units: k-means from several seeds, Ward's method, and Leiden."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

MAX_POINTS = 5_000
NEIGHBOURS = 15
STEPS = 20
RESOLUTIONS = (1e-3, 20.0)


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
    return _of_drawn(points, k, "ward", _ward)


def leiden(points: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """Return the cluster of each point by the Leiden algorithm, (n,), `k` of them as far as it goes.

    The graph is that of the 15 nearest neighbours, weighted as UMAP does, and the quality is modularity
    (scanpy, igraph, seed 0). Its resolution is halved between 0.001 and 20 until there are `k` clusters.
    Where no resolution has so many, the most below `k` are taken, or the fewest above it where the graph
    falls apart. Large sets and equal points as in :func:`ward`.

    Raises
    ------
    DataError
        Where igraph is not installed.
    """
    require_leiden()
    return _of_drawn(points, k, "leiden", _leiden)


def require_leiden() -> None:
    """Raise ``DataError`` where the Leiden algorithm is not installed."""
    if find_spec("igraph") is None:
        raise DataError(
            "`clustering: leiden` needs igraph, which is not installed: pip install 'pytest-stbench[leiden]' "
            "(or write `clustering: kmeans`)"
        )


def _of_drawn(
    points: NDArray[np.floating],
    k: int,
    name: str,
    cluster: Callable[[NDArray[np.float64], int], NDArray[np.intp]],
) -> NDArray[np.intp]:
    """Return clusters of all points, made of at most 5,000 of them."""
    values = np.ascontiguousarray(points, dtype=np.float64)
    k = min(k, len(values))
    if k < 2 or not np.ptp(values, axis=0).any():
        return np.zeros(len(values), dtype=np.intp)
    drawn = np.arange(len(values))
    if len(values) > MAX_POINTS:
        drawn = np.sort(stream(0, name).sample(len(values), MAX_POINTS))
    found = cluster(values[drawn], k)
    if len(drawn) == len(values):
        return found
    sums = np.zeros((int(found.max()) + 1, values.shape[1]))
    np.add.at(sums, found, values[drawn])
    centres = sums / np.bincount(found)[:, None]
    distance = (centres**2).sum(axis=1) - 2.0 * values @ centres.T
    nearest: NDArray[np.intp] = distance.argmin(axis=1)
    return nearest


def _ward(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    from sklearn.cluster import AgglomerativeClustering

    if values.shape[0] == values.shape[1]:
        # A square table could be taken for one of distances; a column of zeros changes no distance.
        values = np.hstack([values, np.zeros((len(values), 1))])
    found: NDArray[np.intp] = AgglomerativeClustering(k, linkage="ward").fit_predict(values)
    return found


def _leiden(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    import scanpy as sc
    from anndata import AnnData

    if len(values) == 2:  # two different points have no neighbours to weigh
        return np.arange(2)
    units = AnnData(values)
    sc.pp.neighbors(units, n_neighbors=min(NEIGHBOURS, len(values) - 1), use_rep="X", random_state=0)

    def at(resolution: float) -> NDArray[np.intp]:
        sc.tl.leiden(
            units, resolution=resolution, flavor="igraph", n_iterations=2, directed=False, random_state=0
        )
        codes: NDArray[np.intp] = units.obs["leiden"].cat.codes.to_numpy().astype(np.intp)
        return codes

    low, high = np.log(RESOLUTIONS)
    few = at(RESOLUTIONS[0])
    if few.max() + 1 >= k:
        return few
    for _ in range(STEPS):
        middle = (low + high) / 2
        found = at(float(np.exp(middle)))
        number = int(found.max()) + 1
        if number == k:
            return found
        if number < k:
            low = middle
            few = found if number > few.max() + 1 else few
        else:
            high = middle
    return few
