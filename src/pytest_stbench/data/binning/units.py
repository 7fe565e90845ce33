"""The units of a lattice that hold tissue, with what was counted in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from pytest_stbench.data.binning.accumulate import accumulate
from pytest_stbench.data.binning.tissue import CLOSING_UM, bounded_cover, raster_over, tissue_of, tissue_share
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.lattice import centres, row_and_column, units_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.binning.accumulate import DenseTable, SparseTable
    from pytest_stbench.data.binning.tissue import Tissue
    from pytest_stbench.data.slide import Transcripts
    from pytest_stbench.kernels.lattice import Lattice
    from pytest_stbench.spec.model import BinSpec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """Those units of a lattice that are kept, ascending, (n,), and the share of each that is tissue."""

    lattice: Lattice
    ids: NDArray[np.int64]
    share: NDArray[np.float64]

    @property
    def names(self) -> NDArray[np.str_]:
        """``ROWxCOLUMN`` of the array index."""
        return np.array([f"{row}x{column}" for row, column in self.array_index.tolist()], dtype=np.str_)

    @property
    def array_index(self) -> NDArray[np.int64]:
        """Row and column, as Visium numbers them on a hexagonal lattice."""
        return row_and_column(self.lattice, self.ids)

    @property
    def xy_um(self) -> NDArray[np.float64]:
        """Centres."""
        return centres(self.lattice, self.ids)

    def rows_at(self, xy_um: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the row of the kept unit each point (m, 2) falls into, -1 for none."""
        row_of = np.full(self.lattice.n_units + 1, -1, np.int64)
        row_of[self.ids] = np.arange(len(self.ids))
        # A point outside has the number -1: the last, which is never a unit's.
        return row_of[units_at(self.lattice, *_axes(xy_um))]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """Kept units with the table of their counts, their measures (n,) and what was left out."""

    units: Units
    table: DenseTable | SparseTable | Summed
    measures: dict[str, NDArray[np.float64]]
    notes: dict[str, int]

    @property
    def counts(self) -> sparse.csr_matrix:
        """Counts of all kept units, made anew of the table."""
        return self.table.take(self.units.ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summed:
    """The counts of the units `ids`, which ascend."""

    ids: NDArray[np.int64]
    counts: sparse.csr_matrix

    def take(self, units: NDArray[np.int64]) -> sparse.csr_matrix:
        """Return the rows of `units`."""
        return self.counts if len(units) == len(self.ids) else self.counts[np.searchsorted(self.ids, units)]


def bin_transcripts(
    transcripts: Transcripts,
    genes: Sequence[str],
    spec: BinSpec,
    *,
    what: str,
    progress: Callable[[int], object] | None = None,
) -> Binned:
    """Count transcripts into the units of a lattice and keep the units that are tissue.

    Parameters
    ----------
    transcripts, genes, spec, what, progress
        As for :func:`~pytest_stbench.data.binning.accumulate.accumulate`.

    Returns
    -------
    Binned
        ``notes``: ``transcripts_read`` is the sum of ``transcripts_kept`` and of those left out:
        ``_not_finite``, ``_control``, ``_unlisted`` (features that are no genes of the slide),
        ``_low_qv``, ``_outside_discs``, ``_outside_tissue`` (in units left out, whose number
        is ``units_outside_tissue``).

    Raises
    ------
    DataError
        If nothing is left, or the extent or the number of units is no slide's.
    """
    found = accumulate(transcripts, genes, spec, what=what, progress=progress)
    held = found.table.sums()
    units, dropped = _with_tissue(found.lattice, found.tissue, held, spec, what, "transcripts")
    kept = held[units.ids]
    return Binned(
        units=units,
        table=found.table,
        measures={**_measures(units), "transcripts": kept.astype(np.float64)},
        notes={
            **found.notes,
            "transcripts_outside_tissue": int(held.sum() - kept.sum()),
            "transcripts_kept": int(kept.sum()),
            "units_outside_tissue": dropped,
        },
    )


def bin_cells(xy_um: NDArray[np.float64], counts: sparse.csr_matrix, spec: BinSpec, *, what: str) -> Binned:
    """Sum the counts of cells into the units of a lattice and keep the units that are tissue.

    All counts of a cell go to the unit of its centroid, also where the cell reaches into another.

    Parameters
    ----------
    xy_um
        Centroids, (m, 2); cells without finite ones are left out.
    counts
        (m, g).
    spec
        Geometry, sizes and least share of tissue; quality is no property of a cell.
    what
        What messages call the slide.

    Returns
    -------
    Binned
        ``notes``: ``cells_outside_discs``, ``cells_outside_tissue``; those without coordinates are
        in neither.

    Raises
    ------
    DataError
        If nothing is left, or the extent or the number of units is no slide's.
    """
    x, y = _axes(xy_um)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise DataError(f"{what}: none of {len(x)} cells has finite coordinates: there is nothing to bin")
    lower = (float(x[finite].min()), float(y[finite].min()))
    upper = (float(x[finite].max()), float(y[finite].max()))
    lattice = bounded_cover(spec, lower, upper, what)
    raster = raster_over(lower, upper)
    occupied = np.zeros(raster.n_units, dtype=bool)
    occupied[units_at(raster, x[finite], y[finite])] = True
    at = units_at(lattice, x, y)
    held = np.bincount(at[at >= 0], minlength=lattice.n_units)
    tissue = tissue_of(raster, occupied, CLOSING_UM["cells"])
    units, dropped = _with_tissue(lattice, tissue, held, spec, what, "cells")
    rows = units.rows_at(xy_um)
    summed = membership(rows, len(units.ids)) @ counts
    with np.errstate(all="ignore"):
        # Counts that are not finite are for checks to report, not a reason to warn here.
        totals = np.asarray(summed.sum(axis=1, dtype=np.float64)).ravel()
    return Binned(
        units=units,
        table=Summed(ids=units.ids, counts=summed),
        measures={**_measures(units), "transcripts": totals},
        notes={
            "cells_outside_discs": int(finite.sum() - held.sum()),
            "cells_outside_tissue": int(held.sum() - (rows >= 0).sum()),
            "units_outside_tissue": dropped,
        },
    )


def membership(rows: NDArray[np.int64], n_units: int) -> sparse.csr_matrix:
    """Return which cells (columns) are in which unit (rows), (n_units, m), of ones."""
    cells = np.flatnonzero(rows >= 0)
    ones = np.ones(len(cells), np.int64)
    return sparse.csr_matrix((ones, (rows[cells], cells)), shape=(n_units, len(rows)))


def _with_tissue(
    lattice: Lattice, tissue: Tissue, held: NDArray[np.int64], spec: BinSpec, what: str, of: str
) -> tuple[Units, int]:
    """Return the units with enough tissue, and the number of others that hold anything or any tissue."""
    share = tissue_share(tissue, lattice, np.arange(lattice.n_units))
    candidates = (held > 0) | (share > 0)
    kept = candidates & (share >= spec.min_tissue)
    if not kept.any():
        raise DataError(
            f"{what}: no unit ({int(candidates.sum())} formed, with {int(held.sum())} {of}) has "
            f"{spec.min_tissue:.0%} of its area in tissue (the most is {share.max():.0%}): "
            "lower bin.min_tissue, or leave the slide out"
        )
    ids = np.flatnonzero(kept).astype(np.int64)
    return Units(lattice=lattice, ids=ids, share=share[ids]), int(candidates.sum() - kept.sum())


def _measures(units: Units) -> dict[str, NDArray[np.float64]]:
    return {"tissue_share": units.share, "area_um2": np.full(len(units.ids), units.lattice.area_um2)}


def _axes(xy_um: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y, each contiguous float64, as the kernels take them."""
    return np.ascontiguousarray(xy_um[:, 0], np.float64), np.ascontiguousarray(xy_um[:, 1], np.float64)
