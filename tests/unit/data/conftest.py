from __future__ import annotations

import os
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse


@pytest.fixture
def write_slide(tmp_path):
    """Write a small h5ad file below tmp_path and return its AnnData."""

    def write(name="A1.h5ad", genes=("TP53", "ERBB2", "KRT8", "CD3E"), n=6, seed=0, matrix=None, **parts):
        rng = np.random.default_rng(seed)
        if matrix is None:
            matrix = sparse.csr_matrix(rng.poisson(2.0, size=(n, len(genes))).astype(np.int32))
        obs = {"patient": [Path(name).stem[0]] * n, **parts.pop("obs", {})}
        obsm = parts.pop("obsm", {"spatial": rng.uniform(0, 50, size=(n, 2))})
        adata = ad.AnnData(
            X=matrix,
            obs=pd.DataFrame(obs, index=[f"u{i}" for i in range(n)]),
            var=pd.DataFrame(index=list(genes)),
            obsm=obsm,
            **parts,
        )
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        adata.write_h5ad(path)
        return adata

    return write


@pytest.fixture
def aged():
    """Make files look an hour old: the age at which what is known of them is kept."""

    def make_old(*paths):
        past = time.time() - 3600
        for path in paths:
            os.utime(path, (past, past))

    return make_old
