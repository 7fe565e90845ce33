"""BANKSY: expression beside that of the neighbours (Singhal et al. 2024, 10.1038/s41588-024-01664-3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_stbench.published import log_counts

NEEDS, EXTRA, LICENCE = {"banksy": "pybanksy"}, "labels", "GPL-3.0"
DOMAINS, NEIGHBOURS, GENES, COMPONENTS = 0.8, 15, 2000, 20
QUIET = dict.fromkeys(("plt_edge_hist", "plt_nbr_weights", "plt_agf_angles", "plt_theta"), False)


class Model:
    """An embedding of each slide by itself, weighted for domains (lambda 0.8)."""

    def embed(self, slide: Any) -> Any:
        """Return the first components of BANKSY's matrix of the genes of highest variance."""
        import scanpy as sc
        from banksy.embed_banksy import generate_banksy_matrix
        from banksy.initialize_banksy import initialize_banksy

        units = log_counts(slide)
        spread = units.X.toarray().var(axis=0)
        units = units[:, np.sort(np.argsort(-spread, kind="stable")[:GENES])].copy()
        units.obs["x"], units.obs["y"] = np.array(units.obsm["spatial"]).T
        near = min(NEIGHBOURS, units.n_obs - 1)
        graphs = initialize_banksy(units, ("x", "y", "spatial"), near, max_m=1, **QUIET)
        _, matrix = generate_banksy_matrix(units, graphs, [DOMAINS], 1, verbose=False)
        return sc.pp.pca(np.nan_to_num(np.asarray(matrix.X, np.float32)), COMPONENTS, random_state=0)
