"""Correlations of all pairs of columns, with one variable taken off where that is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.blocks import blocks
from pytest_stbench.kernels.moments import column_ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONSTANT_TOLERANCE = 1e-9
COLLINEAR = 1e-9
MIN_BLOCK_ROWS = 2048
"""Rows multiplied at once: enough for the product to be worth more than reading them."""

FEW_COLUMNS = 500
"""Up to here the product is cheap enough for float64, whatever the values are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correlations:
    """Correlations of the columns of one matrix.

    ``values`` (g, g) is symmetric with ones on its diagonal; rows and columns of the columns that
    are ``constant`` (g,), or ``explained`` (g,) by the variable taken off, are 0.
    """

    values: Floats
    constant: NDArray[np.bool_]
    explained: NDArray[np.bool_]


def column_correlations(values: NDArray[Any], without: Floats | None = None) -> Correlations:
    """Return Pearson's correlation of every pair of columns, partial on `without` if it is given.

    Columns are centred and scaled before they are multiplied, a block of rows at a time. More than
    500 columns of float32 are multiplied in float32 (error about 1e-6), all others in float64.

    Parameters
    ----------
    values
        Shape (n, g), finite.
    without
        Shape (n,): a variable whose linear effect is taken off every column. One that does not
        vary has none.

    Returns
    -------
    Correlations
        A column is constant if its range is at most 1e-9 * max(1, abs(mean)), and explained if
        less than 1e-9 of its variance is left.
    """
    n, g = values.shape
    if n == 0:
        return Correlations(values=np.zeros((g, g)), constant=np.ones(g, bool), explained=np.zeros(g, bool))
    precision = np.float32 if values.dtype == np.float32 and g > FEW_COLUMNS else np.float64
    mean = values.mean(axis=0, dtype=np.float64)
    constant = column_ranges(values) <= CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean))
    along = _direction(without)
    total, slope = np.zeros(g), np.zeros(g)
    for part in blocks(n, 8 * g, MIN_BLOCK_ROWS):
        centred = values[part] - mean
        total += np.einsum("ij,ij->j", centred, centred)
        if along is not None:
            slope += along[part] @ centred
    rest = np.maximum(total - slope**2, 0.0)
    explained = ~constant & (rest < COLLINEAR * total)
    told = ~constant & ~explained
    scale = np.divide(1.0, np.sqrt(rest), out=np.zeros(g), where=told)
    product = np.zeros((g, g))
    for part in blocks(n, 8 * g, MIN_BLOCK_ROWS):
        centred = values[part] - mean
        if along is not None:
            centred -= along[part, None] * slope
        unit: NDArray[np.floating] = (centred * scale).astype(precision, copy=False)
        product += unit.T @ unit
    np.clip(product, -1.0, 1.0, out=product)
    np.fill_diagonal(product, told.astype(np.float64))
    return Correlations(values=product, constant=constant, explained=explained)


def is_level(variable: Floats) -> bool:
    """Tell whether a variable does not vary, so that it has no effect to take off."""
    if len(variable) == 0:
        return True
    return bool(np.ptp(variable) <= CONSTANT_TOLERANCE * max(1.0, abs(float(variable.mean()))))


def _direction(variable: Floats | None) -> Floats | None:
    """Return the variable centred and of length 1; None where it does not vary."""
    if variable is None or is_level(variable):
        return None
    centred = variable - variable.mean()
    unit: Floats = centred / np.sqrt(centred @ centred)
    return unit
