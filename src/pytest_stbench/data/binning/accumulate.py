"""Transcripts streamed into counts of units by genes, each accounted for.

The transcripts are gone through twice: the bounding box of those that count fixes the lattice and
the raster of the tissue, then they are counted. No array grows with their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from pytest_stbench.data.binning.tissue import CLOSING_UM, bounded_cover, raster_over, tissue_of
from pytest_stbench.data.features import CONTROLS, GENE
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.lattice import units_at
from pytest_stbench.kernels.sift import (
    CONTROL,
    FATES,
    FULL,
    UNLISTED,
    add_carried,
    count_into,
    nonzero_rows,
    sift,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.binning.tissue import Tissue
    from pytest_stbench.data.slide import Transcripts
    from pytest_stbench.kernels.lattice import Lattice
    from pytest_stbench.spec.model import BinSpec

DENSE_BYTES = 2**29
"""Largest table that is kept dense; beyond it memory follows the number of non-zero counts."""

DENSE_SHARE = 8
"""Counts of a dense table for one transcript: with more, the zeros take longer than sorting."""

BLOCK_ROWS = 2**22
"""Transcripts that are gathered before they become one sorted block."""


class DenseTable:
    """Every count of a small lattice, in memory: bytes, and what had to be carried over of the largest."""

    def __init__(self, n_units: int, n_genes: int) -> None:
        self._table = np.zeros((n_units, n_genes), np.uint8)
        self._carried: list[NDArray[np.int64]] = [np.empty(0, np.int64)]

    def add(self, units: NDArray[np.int64], columns: NDArray[np.int32]) -> int:
        """Count transcripts; return how many have no unit (-1)."""
        outside, carried = count_into(self._table, units, columns)
        if len(carried):
            self._carried.append(carried)
        return outside

    def sums(self) -> NDArray[np.int64]:
        """Return the transcripts of each unit."""
        n_units, n_genes = self._table.shape
        carried = np.bincount(np.concatenate(self._carried) // max(1, n_genes), minlength=n_units)
        totals: NDArray[np.int64] = self._table.sum(axis=1, dtype=np.int64) + FULL * carried
        return totals

    def take(self, units: NDArray[np.int64]) -> sparse.csr_matrix:
        """Return the rows of `units`, which ascend."""
        n_genes = self._table.shape[1]
        data, indices, indptr = nonzero_rows(self._table, units)
        row, column = np.divmod(np.concatenate(self._carried), max(1, n_genes))
        place = np.searchsorted(units, row)
        there = np.append(units, -1)[place] == row
        if there.any():
            add_carried(place[there], column[there], indptr, indices, data)
        return sparse.csr_matrix((data, indices, indptr), shape=(len(units), n_genes))


class SparseTable:
    """Counts of a large lattice: sorted blocks, merged while they are of about the same size.

    Memory follows the number of non-zero counts and one block, never the number of transcripts.
    """

    def __init__(self, n_units: int, n_genes: int) -> None:
        self._shape = (n_units, n_genes)
        self._waiting: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        self._n_waiting = 0
        self._blocks: list[sparse.csr_matrix] = []

    def add(self, units: NDArray[np.int64], columns: NDArray[np.int32]) -> int:
        """Count transcripts; return how many have no unit (-1)."""
        inside = units >= 0
        kept = units[inside].astype(np.int32)
        self._waiting.append((kept, columns[inside]))
        self._n_waiting += len(kept)
        if self._n_waiting >= BLOCK_ROWS:
            self._settle()
        return len(units) - len(kept)

    def sums(self) -> NDArray[np.int64]:
        """Return the transcripts of each unit."""
        return np.asarray(self._merged().sum(axis=1, dtype=np.int64)).ravel()

    def take(self, units: NDArray[np.int64]) -> sparse.csr_matrix:
        """Return the rows of `units`."""
        return self._merged()[units]

    def _settle(self) -> None:
        """Make a block of what waits, and merge blocks until each is twice as large as the next."""
        if not self._waiting:
            return
        place = tuple(np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._n_waiting = [], 0
        # Duplicate places are summed.
        block = sparse.csr_matrix((np.ones(len(place[0]), np.int32), place), shape=self._shape)
        while self._blocks and self._blocks[-1].nnz <= 2 * block.nnz:
            block = self._blocks.pop() + block
        self._blocks.append(block)

    def _merged(self) -> sparse.csr_matrix:
        self._settle()
        if not self._blocks:
            self._blocks.append(sparse.csr_matrix(self._shape, dtype=np.int32))
        while len(self._blocks) > 1:
            block = self._blocks.pop()
            self._blocks[-1] = self._blocks[-1] + block
        return self._blocks[0]


def count_table(n_units: int, n_genes: int, n_transcripts: int) -> DenseTable | SparseTable:
    """Return an empty table of the kind that suits its size and what is to be counted."""
    size = n_units * n_genes
    dense = size <= min(DENSE_BYTES, DENSE_SHARE * n_transcripts)
    return DenseTable(n_units, n_genes) if dense else SparseTable(n_units, n_genes)


Sifted = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.int32]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulated:
    """Counts of all units of a lattice, and where the tissue is.

    ``notes`` has the number of transcripts that were read and, under the names of
    :data:`~pytest_stbench.kernels.sift.FATES`, ``transcripts_KIND`` (of other features that are no genes)
    and ``transcripts_outside_discs``, of those in no unit.
    """

    lattice: Lattice
    table: DenseTable | SparseTable
    tissue: Tissue
    notes: dict[str, int]


class Sieve:
    """The transcripts of a slide that count: of listed genes, good enough, with coordinates."""

    def __init__(
        self,
        transcripts: Transcripts,
        genes: Sequence[str],
        min_qv: float,
        what: str,
        progress: Callable[[int], object] | None,
    ) -> None:
        self._transcripts = transcripts
        self._column_of, self.further = columns_of(transcripts, genes)
        self._min_qv = min_qv
        self._what = what
        self._progress = progress
        self._reasons = (*FATES[:-1], *(f"transcripts_{kind}" for kind in self.further), FATES[-1])
        self.fates = np.zeros(len(self._reasons), np.int64)
        self.read = 0

    def __iter__(self) -> Iterator[Sifted]:
        """Go through the transcripts once, counting anew what is left out."""
        self.fates[:] = 0
        self.read = 0
        for batch in self._transcripts.batches():
            self.read += len(batch.x_um)
            try:
                sifted = sift(
                    batch.x_um, batch.y_um, batch.feature, batch.qv, self._column_of, self._min_qv, self.fates
                )
            except ValueError as error:
                message = f"{self._what}: the transcripts do not fit their list of features: {error}"
                raise DataError(message) from None
            yield sifted
            if self._progress is not None:
                self._progress(len(batch.x_um))

    def notes(self) -> dict[str, int]:
        """Return what was read and left out."""
        return {"transcripts_read": self.read, **dict(zip(self._reasons, self.fates.tolist(), strict=True))}


def columns_of(transcripts: Transcripts, genes: Sequence[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return the column of each feature, and the kinds that are neither genes nor negative controls.

    The column is the place in `genes`, or why there is none: :data:`CONTROL`, :data:`UNLISTED`, and for the
    further kinds the numbers below these, in their order.
    """
    place = {gene: column for column, gene in enumerate(genes)}
    kinds = transcripts.kinds.tolist()
    further = tuple(sorted(set(kinds) - CONTROLS - {GENE}))
    why = {kind: UNLISTED - 1 - number for number, kind in enumerate(further)}
    why |= dict.fromkeys(CONTROLS, CONTROL)
    found = [
        place.get(name, UNLISTED) if kind == GENE else why[kind]
        for name, kind in zip(transcripts.features.tolist(), kinds, strict=True)
    ]
    return np.array(found, dtype=np.int32), further


def accumulate(
    transcripts: Transcripts,
    genes: Sequence[str],
    spec: BinSpec,
    *,
    what: str,
    progress: Callable[[int], object] | None = None,
) -> Accumulated:
    """Count the transcripts of a slide into the units of a lattice.

    Parameters
    ----------
    transcripts
        Any number; where they have no quality, none is left out for it.
    genes
        Names of the columns, unique; transcripts of features of the same name are summed.
    spec
        Geometry, sizes and thresholds.
    what
        What messages call the slide.
    progress
        Called with the number of transcripts after each batch, over both passes.

    Raises
    ------
    DataError
        If no transcript counts, or their extent is no slide's.
    """
    sieve = Sieve(transcripts, genes, spec.min_qv, what, progress)
    lower, upper = _bounding_box(sieve, spec, what)
    lattice = bounded_cover(spec, lower, upper, what)
    raster = raster_over(lower, upper)
    occupied = np.zeros(raster.n_units, dtype=bool)
    table = count_table(lattice.n_units, len(genes), sieve.read - int(sieve.fates.sum()))
    outside = 0
    for x, y, column in sieve:
        occupied[units_at(raster, x, y)] = True
        outside += table.add(units_at(lattice, x, y), column)
    return Accumulated(
        lattice=lattice,
        table=table,
        tissue=tissue_of(raster, occupied, CLOSING_UM["transcripts"]),
        notes={**sieve.notes(), "transcripts_outside_discs": outside},
    )


def _bounding_box(sieve: Sieve, spec: BinSpec, what: str) -> tuple[tuple[float, float], tuple[float, float]]:
    lower, upper = [np.inf, np.inf], [-np.inf, -np.inf]
    for x, y, _ in sieve:
        if len(x):
            lower = [min(lower[0], x.min()), min(lower[1], y.min())]
            upper = [max(upper[0], x.max()), max(upper[1], y.max())]
    if lower[0] > upper[0]:
        notes = sieve.notes()
        others = "".join(f"{notes[f'transcripts_{kind}']} of kind {kind}, " for kind in sieve.further)
        raise DataError(
            f"{what}: no transcript is left to bin of {notes['transcripts_read']}: "
            f"{notes['transcripts_low_qv']} below quality {spec.min_qv:g} (bin.min_qv), "
            f"{notes['transcripts_control']} controls, {others}{notes['transcripts_unlisted']} of genes the "
            f"slide does not list, {notes['transcripts_not_finite']} without finite coordinates"
        )
    return (float(lower[0]), float(lower[1])), (float(upper[0]), float(upper[1]))
