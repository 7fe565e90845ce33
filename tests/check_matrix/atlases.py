"""Reference atlases with one known fault each, for the genes of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

CELLS = 60


def write_atlas(path: Path, config: DatasetSpec, samples: Sequence[Sample], fault: str) -> None:
    """Write cells of two types; `fault` is ``species``, ``values`` or ``donors``, empty for none."""
    import anndata
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.dataset import Dataset

    genes = Dataset("cohort", config, samples, ()).genes.tolist()
    counts = np.random.default_rng(0).poisson(2.0, size=(CELLS, len(genes))).astype(np.float32)
    donors = [f"atlas {number % 3}" for number in range(CELLS)]
    if fault == "species":
        genes = [gene.capitalize() for gene in genes]
    if fault == "values":
        counts = np.log1p(counts)
    if fault == "donors":
        donors[0] = f"{samples[0].patient} "
    obs = pd.DataFrame(
        {"cell_type": ["B", "T_NK"] * (CELLS // 2), "donor": donors}, index=[f"c{i}" for i in range(CELLS)]
    )
    anndata.AnnData(X=csr_matrix(counts), obs=obs, var=pd.DataFrame(index=genes)).write_h5ad(path)
