"""What the cells of a unit say of it: the most frequent label, and the share of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def majority(rows: NDArray[np.int64], labels: NDArray[np.object_], n_units: int) -> NDArray[np.object_]:
    """Return the most frequent label of the cells of each unit.

    Parameters
    ----------
    rows
        Unit of each cell, (m,); -1 for none.
    labels
        Label of each cell, (m,), str or None.
    n_units
        Number of units.

    Returns
    -------
    NDArray[np.object_]
        (n_units,): of labels that are equally frequent the first in ascending order; None where no
        cell of the unit has a label.
    """
    names, numbers = _numbers(rows, labels, n_units)
    found = np.full(n_units, None, dtype=object)
    if names:
        labelled = numbers.any(axis=1)
        found[labelled] = np.array(names, dtype=object)[numbers[labelled].argmax(axis=1)]
    return found


def shares(
    rows: NDArray[np.int64], labels: NDArray[np.object_], n_units: int
) -> dict[str, NDArray[np.float64]]:
    """Return, for each label that a cell of the slide has, its share of the labelled cells per unit.

    Parameters are those of :func:`majority`. Values are 0 to 1 and sum to 1 over labels; nan where
    no cell of the unit has a label.
    """
    names, numbers = _numbers(rows, labels, n_units)
    total = numbers.sum(axis=1)
    known = total > 0
    return {
        name: np.divide(numbers[:, place], total, out=np.full(n_units, np.nan), where=known)
        for place, name in enumerate(names)
    }


def _numbers(
    rows: NDArray[np.int64], labels: NDArray[np.object_], n_units: int
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the labels of the slide, ascending, and how many cells of each unit have each."""
    labelled = np.array([label is not None for label in labels], dtype=bool)
    names, codes = np.unique(labels[labelled].astype(str), return_inverse=True)
    placed = rows[labelled] >= 0
    keys = rows[labelled][placed] * len(names) + codes[placed]
    numbers = np.bincount(keys, minlength=n_units * len(names)).reshape(n_units, len(names))
    return names.tolist(), numbers
