"""CellTypist trained on the labelled units (Dominguez Conde et al. 2022, 10.1126/science.abl5197)."""

from __future__ import annotations

from typing import Any

from pytest_stbench.adapters import Labeller

NEEDS, EXTRA, LICENCE = {"celltypist": "celltypist"}, "labels", "MIT"


def train(cells: Any, task: Any) -> Any:
    """Return a model; without ``use_SGD`` it asks scikit-learn 1.9 for what that no longer has."""
    import celltypist

    jobs = getattr(task, "n_jobs", None) or 1
    return celltypist.train(cells, labels="label", use_SGD=True, check_expression=False, n_jobs=jobs)


def predict(trained: Any, units: Any, task: Any) -> Any:
    """Return a sigmoid for each class."""
    import celltypist

    del task
    return celltypist.annotate(units, model=trained).probability_matrix


def model() -> Labeller:
    """Return the model."""
    return Labeller(train, predict)
