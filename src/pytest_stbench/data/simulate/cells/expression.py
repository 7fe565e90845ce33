"""Counts of the cells of a slide, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, vstack

from pytest_stbench.data.features import GENE, kinds_of
from pytest_stbench.data.simulate.cells.types import NAMES, SENDERS, TYPES, marker_rates
from pytest_stbench.data.simulate.expression import (
    FAILED_SHARE,
    FAILED_YIELD,
    PATIENT_DEPTH_SPREAD,
    PRIVATE_LENGTH_UM,
    SMOOTH_SHARE,
    columns_of,
    draw_panel,
    factor_matrix,
    gene_effects,
    signal_fields,
)
from pytest_stbench.data.simulate.settings import NICHES, RATE_DECIMALS, SETTINGS
from pytest_stbench.data.simulate.tissue import Fields
from pytest_stbench.data.slide import TranscriptBatch
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.cells.layout import Cells
    from pytest_stbench.data.simulate.cells.section import Section
    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.data.simulate.table import Member
    from pytest_stbench.kernels.streams import Stream

BLOCK = 4096
NICHE_SHARE = 0.5
"""Effect of a niche on a cell, of that on a spot: the rest comes from the types that live there."""

BASE_SHARE = 1.6
"""Spread of the log abundance of genes in cells, of that in spots: most genes of a panel are rare."""

MALIGNANT_EFFECT = 2.0
"""Patients differ in malignant cells by so much more than in others."""

SIGNAL_SHARE = 1.7
"""Effect of a signal on a cell, of that on a spot: only part of the cells of a spot answer."""

CELL_SPREAD = 0.4
"""Standard deviation of log depth from cell to cell, beside that of the setting."""


class CellCounts:
    """Makes the counts of any block of the cells of one slide."""

    def __init__(self, params: SimulationParams, member: Member, section: Section, cells: Cells) -> None:
        self._params, self._member, self._section, self._cells = params, member, section, cells
        self._setting = SETTINGS[params.setting]
        genes = draw_panel(params)
        self._columns = columns_of(params, genes, member.panel)
        self._pairs = _kept_pairs(genes.pairs, self._columns)
        self._loadings = genes.loadings[:, self._columns]
        self._loadings[: len(NICHES)] *= NICHE_SHARE
        effects = gene_effects(params, member, len(genes.genes))
        malignant = params.patient_effect * stream(params.seed, "malignant genes", member.patient).normal(
            len(genes.genes)
        )
        by_type = self._setting.types * marker_rates(genes.genes)
        by_type[NAMES.index("epithelial_malignant")] += self._setting.types * MALIGNANT_EFFECT * malignant
        self._by_type = (BASE_SHARE * genes.base + effects + by_type)[:, self._columns]
        rng = stream(params.seed, "cell fields", member.slide)
        self._smooth = Fields.draw(rng, n=1, length_um=PRIVATE_LENGTH_UM)
        self._private = Fields.draw(rng, n=len(self._columns), length_um=PRIVATE_LENGTH_UM)
        self._signals = signal_fields(params, member.slide, max(len(genes.pairs), 1))
        depth = stream(params.seed, "patient depth", member.patient).normal(1)[0]
        self._patient_depth = PATIENT_DEPTH_SPREAD * depth

    def matrix(self) -> csr_matrix:
        """Return the counts of all cells, (n, g) int32; dense for one block at a time."""
        blocks = [csr_matrix(self.block(start)) for start in range(0, len(self._cells), BLOCK)]
        return csr_matrix(vstack(blocks, format="csr", dtype=np.int32))

    def block(self, start: int) -> NDArray[np.int32]:
        """Return the counts of the :data:`BLOCK` cells from `start` on, (block, g)."""
        rows = slice(start, min(start + BLOCK, len(self._cells)))
        xy, kind = self._cells.xy_um[rows], self._cells.kind[rows]
        rng = stream(self._params.seed, "cell counts", self._member.slide, str(start))
        noise = rng.normal((len(kind), 2))
        state = self._section.at(xy)
        setting = self._setting
        own = np.sqrt(SMOOTH_SHARE) * self._smooth.at(xy)[:, 0] + np.sqrt(1 - SMOOTH_SHARE) * noise[:, 0]
        share = setting.cellularity_share
        deviation = np.sqrt(share) * (state.cellularity - 0.45) / 0.25 + np.sqrt(1 - share) * own
        log_rate = self._by_type[kind] + factor_matrix(state, deviation) @ self._loadings
        if setting.private:
            log_rate += setting.private * self._private.at(xy)
        self._add_signals(log_rate, xy, kind)
        size = setting.types * np.array([t.size for t in TYPES])[kind]
        expected = self._params.depth * np.exp(
            self._patient_depth + setting.depth_spread * deviation + size + CELL_SPREAD * noise[:, 1]
        )
        expected[rng.uniform(len(kind)) < FAILED_SHARE] *= FAILED_YIELD
        rate = np.exp(log_rate)
        rate *= (expected / rate.sum(axis=1))[:, None]
        return rng.poisson(np.round(rate, RATE_DECIMALS)).astype(np.int32)

    def _add_signals(
        self, log_rate: NDArray[np.float64], xy: NDArray[np.float64], kind: NDArray[np.int8]
    ) -> None:
        """Raise ligands in senders and receptors in all other cells, both where the field is high."""
        if not self._setting.signal or not len(self._pairs):
            return
        fields = SIGNAL_SHARE * self._setting.signal * self._signals.at(xy)
        sends = np.isin(NAMES, SENDERS)[kind]
        for side, acts in ((1, sends), (2, ~sends)):
            there = self._pairs[self._pairs[:, side] >= 0]
            log_rate[np.ix_(acts, there[:, side])] += fields[np.ix_(acts, there[:, 0])]


def _kept_pairs(pairs: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return number of the pair, column of ligand and of receptor (-1: not measured), (p, 3)."""
    place = {gene: column for column, gene in enumerate(columns.tolist())}
    rows = [[number, place.get(a, -1), place.get(b, -1)] for number, (a, b) in enumerate(pairs.tolist())]
    return np.array(rows, dtype=np.intp).reshape(-1, 3)


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
    """Where the counts of a slide lie; a :class:`~pytest_stbench.data.slide.Transcripts`.

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
