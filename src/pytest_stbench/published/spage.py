"""SpaGE, written anew: principal vectors of cells and places, the nearest cells (10.1093/nar/gkaa740)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_stbench.adapters import Imputer
from pytest_stbench.published import asked_alone

NEEDS: dict[str, str] = {}
EXTRA, LICENCE = "impute", "MIT"
VECTORS, NEIGHBOURS, LEAST = 30, 50, 0.3


def impute(reference: Any, slide: Any, task: Any) -> Any:
    """Return the mean of the nearest cells, nearer ones counting more."""
    import pandas as pd
    from scipy.spatial.distance import cdist

    cells = asked_alone(reference, slide, task)
    data = [np.log1p(part.X.toarray()) for part in (cells[:, slide.var_names], slide)]
    data = [(part - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-9) for part in data]
    axes = [np.linalg.svd(part, full_matrices=False)[2][:VECTORS] for part in data]
    turn, likeness, _ = np.linalg.svd(axes[0] @ axes[1].T)
    vectors = (turn.T @ axes[0])[: max(1, int((likeness > LEAST).sum()))]
    distance = cdist(*[part @ vectors.T for part in data[::-1]], "cosine")
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
    near = np.maximum(1 - np.take_along_axis(distance, nearest, axis=1), 1e-9)
    means = [w @ cells.X[rows] / w.sum() for w, rows in zip(near, nearest, strict=True)]
    return pd.DataFrame(np.stack(means), slide.obs_names, cells.var_names)


def model() -> Imputer:
    """Return the model."""
    return Imputer(impute)
