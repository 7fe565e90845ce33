"""Fitted models on disk, for who wants to look at them: nothing here reads them."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.models.predictions import safe_name

if TYPE_CHECKING:
    from pathlib import Path


def keep_model(model: Any, folder: Path, label: str) -> None:
    """Write a fitted model as ``LABEL.pickle`` into a folder, atomically; runs the model's own code."""
    write_atomically(folder / f"{safe_name(label)}.pickle", lambda file: pickle.dump(model, file))


def not_kept(label: str, folder: Path, why: str) -> str:
    """Return what is said of models that could not be written."""
    return (
        f"models that {label} fitted are not kept in {folder} ({why}): leave out what cannot be written "
        "of what `__getstate__` returns"
    )


def not_fitted(label: str, folder: Path) -> str:
    """Return what is said of predictions that came from the store."""
    return (
        f"predictions of {label} came from the store, so that no model was fitted to keep in {folder}: give "
        "another --stbench-store to fit it again"
    )
