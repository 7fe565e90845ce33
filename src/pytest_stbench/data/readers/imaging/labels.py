"""Columns of labels in tables of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.samples import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray


def labels_of(values: Any) -> NDArray[np.object_]:
    """Return a column as (n,) objects: text, or None where it is empty or a word for missing."""
    names = [None if value != value or value is None else str(value) for value in values.tolist()]
    return np.array(
        [None if n is None or n.strip().casefold() in MISSING else n for n in names], dtype=object
    )
