"""Cell types: where they live, what they look like, which genes mark them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.resources import signatures

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
    niches: tuple[float, float, float, float]
    nucleus_um: float
    cell_um: float
    stain: int
    size: float
    markers: tuple[str, ...]


MAST = ("TPSAB1", "CPA3", "KIT", "FCER1A")
SMOOTH_MUSCLE = ("ACTG2", "CNN1", "MYL9", "TPM2")
GLAND = ("KRT5", "KRT14", "KRT17", "KRT15", "KRT23", "KRT16", "KRT6B", "SFRP1", "KLK5")

TYPES = (
    CellType(
        name="epithelial_malignant",
        niches=(0.70, 0.04, 0.05, 0.02),
        nucleus_um=4.6,
        cell_um=8.0,
        stain=2,
        size=0.35,
        markers=("EPITHELIAL_KERATIN", "HER2_AMPLICON_17Q12", "ER_LUMINAL"),
    ),
    CellType(
        name="epithelial_normal",
        niches=(0.0, 0.02, 0.0, 0.0),
        nucleus_um=3.8,
        cell_um=7.0,
        stain=2,
        size=0.1,
        markers=("EPITHELIAL_KERATIN", *GLAND),
    ),
    CellType(
        name="T_NK",
        niches=(0.07, 0.10, 0.42, 0.04),
        nucleus_um=2.8,
        cell_um=4.5,
        stain=3,
        size=-0.4,
        markers=("T_CELL", "CD8_T_CELL", "CYTOTOXIC_LYMPHOCYTE", "NK_CELL", "CD8_EXHAUSTION", "TREG_TUMOUR"),
    ),
    CellType(
        name="B",
        niches=(0.01, 0.02, 0.18, 0.01),
        nucleus_um=2.8,
        cell_um=4.5,
        stain=3,
        size=-0.4,
        markers=("B_CELL",),
    ),
    CellType(
        name="plasma",
        niches=(0.01, 0.05, 0.12, 0.01),
        nucleus_um=3.0,
        cell_um=6.0,
        stain=3,
        size=0.1,
        markers=("PLASMA_CELL",),
    ),
    CellType(
        name="myeloid",
        niches=(0.08, 0.12, 0.14, 0.08),
        nucleus_um=3.4,
        cell_um=7.0,
        stain=2,
        size=0.1,
        markers=("MACROPHAGE", "TAM_C1QC", "TAM_SPP1", "ANTIGEN_PRESENTATION_MHC_II"),
    ),
    CellType(
        name="mast",
        niches=(0.001, 0.008, 0.004, 0.008),
        nucleus_um=3.0,
        cell_um=6.0,
        stain=2,
        size=0.0,
        markers=MAST,
    ),
    CellType(
        name="endothelial",
        niches=(0.05, 0.13, 0.05, 0.14),
        nucleus_um=3.0,
        cell_um=6.0,
        stain=2,
        size=0.0,
        markers=("ENDOTHELIAL",),
    ),
    CellType(
        name="fibroblast_pericyte",
        niches=(0.07, 0.44, 0.04, 0.10),
        nucleus_um=3.2,
        cell_um=7.0,
        stain=2,
        size=-0.1,
        markers=("FIBROBLAST", "CAF_ICAF", "CAF_MYCAF", "PERICYTE"),
    ),
    CellType(
        name="smooth_muscle",
        niches=(0.004, 0.06, 0.0, 0.02),
        nucleus_um=3.0,
        cell_um=7.0,
        stain=2,
        size=-0.1,
        markers=SMOOTH_MUSCLE,
    ),
    CellType(
        name="adipocyte",
        niches=(0.002, 0.005, 0.0, 0.58),
        nucleus_um=2.6,
        cell_um=12.0,
        stain=3,
        size=-0.6,
        markers=("ADIPOCYTE",),
    ),
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
