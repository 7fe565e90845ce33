"""The tissue of one slide: niches, cell density and polarity as fields over the plane.

Everything here is drawn without knowing genes or counts, and the same for all settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.fields import Fields
from pytest_stbench.data.simulate.lattice import Lattice, draw_lattice
from pytest_stbench.data.simulate.settings import NICHES
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

NICHE_LENGTH_UM = 260.0
DETAIL_LENGTH_UM = 160.0
SHARPNESS = 2.0
NICHE_PRIOR = np.array([0.4, 0.3, 0.0, -0.5])
CELLULARITY = np.array([0.55, 0.22, 0.9, 0.06])
"""Relative number of nuclei in tumour, stroma, immune and adipose tissue."""

MAX_CELLULARITY = 1.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TissueState:
    """The latent variables at some places.

    ``niches`` (places, 4) are mixing weights that sum to 1, ``density`` the change of cell
    density that niches do not explain (standard normal), ``cellularity`` the relative number of
    nuclei (about 0 to 1.2), ``polarity`` in (-1, 1) the excess of nuclei in the right half of a
    spot. ``hypoxia`` and ``interferon`` (standard normal) leave no trace in the image.
    """

    niches: NDArray[np.float64]
    density: NDArray[np.float64]
    cellularity: NDArray[np.float64]
    polarity: NDArray[np.float64]
    hypoxia: NDArray[np.float64]
    interferon: NDArray[np.float64]

    def niche_names(self) -> NDArray[np.object_]:
        """Return the name of the heaviest niche of each place."""
        names: NDArray[np.object_] = np.array(NICHES, dtype=object)[self.niches.argmax(axis=1)]
        return names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tissue:
    """One section: its spots and the fields that can be asked anywhere on it."""

    lattice: Lattice
    niche_fields: Fields
    detail_fields: Fields

    def at(self, xy_um: NDArray[np.float64]) -> TissueState:
        """Return the latent variables at `xy_um` (places, 2)."""
        return state_of(self.niche_fields, self.detail_fields, xy_um)


def state_of(niche_fields: Fields, detail_fields: Fields, xy_um: NDArray[np.float64]) -> TissueState:
    """Return the latent variables that the fields of a tissue give at `xy_um` (places, 2)."""
    weight = np.exp(SHARPNESS * (niche_fields.at(xy_um) + NICHE_PRIOR))
    niches = weight / weight.sum(axis=1, keepdims=True)
    density, polarity, hypoxia, interferon = detail_fields.at(xy_um).T
    return TissueState(
        niches=niches,
        density=density,
        cellularity=np.minimum(niches @ CELLULARITY * np.exp(0.25 * density), MAX_CELLULARITY),
        polarity=np.tanh(1.3 * polarity),
        hypoxia=hypoxia,
        interferon=interferon,
    )


def draw_tissue(seed: int, slide_id: str, n_units: int) -> Tissue:
    """Return the tissue of a slide; niche layout and outline are the slide's own."""
    rng = stream(seed, "tissue", slide_id)
    return Tissue(
        lattice=draw_lattice(rng, n_units),
        niche_fields=Fields.draw(rng, n=len(NICHES), length_um=NICHE_LENGTH_UM),
        detail_fields=Fields.draw(rng, n=4, length_um=DETAIL_LENGTH_UM),
    )
