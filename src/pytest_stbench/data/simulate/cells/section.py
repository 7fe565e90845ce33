"""A section of single cells: its outline, its fields, and the structures in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.data.simulate.cells.types import FOLLICLE, GLAND_WALL, T_ZONE, composition, mix_of
from pytest_stbench.data.simulate.settings import NICHES, RATE_DECIMALS
from pytest_stbench.data.simulate.tissue import (
    DETAIL_LENGTH_UM,
    HARMONICS,
    MAX_CELLULARITY,
    NICHE_LENGTH_UM,
    Fields,
    Outline,
    TissueState,
    state_of,
)
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.streams import Stream

SPACING_UM = 9.0
"""Distance of the sites a cell can stand on where tissue is densest."""

MARGIN_UM = 60.0
MEAN_SHARE = 0.33
"""Share of sites that is taken in a mean section: a first guess of its size."""

SURVEY = 160
"""Points along each side of the grid on which the number of cells is estimated."""

GLAND, TLS = 0, 1
NICHE_OF = {GLAND: "stroma", TLS: "immune"}
AREA_OF_ONE_UM2 = {GLAND: 350_000.0, TLS: 500_000.0}
RADIUS_UM = {GLAND: (35.0, 70.0), TLS: (60.0, 110.0)}
TRIES = 12
STRUCTURE_CELLULARITY = 0.95
SMALLEST_UM2 = 200_000.0
"""Smaller sections have no structures: one would fill them."""

FOLLICLE_SHARE = 0.6
"""Radius of the follicle within a TLS; the T zone is around it."""
LUMEN_SHARE = 0.45
"""Radius of the empty middle of a gland."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Structures:
    """Round structures: glands of normal epithelium and TLS; ``kind`` is 0 and 1."""

    centre_um: NDArray[np.float64]
    radius_um: NDArray[np.float64]
    kind: NDArray[np.int64]

    def around(self, xy_um: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the kind of structure at each place, -1 for none, and its distance in radii."""
        if not len(self.kind):
            return np.full(len(xy_um), -1), np.full(len(xy_um), np.inf)
        distance, nearest = cKDTree(self.centre_um).query(xy_um)
        share = distance / self.radius_um[nearest]
        return np.where(share < 1, self.kind[nearest], -1), share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """The tissue of one slide, which can be asked anywhere; coordinates in um from its corner."""

    outline: Outline
    size_um: tuple[float, float]
    niche_fields: Fields
    detail_fields: Fields
    structures: Structures

    def at(self, xy_um: NDArray[np.float64]) -> TissueState:
        """Return the latent variables at `xy_um` (places, 2), in structures those of the structure."""
        return self.with_structures(xy_um)[0]

    def with_structures(
        self, xy_um: NDArray[np.float64]
    ) -> tuple[TissueState, NDArray[np.int64], NDArray[np.float64]]:
        """Return the latent variables, the structure at each place (-1: none), its distance in radii."""
        state = state_of(self.niche_fields, self.detail_fields, xy_um - self.outline.centre)
        kind, share = self.structures.around(xy_um)
        niches, cellularity = state.niches.copy(), state.cellularity.copy()
        for code, niche in NICHE_OF.items():
            niches[kind == code] = np.eye(len(NICHES))[NICHES.index(niche)]
        cellularity[kind >= 0] = STRUCTURE_CELLULARITY
        cellularity[(kind == GLAND) & (share < LUMEN_SHARE)] = 0.0
        return replace(state, niches=niches, cellularity=cellularity), kind, share

    def type_shares(
        self, state: TissueState, kind: NDArray[np.int64], share: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the chance of each cell type at each place, (places, types).

        Niches meet in a narrower border than in the mixtures that spots are.
        """
        weight = state.niches**2
        chances: NDArray[np.float64] = weight / weight.sum(axis=1, keepdims=True) @ composition()
        chances[kind == GLAND] = mix_of(GLAND_WALL)
        chances[kind == TLS] = mix_of(T_ZONE)
        chances[(kind == TLS) & (share < FOLLICLE_SHARE)] = mix_of(FOLLICLE)
        return chances


def draw_section(seed: int, slide_id: str, n_cells: int) -> Section:
    """Return the section of a slide that holds about `n_cells` (within 3% where there are 3000)."""
    rng = stream(seed, "section", slide_id)
    decay = 0.12 / np.arange(1, HARMONICS + 1)
    cosines, sines = rng.normal((2, HARMONICS)) * decay
    niche_fields = Fields.draw(rng, n=len(NICHES), length_um=NICHE_LENGTH_UM)
    detail_fields = Fields.draw(rng, n=4, length_um=DETAIL_LENGTH_UM)
    radius = float(np.sqrt(n_cells * SPACING_UM**2 / MEAN_SHARE / np.pi))
    guess = Outline(centre=np.zeros(2), radius=radius, cosines=cosines, sines=sines)
    section = Section(
        outline=guess,
        size_um=(0.0, 0.0),
        niche_fields=niche_fields,
        detail_fields=detail_fields,
        structures=_draw_structures(rng, guess, niche_fields, detail_fields),
    )
    outline = replace(guess, radius=radius * _reach(section, n_cells))
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    edge = ray / outline.depth(ray)[:, None]
    low, high = np.round(edge.min(axis=0), 3), np.round(edge.max(axis=0), 3)
    centre = MARGIN_UM - low
    width, height = high - low + 2 * MARGIN_UM
    return replace(
        section,
        outline=replace(outline, centre=centre),
        size_um=(float(width), float(height)),
        structures=replace(section.structures, centre_um=section.structures.centre_um + centre),
    )


def _reach(section: Section, n_cells: int) -> float:
    """Return by how much the outline must grow to hold `n_cells`, from a survey of a coarse grid."""
    half = 2 * section.outline.radius
    line = np.linspace(-half, half, SURVEY)
    x, y = (axis.ravel() for axis in np.meshgrid(line, line))
    xy = np.stack([x, y], axis=1)
    expected = section.at(xy).cellularity / MAX_CELLULARITY * (line[1] - line[0]) ** 2 / SPACING_UM**2
    depth = section.outline.depth(xy)
    order = np.argsort(np.round(depth, 9), kind="stable")
    held = np.cumsum(expected[order])
    place = min(int(np.searchsorted(held, n_cells)), len(order) - 1)
    return float(np.round(depth[order[place]], 6))


def _draw_structures(
    rng: Stream, outline: Outline, niche_fields: Fields, detail_fields: Fields
) -> Structures:
    """Return glands and TLS where the niche they belong to is strongest, TLS last."""
    area = np.pi * outline.radius**2
    centres, radii, kinds = [np.empty((0, 2))], [np.empty(0)], [np.empty(0, dtype=np.int64)]
    for kind, niche in NICHE_OF.items() if area >= SMALLEST_UM2 else ():
        number = max(1, round(area / AREA_OF_ONE_UM2[kind]))
        # a little inside: the final outline may be smaller than the guess
        reach = 0.85 * outline.radius * np.sqrt(rng.uniform(TRIES * number))
        angle = 2 * np.pi * rng.uniform(TRIES * number)
        xy = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
        weight = state_of(niche_fields, detail_fields, xy).niches[:, NICHES.index(niche)]
        chosen = np.argsort(-np.round(weight, RATE_DECIMALS), kind="stable")[:number]
        low, high = RADIUS_UM[kind]
        centres.append(xy[chosen])
        radii.append(low + (high - low) * rng.uniform(number))
        kinds.append(np.full(number, kind))
    return Structures(
        centre_um=np.concatenate(centres), radius_um=np.concatenate(radii), kind=np.concatenate(kinds)
    )
