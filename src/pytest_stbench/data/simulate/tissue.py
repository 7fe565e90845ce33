"""The tissue of one slide: niches, cell density and polarity as fields over the plane.

Everything here is drawn without knowing genes or counts, and the same for all settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.settings import NICHES
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.streams import Stream

WAVES = 96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fields:
    """Gaussian fields with squared-exponential covariance, as sums of random cosines.

    Random Fourier features (Rahimi and Recht 2007): mean 0, variance 1, covariance
    ``exp(-d^2 / (2 length^2))`` at distance d. Unlike a Cholesky factor the cost is linear in the
    number of places, and image and units see one and the same field.
    """

    frequencies: NDArray[np.float64]
    phases: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: Stream, *, n: int, length_um: float) -> Fields:
        """Draw `n` independent fields of length scale `length_um`."""
        frequencies = rng.normal((2, WAVES)) / length_um
        phases = rng.uniform(WAVES) * 2 * np.pi
        weights = rng.normal((WAVES, n)) * np.sqrt(2 / WAVES)
        return cls(frequencies=frequencies, phases=phases, weights=weights)

    def at(self, xy_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values (places, n) at `xy_um` (places, 2)."""
        waves: NDArray[np.float64] = np.cos(xy_um @ self.frequencies + self.phases)
        return waves @ self.weights


PITCH_UM = 100.0
ROW_STEP_UM = PITCH_UM * np.sqrt(3) / 2
MARGIN_UM = 150.0
HARMONICS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """A closed curve around `centre`: the mean radius and its relative harmonics."""

    centre: NDArray[np.float64]
    radius: float
    cosines: NDArray[np.float64]
    sines: NDArray[np.float64]

    def depth(self, xy_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance from the centre as a share of the outline's: below 1 = inside."""
        offset = xy_um - self.centre
        angle = np.arctan2(offset[:, 1], offset[:, 0])[:, None] * np.arange(1, HARMONICS + 1)
        shape = 1 + np.cos(angle) @ self.cosines + np.sin(angle) @ self.sines
        distance: NDArray[np.float64] = np.sqrt((offset**2).sum(axis=1))
        return distance / (self.radius * shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Spots under the tissue: coordinates from the top left corner of the image.

    ``array_index`` holds row and column in the numbering of Visium, where columns of odd rows are
    odd and those of even rows even.
    """

    xy_um: NDArray[np.float64]
    array_index: NDArray[np.int64]
    outline: Outline
    size_um: tuple[float, float]


def draw_lattice(rng: Stream, n_units: int) -> Lattice:
    """Return exactly `n_units` spots: the innermost ones of an irregular outline.

    Spots stand in row order; ``size_um`` is width and height of the image around them.
    """
    radius = np.sqrt(n_units * PITCH_UM * ROW_STEP_UM / np.pi)
    decay = 0.12 / np.arange(1, HARMONICS + 1)
    cosines, sines = rng.normal((2, HARMONICS)) * decay
    shift = rng.uniform(2) * PITCH_UM
    # the harmonics reach at most about twice the radius, and at least `n_units` spots are needed
    rows = int(np.ceil(4 * radius / ROW_STEP_UM)) + 4
    columns = int(np.ceil(4 * radius / PITCH_UM)) + 4
    row, column = (index.ravel() for index in np.indices((rows, columns)))
    array_index = np.stack([row, 2 * column + row % 2], axis=1).astype(np.int64)
    xy = np.stack([array_index[:, 1] * PITCH_UM / 2, row * ROW_STEP_UM], axis=1)
    outline = Outline(centre=xy.mean(axis=0) + shift, radius=radius, cosines=cosines, sines=sines)
    rank = np.round(outline.depth(xy), 9)
    chosen = np.sort(np.argsort(rank, kind="stable")[:n_units])
    # the corner keeps the parity of the columns
    corner = array_index[chosen].min(axis=0)
    corner -= corner % 2
    origin = np.array([corner[1] * PITCH_UM / 2, corner[0] * ROW_STEP_UM]) - MARGIN_UM
    inside = xy[chosen] - origin
    reach = float(rank[chosen].max())
    placed = Outline(
        centre=outline.centre - origin, radius=radius * reach * 1.04, cosines=cosines, sines=sines
    )
    width, height = inside.max(axis=0) + MARGIN_UM
    return Lattice(
        xy_um=inside,
        array_index=array_index[chosen] - corner,
        outline=placed,
        size_um=(float(width), float(height)),
    )


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
