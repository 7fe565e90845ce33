"""Counts of the cells of a slide, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, vstack

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
from pytest_stbench.data.simulate.fields import Fields
from pytest_stbench.data.simulate.settings import NICHES, RATE_DECIMALS, SETTINGS
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.cells.layout import Cells
    from pytest_stbench.data.simulate.cells.section import Section
    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.data.simulate.table import Member

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
