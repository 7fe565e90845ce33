"""Which genes a family hands out and which it may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyGenes:
    """Gene settings of a family, files already read."""

    observed: tuple[str, ...] | None = None
    hide_folds: int = 5
    hide_fold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GenePlan:
    """Columns of the data set that may be targets, and those that models are given."""

    candidates: NDArray[np.intp]
    observed: NDArray[np.intp]
    counted: Mapping[str, int]
