"""Cell types: where they live, what they look like, which genes mark them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.settings import NICHES
from pytest_stbench.resources import rows, signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CellType:
    """One type of the ontology of cell-type annotation.

    ``niches`` is its share of the cells of tumour, stroma, immune and adipose tissue, before
    shares are made to sum to 1. ``nucleus_um`` and ``cell_um`` are mean radii, ``stain`` how dark
    the nucleus is (1 to 3), ``size`` the log of its yield beside other types. ``markers`` are
    signatures, or symbols.
    """

    name: str
    niches: tuple[float, ...]
    nucleus_um: float
    cell_um: float
    stain: int
    size: float
    markers: tuple[str, ...]


TYPES = tuple(
    CellType(
        name=row["name"],
        niches=tuple(float(row[niche]) for niche in NICHES),
        nucleus_um=float(row["nucleus_um"]),
        cell_um=float(row["cell_um"]),
        stain=int(row["stain"]),
        size=float(row["size"]),
        markers=tuple(row["markers"].split()),
    )
    for row in rows("simulated_cell_types.csv")
)
"""Level-1 types; mast cells are the rare one (below 1%)."""

NAMES = tuple(kind.name for kind in TYPES)
MARKER_LOG_RATE = 2.5

LONG = frozenset({"fibroblast_pericyte", "smooth_muscle", "endothelial"})
"""Types with spindle-shaped nuclei."""

SENDERS = ("epithelial_malignant", "fibroblast_pericyte", "myeloid", "adipocyte")
"""Types that make ligands; all others have the receptors."""

FOLLICLE = {"B": 0.75, "T_NK": 0.15, "myeloid": 0.10}
"""The core of a tertiary lymphoid structure (TLS)."""
T_ZONE = {"T_NK": 0.72, "B": 0.12, "plasma": 0.06, "myeloid": 0.06, "endothelial": 0.04}
GLAND_WALL = {"epithelial_normal": 0.88, "smooth_muscle": 0.12}


def composition() -> NDArray[np.float64]:
    """Return the share of each type in each niche, (niches, types), rows sum to 1."""
    shares = np.array([kind.niches for kind in TYPES]).T
    found: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return found


def mix_of(shares: dict[str, float]) -> NDArray[np.float64]:
    """Return shares by name as a row over all types, (types,)."""
    return np.array([shares.get(name, 0.0) for name in NAMES])


def marker_rates(genes: Sequence[str]) -> NDArray[np.float64]:
    """Return by how much the log rate of each gene is higher in each type, (types, g)."""
    sets = signatures()
    members = [{gene for marker in kind.markers for gene in sets.get(marker, (marker,))} for kind in TYPES]
    return MARKER_LOG_RATE * np.array(
        [[gene in of_type for gene in genes] for of_type in members], dtype=float
    )
