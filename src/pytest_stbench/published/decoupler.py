"""decoupler's ULM on markers learned in training (Badia-i-Mompel et al. 2022, 10.1093/bioadv/vbac016)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_stbench.adapters import Labeller

NEEDS, EXTRA, LICENCE = {"decoupler": "decoupler"}, "labels", "BSD-3-Clause"
MARKERS = 25


def train(cells: Any, task: Any) -> Any:
    """Return the 25 genes of each class that the Wilcoxon test puts first, weighted by its score."""
    import scanpy as sc

    del task
    cells.obs["label"] = cells.obs["label"].astype("category")
    sc.tl.rank_genes_groups(cells, "label", method="wilcoxon", tie_correct=True)
    found = sc.get.rank_genes_groups_df(cells, None).groupby("group", observed=True).head(MARKERS)
    return found.rename(columns={"group": "source", "names": "target", "scores": "weight"})


def predict(trained: Any, units: Any, task: Any) -> Any:
    """Return the softmax of the scores of the classes."""
    import decoupler as dc

    del task
    net = trained[["source", "target", "weight"]].astype({"source": str})
    scores, _ = dc.mt.ulm(units.to_df(), net, tmin=1)
    return np.exp(scores.sub(scores.max(axis=1), axis=0))


def model() -> Labeller:
    """Return the model."""
    return Labeller(train, predict)
