"""moscot: places and cells matched by optimal transport (Klein et al. 2025, 10.1038/s41586-024-08453-2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_stbench.adapters import Imputer
from pytest_stbench.published import asked_alone

NEEDS, EXTRA, LICENCE = {"moscot": "moscot"}, "impute", "BSD-3-Clause"
CELLS = 800


def impute(reference: Any, slide: Any, task: Any) -> Any:
    """Return the genes of the cells that each place is matched to."""
    import pandas as pd
    import scanpy as sc
    from moscot.problems.space import MappingProblem

    cells = asked_alone(reference, slide, task)
    counts = cells.X.copy()
    for data in (cells, slide):
        sc.pp.normalize_total(data, target_sum=1e4)
        sc.pp.log1p(data)
    sc.pp.pca(cells, n_comps=min(30, *(side - 1 for side in cells.shape)), random_state=task.seed)
    problem = MappingProblem(cells, slide).prepare(sc_attr={"attr": "obsm", "key": "X_pca"})
    problem = problem.solve(alpha=0.5, epsilon=1e-2)
    (solution,) = problem.solutions.values()
    values = np.asarray(solution.pull(counts.toarray(), scale_by_marginals=True))
    return pd.DataFrame(values, slide.obs_names, cells.var_names)


def model() -> Imputer:
    """Return the model; its values grow with cells a place."""
    return Imputer(impute, most=CELLS, rescale=True)
