"""The unit of the coordinates of AnnData files: what is declared, and what the file itself says.

A file says it exactly in ``uns``: under a usual name (:data:`KEYS`, um), as Stereo-seq does
(``resolution`` in nm; its spots are 500 nm apart where that is missing), or in the scale factors
of a library (``microns_per_pixel``). It says it roughly by the diameter of a spot of Visium in the
scale factors, and, where units have array indices, by the pitch of the technology.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.annotations import EXACT, factors_of, positive
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.grid_fit import MAX_RESIDUAL, grid_fit, lattice_spacing
from pytest_stbench.registry import nearest
from pytest_stbench.spec.part import FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import h5py
    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.hdf5 import Rows
    from pytest_stbench.data.technology import Lattice
    from pytest_stbench.spec.model import ScaleSpec

KEYS = ("um_per_px", "um_per_pixel", "microns_per_pixel", "mpp", "pixel_size_um", "um_per_unit")
DISAGREES = "unit_disagrees:"
"""Before a sentence with both figures, in the notes of a slide whose file contradicts the scale."""

ROUGH = 0.1
"""Relative difference above which the diameter of a spot contradicts a size."""

NEIGHBOURS = "the distance of neighbours"
MEASURED = "unit_by_neighbours"
"""In the notes of a slide whose unit is known by the distance of neighbours alone."""

DNB_NM = 500.0
BIN_TYPES = frozenset({"bins", "bin", "cell_bins", "cell_bin", "cellbin"})
NM = (100.0, 10_000.0)
"""Sizes of a unit in nm; ``resolution`` outside of them is that of a clustering."""

SPOT_UM = (55.0, 65.0)
"""Diameter that the scale factors of Visium mean: 65 um where Space Ranger counts the blur in."""

VISIUM_PITCH_UM = 100.0


@dataclass(frozen=True, slots=True)
class UnitSize:
    """A size of the unit in um, and where it stands."""

    um: float
    where: str


def contradiction(said: Sequence[UnitSize]) -> tuple[UnitSize, UnitSize] | None:
    """Return the smallest and the largest size of one unit; None where they differ by 5 % at most."""
    low, high = min(said, key=attrgetter("um")), max(said, key=attrgetter("um"))
    return (low, high) if high.um / low.um - 1 > EXACT else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Um per unit that is used, with where it comes from, the pitch the file says, and contradictions."""

    um: float
    where: str
    pitch_um: float | None = None
    notes: dict[str, int] = field(default_factory=dict)


def scaled(
    file: h5py.File,
    path: Path,
    scale: ScaleSpec | None,
    slide: str,
    xy: NDArray[np.float64],
    index: NDArray[np.float64] | None,
    lattice: Lattice | None,
    rows: Rows,
) -> Scaled:
    """Return how the coordinates `xy` (n, 2) of a slide become um.

    Without `scale` they are in um. What else the file says of its unit is held against it; a
    contradiction stands in the notes.

    Raises
    ------
    DataError
        The declared key is missing or no positive number; with ``scale: file`` the file says
        nothing, or contradicts itself.
    """
    factors = factors_of(file, slide, rows)
    said, spot = exact_sizes(file, factors), _spot(factors, lattice)
    where = "scale.um_per_px"
    if scale is not None and scale.um_per_px == FILE:
        found = unit_of(file, path, slide, xy, index, lattice, rows)
        if found is None:
            raise DataError(
                f"{path}: nothing in the file says the unit of its coordinates (scale: file): write "
                "`scale: UM_PER_UNIT`, or leave it out where they are um"
            )
        um, where = found.um, found.where
    else:
        um = 1.0 if scale is None else um_of(file, path, where, scale.um_per_px)
        where = "no `scale` is declared" if scale is None else where
    notes = {
        f"{DISAGREES}a unit is {um:.4g} um ({where}), and {other.um:.4g} um by {other.where}": 1
        for other in said
        if abs(other.um / um - 1) > EXACT
    }
    if scale is not None and spot is not None and spot.far_from(um):
        notes[f"{DISAGREES}a unit is {um:.4g} um ({where}), and {spot}"] = 1
    if where.startswith(NEIGHBOURS) and spot is None:
        notes[MEASURED] = 1
    return Scaled(um=um, where=where, pitch_um=pitch_in_file(file, factors), notes=notes)


def um_of(file: h5py.File, path: Path, key: str, scale: float | str) -> float:
    """Return a declared size in um: a number, or that at ``uns:KEY``. Raises ``DataError``."""
    if isinstance(scale, str):
        place = scale.removeprefix("uns:")
        try:
            value = hdf5.number(file, place)
        except hdf5.MissingKey as error:
            raise DataError(
                f"{path}: uns has no {place!r} ({key}: no {error.key!r}); "
                f"there is {listing(error.known)}{nearest(error.key, error.known)}"
            ) from error
        except ValueError as error:
            raise DataError(f"{path}: uns:{place} ({key}) must be one number; it is {error}") from error
    else:
        value = float(scale)
    if not math.isfinite(value) or value <= 0:
        raise DataError(f"{path}: {key} is {value:g}; um per pixel must be a positive number")
    return value


def exact_sizes(file: h5py.File, factors: Mapping[str, float]) -> tuple[UnitSize, ...]:
    """Return every exact size of the unit that the file has."""
    uns = file.get("uns", {})
    found = [UnitSize(value, f"uns[{key!r}]") for key in KEYS if (value := positive(uns, key)) is not None]
    nm = positive(uns, "resolution")
    nm = nm if nm is not None and NM[0] <= nm <= NM[1] else None
    stereo = hdf5.text(uns, "bin_type") in BIN_TYPES
    if nm is not None:
        found.append(UnitSize(nm / 1000, f"uns['resolution'], {nm:g} nm"))
    elif stereo:
        found.append(UnitSize(DNB_NM / 1000, f"uns['bin_type']: Stereo-seq, {DNB_NM:g} nm"))
    if "microns_per_pixel" in factors:
        found.append(UnitSize(factors["microns_per_pixel"], "microns_per_pixel of its scale factors"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Spot:
    """What the diameter of a spot says: a size of the unit for every picture it may be counted in."""

    diameter: float
    shrinks: tuple[float, ...]

    def sizes(self) -> tuple[float, ...]:
        return tuple(um / self.diameter / shrink for um in SPOT_UM for shrink in self.shrinks)

    def far_from(self, um: float) -> bool:
        return min(abs(um / size - 1) for size in self.sizes()) > ROUGH

    def __str__(self) -> str:
        low, high = (um / self.diameter for um in SPOT_UM)
        return (
            f"{low:.4g} to {high:.4g} um by spot_diameter_fullres of its scale factors ({self.diameter:.4g} "
            f"units are {SPOT_UM[0]:g} to {SPOT_UM[1]:g} um)"
        )


def _spot(factors: Mapping[str, float], lattice: Lattice | None) -> _Spot | None:
    diameter = factors.get("spot_diameter_fullres")
    visium = lattice is not None and lattice.kind == "hex" and lattice.pitch_um == VISIUM_PITCH_UM
    if diameter is None or not visium:
        return None
    shrinks = [factors[key] for key in ("tissue_hires_scalef", "tissue_lowres_scalef") if key in factors]
    return _Spot(diameter, (1.0, *shrinks))


def unit_of(
    file: h5py.File,
    path: Path,
    slide: str,
    xy: NDArray[np.float64],
    index: NDArray[np.float64] | None,
    lattice: Lattice | None,
    rows: Rows,
) -> UnitSize | None:
    """Return the size of the unit of a slide that its file says, None where it says none.

    Raises ``DataError`` where it says two that differ.
    """
    factors = factors_of(file, slide, rows)
    said, spot = exact_sizes(file, factors), _spot(factors, lattice)
    if said:
        if apart := contradiction(said):
            low, high = apart
            raise DataError(
                f"{path}: two sizes of one unit: {low.um:.4g} um ({low.where}) and {high.um:.4g} um "
                f"({high.where}): correct the file, or write the right one as `scale: UM_PER_UNIT`"
            )
        return said[0]
    found = by_pitch(xy, index, lattice)
    if found is not None and spot is not None and spot.far_from(found.um):
        raise DataError(
            f"{path}: two sizes of one unit: {found.um:.4g} um ({found.where}) and {spot}: the scale factors "
            "are of another image; write the right size as `scale: UM_PER_UNIT`"
        )
    return found


def by_pitch(
    xy: NDArray[np.float64], index: NDArray[np.float64] | None, lattice: Lattice | None
) -> UnitSize | None:
    """Return the size of the unit by the pitch of the technology.

    Array indices say how many pitches two units are apart. Where there are none it is the distance
    of neighbours, but only of units that lie as on one lattice.
    """
    if lattice is None:
        return None
    if index is not None:
        fit = grid_fit(xy, index, hexagonal=lattice.kind == "hex")
        if fit is not None and fit.residual <= MAX_RESIDUAL:
            return UnitSize(
                lattice.pitch_um / fit.pitch,
                f"array indices: neighbours are {fit.pitch:.4g} units apart, {lattice.pitch_um:g} um",
            )
    spacing = lattice_spacing(xy, hexagonal=lattice.kind == "hex")
    if spacing is None:
        return None
    return UnitSize(
        lattice.pitch_um / spacing,
        f"{NEIGHBOURS}, {spacing:.4g} units apart: {lattice.pitch_um:g} um",
    )


def pitch_in_file(file: h5py.File, factors: Mapping[str, float]) -> float | None:
    """Return the distance of neighbouring bins in um that the file says."""
    if "bin_size_um" in factors:
        return factors["bin_size_um"]
    uns = file.get("uns", {})
    size = positive(uns, "bin_size")
    unit = next((said.um for said in exact_sizes(file, {}) if "nm" in said.where), None)
    squares = hdf5.text(uns, "bin_type") in (None, "bins", "bin")
    return size * unit if size is not None and unit is not None and squares else None
