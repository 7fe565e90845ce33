"""Leiden clusters of expression by scanpy (Traag et al. 2019, 10.1038/s41598-019-41695-z)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_stbench.published import log_counts

NEEDS, EXTRA, LICENCE = {"igraph": "igraph"}, "labels", "BSD-3-Clause"
WIDTH, GRID = 64, np.geomspace(0.02, 8, 2**10 - 1)


class Model:
    """Clusters of each slide; ``embed`` has a column for each, at resolution 1."""

    def embed(self, slide: Any) -> Any:
        """Return (units, 64): 1 in the column of a unit's cluster, further clusters in the last."""
        return np.eye(WIDTH, dtype=np.float32)[np.minimum(self._clusters(slide, np.ones(1)), WIDTH - 1)]

    def cluster(self, slide: Any, n: int) -> Any:
        """Return `n` clusters, or as near as ten halvings of the resolution come."""
        return self._clusters(slide, GRID, n)

    def _clusters(self, slide: Any, grid: Any, n: int = 0) -> Any:
        import scanpy as sc

        units, low, high = log_counts(slide), 0, len(grid)
        sc.pp.pca(units, n_comps=min(20, *(side - 1 for side in units.shape)), random_state=0)
        sc.pp.neighbors(units, random_state=0)
        tried: dict[int, Any] = {}  # by how far the number of clusters is from `n`
        while low < high and 0 not in tried:
            middle = (low + high) // 2
            sc.tl.leiden(units, grid[middle], flavor="igraph", n_iterations=2, random_state=0)
            found = units.obs["leiden"].cat.codes.to_numpy(int)
            tried[abs(found.max() + 1 - n)] = found
            low, high = (middle + 1, high) if found.max() + 1 < n else (low, middle)
        return tried[min(tried)]
