"""The transcripts of the cells of a slide, made in parts each time they are gone through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.features import GENE, kinds_of
from pytest_stbench.data.molecules import TranscriptBatch
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.simulate.cells.layout import Cells
    from pytest_stbench.kernels.streams import Stream

CELLS_AT_ONCE = 4096
CONTROLS = (
    *(f"NegControlProbe_{number:05d}" for number in range(1, 21)),
    *(f"UnassignedCodeword_{number:04d}" for number in range(1, 11)),
)
CONTROL_SHARE = 0.002
LOW_SHARE = 0.08
"""Transcripts of low quality, beside those that are counted."""
AMBIENT_SHARE = 0.03
"""Transcripts outside of cells, beside those that are counted."""
AMBIENT_UM = 25.0
MIN_QV = 20.0
MAX_QV = 40.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellTranscripts:
    """Where the counts of a slide lie; a :class:`~pytest_stbench.data.molecules.Transcripts`.

    Those of quality 20 and above that name a cell are its counts, one for one, and lie in its
    outline. Beside them there are transcripts of low quality, some in no cell, and controls.
    """

    seed: int
    slide_id: str
    genes: tuple[str, ...]
    counts: csr_matrix
    cells: Cells

    @property
    def features(self) -> NDArray[np.str_]:
        """The genes of the panel, then the controls."""
        return np.array([*self.genes, *CONTROLS], dtype=np.str_)

    @property
    def kinds(self) -> NDArray[np.str_]:
        """What each feature is: genes of the panel, negative probes, unassigned codewords."""
        return np.concatenate([np.full(len(self.genes), GENE), kinds_of(CONTROLS)])

    def batches(self, *, cells: bool = False) -> Iterator[TranscriptBatch]:
        """Yield the transcripts of some thousand cells at a time."""
        names = self.cells.names.astype(object) if cells else None
        for start in range(0, len(self.cells), CELLS_AT_ONCE):
            yield self._batch(start, min(start + CELLS_AT_ONCE, len(self.cells)), names)

    def _batch(self, start: int, stop: int, names: NDArray[np.object_] | None) -> TranscriptBatch:
        part = self.counts[start:stop].tocoo()
        cell = np.repeat(part.row.astype(np.int64) + start, part.data)
        feature = np.repeat(part.col.astype(np.int32), part.data)
        rng = stream(self.seed, "transcripts", self.slide_id, str(start))
        n = len(cell)
        low, ambient, controls = (
            rng.integers(n, int(share * n)) for share in (LOW_SHARE, AMBIENT_SHARE, CONTROL_SHARE)
        )
        source = np.concatenate([np.arange(n), low, ambient, controls])
        cell, feature = cell[source], feature[source]
        first = len(feature) - len(controls)
        feature[first:] = len(self.genes) + rng.integers(len(CONTROLS), len(controls))
        stray = np.zeros(len(source), dtype=bool)
        stray[n + len(low) : first] = True
        xy = self.cells.xy_um[cell] + self._offset(rng, cell, stray)
        qv = MIN_QV + (MAX_QV - MIN_QV) * np.sqrt(rng.uniform(len(source)))
        qv[n : n + len(low)] = 0.999 * MIN_QV * rng.uniform(len(low))
        return TranscriptBatch(
            x_um=xy[:, 0].copy(),
            y_um=xy[:, 1].copy(),
            feature=feature,
            qv=np.clip(qv, 0, MAX_QV).astype(np.float32),
            cell=None if names is None else np.where(stray, "", names[cell]),
        )

    def _offset(self, rng: Stream, cell: NDArray[np.int64], stray: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return places around the centres: within what is the cell's alone, or astray."""
        own = np.minimum(self.cells.free_um, self.cells.cell_um.min(axis=1))[cell]
        # rounding of coordinates must not carry a transcript over the border
        radius = np.where(stray, AMBIENT_UM, 0.999 * own) * np.sqrt(rng.uniform(len(cell)))
        angle = 2 * np.pi * rng.uniform(len(cell))
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
