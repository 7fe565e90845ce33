"""The libraries of ``uns["spatial"]`` and their scale factors, as scanpy and squidpy keep them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers import hdf5

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

EXACT = 0.05
"""Relative difference above which two exact numbers contradict each other."""


def libraries(file: h5py.File) -> dict[str, dict[str, float]]:
    """Return the libraries of ``uns["spatial"]`` with the positive numbers of their scale factors."""
    spatial: Any = file.get("uns", {}).get("spatial")
    if not hasattr(spatial, "keys"):
        return {}
    found = {}
    for name in spatial:
        factors: Any = spatial[name].get("scalefactors") if hasattr(spatial[name], "keys") else None
        if hasattr(factors, "keys"):
            numbers = {key: positive(factors, key) for key in factors}
            found[name] = {key: value for key, value in numbers.items() if value is not None}
    return found


def factors_of(file: h5py.File, slide: str, rows: NDArray[np.intp] | None) -> dict[str, float]:
    """Return the scale factors of a slide.

    Those of the only library, of the one that is called like the slide or named by a column of
    ``obs`` on all its rows, else what all libraries have in common.
    """
    found = libraries(file)
    if len(found) <= 1:
        return next(iter(found.values()), {})
    if slide in found:
        return found[slide]
    obs = file["obs"]
    for column in hdf5.columns(obs):
        if "library" not in column.casefold():
            continue
        names, codes = hdf5.categories(obs, column)
        there = np.unique(codes if rows is None else codes[rows])
        if len(there) == 1 and there[0] >= 0 and names[there[0]] in found:
            return found[names[there[0]]]
    first, *others = found.values()
    return {
        key: value
        for key, value in first.items()
        if all(abs(other.get(key, math.inf) / value - 1) <= EXACT for other in others)
    }


def positive(node: Any, key: str) -> float | None:
    """Return a positive number of a group, None for anything else."""
    value: Any = node.get(key) if hasattr(node, "get") else None
    if not hasattr(value, "dtype") or value.dtype.kind not in "iuf" or value.size != 1:
        return None
    number = float(np.ravel(value[()])[0])
    return number if 0 < number < math.inf else None
