"""Which units lie under tissue: ``in_tissue`` as files write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.levels import factorized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

COLUMN = "in_tissue"
NOTE = "barcodes_not_under_tissue"
"""Name under which readers count what they left out."""

_WORDS = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y"), True),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), False),
}


def under_tissue(levels: Iterable[object], codes: NDArray[np.intp], where: str) -> NDArray[np.bool_]:
    """Return which units lie under tissue, (n,).

    Parameters
    ----------
    levels
        The distinct values of the column: 1 and 0, true and false, or words for them.
    codes
        (n,) which of them each unit has, -1 for none: nothing is said of such a unit, so it stays.
    where
        File and column, for the message.

    Raises ``DataError`` for a value that is neither yes nor no.
    """
    known = [_WORDS.get(str(level).strip().casefold()) for level in levels]
    if None in known:
        odd = [str(level) for level, said in zip(levels, known, strict=True) if said is None]
        raise DataError(
            f"{where}: {listing(odd)}: a unit lies under tissue (1, True) or does not (0, False); correct "
            "the column, or give it another name"
        )
    inside: NDArray[np.bool_] = np.array([*map(bool, known), True])[codes]
    return inside


def inside(values: Any, where: str) -> NDArray[np.bool_]:
    """Return :func:`under_tissue` of a pandas column."""
    codes, levels = factorized(values)
    return under_tissue(levels, codes, where)
