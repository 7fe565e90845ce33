"""Leiden clusters of expression by scanpy (Traag et al. 2019, 10.1038/s41598-019-41695-z)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.counts import row_sums
from pytest_stbench.kernels.clustering import leiden
from pytest_stbench.kernels.domains import components

NEEDS, EXTRA, LICENCE = {"igraph": "igraph"}, "labels", "BSD-3-Clause"


class Model:
    """Clusters of the components of each slide's log-normalised counts."""

    def cluster(self, slide: Any, n: int) -> Any:
        """Return `n` clusters, or fewer where no resolution has so many."""
        counts = csr_matrix(slide.units.X, dtype=np.float64)
        return leiden(components(counts, row_sums(counts), np.asarray(slide.units.var_names, str)), n)
