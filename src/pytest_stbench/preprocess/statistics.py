"""What is known of the genes and the units of one slide, computed once a slide."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_stbench.data.holding import once
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.kernels.blocks import blocks
from pytest_stbench.kernels.graph import cell_graph, lattice_graph, median_nn_distance
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.kernels.joined import pairs_of
from pytest_stbench.kernels.moran import morans_i
from pytest_stbench.kernels.pixels import cell_pixels, index_pixels, lattice_pixels
from pytest_stbench.preprocess.normalise import normalise_counts

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import Normalisation

BLOCK_ELEMENTS = 1 << 20
"""Normalised values held at once while Moran's I goes over the genes: 8 MiB, which stay in the cache."""

ROUNDING = 1e-9
CELL_RESOLUTIONS = ("cell", "transcript")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlideStatistics:
    """Per-gene statistics of one slide, each (G,).

    ``detection`` is the share of units with a count (nan where the gene was not measured),
    ``morans_i`` of the normalised values (nan below the detection threshold, for constant genes
    and on slides of fewer than 20 units with neighbours), ``hvg_score`` the standardised
    variance of the counts (nan without variance or not measured).
    """

    detection: NDArray[np.float64]
    morans_i: NDArray[np.float64]
    hvg_score: NDArray[np.float64]


class StatisticsKey(NamedTuple):
    """What the statistics of a slide depend on; ``units`` is a digest of the units' names."""

    slide: str
    units: str
    method: str
    scale: float | None
    min_detection: float


def statistics_key(
    slide: Slide, method: Normalisation, scale: float | None, min_detection: float
) -> StatisticsKey:
    """Return the key under which the statistics of `slide` are kept."""
    names = np.ascontiguousarray(np.asarray(slide.unit_names, dtype=np.str_))
    units = hashlib.blake2b("\n".join(names.tolist()).encode(), digest_size=16).hexdigest()
    return StatisticsKey(slide.meta.slide_id, units, method, scale, min_detection)


def slide_statistics(
    slide: Slide,
    method: Normalisation,
    scale: float | None,
    min_detection: float,
    cache: MutableMapping[StatisticsKey, SlideStatistics] | None = None,
) -> SlideStatistics:
    """Return the statistics of a filtered slide, from `cache` where they are in it.

    Parameters
    ----------
    slide
        The units that passed the filter.
    method, scale
        Normalisation of the values Moran's I is computed on.
    min_detection
        Genes detected in a smaller share of units get no Moran's I.
    cache
        Looked up and filled; None computes anew.
    """
    key = statistics_key(slide, method, scale, min_detection)
    if cache is not None and key in cache:
        return cache[key]
    detection = detection_rate(slide)
    hvg_score = np.full(len(slide.genes), np.nan)
    measured = np.flatnonzero(slide.measured)
    counts = slide.counts if slide.measured.all() else slide.counts[:, measured]
    hvg_score[measured] = standardised_variance(counts)
    statistics = SlideStatistics(
        detection=detection,
        morans_i=_morans_i(slide, np.flatnonzero(is_detected(detection, min_detection)), method, scale),
        hvg_score=hvg_score,
    )
    if cache is not None:
        cache[key] = statistics
    return statistics


def detection_rate(slide: Slide) -> NDArray[np.float64]:
    """Return the share of units in which each gene has a count, (G,); nan where not measured."""
    return np.where(slide.measured, detection_counts(slide) / max(slide.n_units, 1), np.nan)


def detection_counts(slide: Slide) -> NDArray[np.float64]:
    """Return the number of units in which each gene has a count, (G,)."""
    return once(slide, "detected", lambda: _detected(slide.counts, len(slide.genes)))


def _detected(counts: csr_matrix, n_genes: int) -> NDArray[np.float64]:
    found = np.zeros(n_genes)
    for part in blocks(len(counts.data), np.dtype(np.intp).itemsize):
        found += np.bincount(counts.indices[part][counts.data[part] > 0], minlength=n_genes)
    return found


def is_detected(detection: NDArray[np.float64], min_detection: float) -> NDArray[np.bool_]:
    """Return which genes reach the detection threshold; nan (not measured) never does."""
    return np.asarray(detection >= min_detection - ROUNDING)


def unit_graph(slide: Slide) -> csr_matrix:
    """Return the neighbourhood graph of a slide: 6 nearest for cells, else 1.5 lattice pitches.

    Made once for a slide: it is to be read, not changed.
    """
    cells = slide.meta.resolution in CELL_RESOLUTIONS
    return once(
        slide,
        "graph",
        lambda: cell_graph(slide.xy_um) if cells else lattice_graph(slide.xy_um, slide.meta.pitch_um),
    )


def _morans_i(
    slide: Slide, columns: NDArray[np.intp], method: Normalisation, scale: float | None
) -> NDArray[np.float64]:
    result = np.full(len(slide.genes), np.nan)
    pairs = pairs_of(unit_graph(slide))
    by_gene = slide.counts.tocsc()
    width = max(1, BLOCK_ELEMENTS // max(slide.n_units, 1))
    for start in range(0, len(columns), width):
        block = columns[start : start + width]
        result[block] = morans_i(normalise_counts(by_gene, slide.libsize, block, method, scale), pairs)
    return result


def unit_pixels(slide: Slide) -> NDArray[np.int64]:
    """Return (row, column) of each unit, (n, 2), the least of both 0.

    The array index, where the slide has one; else the coordinates in steps of the declared pitch,
    or of the median nearest-neighbour distance. Cells fall into squares of 100 um. A lattice that
    no technology declares is hexagonal if its array index is numbered like Visium's (row + column
    always even), else square.
    """
    meta = slide.meta
    if meta.resolution in CELL_RESOLUTIONS:
        return cell_pixels(slide.xy_um)
    lattice = lattice_of(meta.technology, meta.resolution, meta.pitch_um)
    if slide.array_index is not None:
        even = bool((slide.array_index.sum(axis=1) % 2 == 0).all())
        hexagonal = even if lattice is None else lattice.kind == "hex"
        return index_pixels(slide.array_index, hexagonal=hexagonal)
    pitch = meta.pitch_um if lattice is None else lattice.pitch_um
    pitch = median_nn_distance(slide.xy_um) if pitch is None else pitch
    if not pitch > 0:  # fewer than two places
        return np.zeros((slide.n_units, 2), np.int64)
    return lattice_pixels(slide.xy_um, pitch, hexagonal=lattice is not None and lattice.kind == "hex")
