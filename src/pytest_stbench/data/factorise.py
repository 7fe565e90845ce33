"""Codes and distinct values of a column that comes in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.labels import text
from pytest_stbench.kernels.levels import factorized

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Factoriser:
    """Codes and distinct values of one column, part after part.

    Parts mostly share their distinct values: these are the same list then, made text once.
    """

    def __init__(self) -> None:
        self._levels: Any = None
        self._text: list[str] = []

    def __call__(self, values: Any) -> tuple[NDArray[np.intp], list[str]]:
        """Return codes and the distinct values as text; bytes of old parquet files are decoded."""
        codes, levels = _categories(values) or factorized(values, use_na_sentinel=False)
        if not _alike(levels, self._levels):
            self._levels, self._text = levels, text(np.asarray(levels).tolist())
        return codes, self._text


def _alike(levels: Any, others: Any) -> bool:
    """Tell whether two indexes hold the same; 1 and 1.0, which are other text, are of other types."""
    return (
        hasattr(levels, "equals")
        and others is not None
        and (levels.dtype == others.dtype and bool(levels.equals(others)))
    )


def _categories(values: Any) -> tuple[NDArray[np.intp], Any] | None:
    """Return codes and levels of a column that has come as categories, all present; else None."""
    if values.dtype.name != "category":
        return None
    codes = values.cat.codes.to_numpy().astype(np.intp)
    levels = values.cat.categories
    # -1 stands for a missing value; a category without a row is no value of this part.
    if len(codes) and codes.min() >= 0 and np.bincount(codes, minlength=len(levels)).all():
        return codes, levels
    return None
