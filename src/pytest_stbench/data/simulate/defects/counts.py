"""Defects of the matrix: of single counts, and of what the variance of genes means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack

from pytest_stbench.data.simulate.defects.genes import chosen_genes
from pytest_stbench.data.simulate.defects.names import some_of
from pytest_stbench.data.simulate.settings import RATE_DECIMALS
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.kernels.streams import Stream

SCALE = 1e4
SEEN = 0.02
EVERYWHERE = 8.0
"""Mean count of a gene that is seen in every unit: it is absent from 1 in 3,000 of median depth."""

BURST = 0.15
"""Shape of the gamma noise that makes a gene highly variable."""

THINNED = 0.9
PANEL_SPREAD = 2.0
BLOCK_ELEMENTS = 1 << 22


def empty_units(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Take all counts from a share of the units."""
    kept = np.ones(slide.counts.shape[0])
    kept[some_of(rng, len(kept), share)] = 0
    return _stored(slide, csr_matrix(diags(kept) @ slide.counts), slide.counts.dtype)


def gathered(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Move a share of the counts of all units to the last one, as of transcripts that lie in none."""
    counts = slide.counts.tocoo()
    moved = rng.binomial(counts.data, np.full(len(counts.data), share))
    last = np.full_like(counts.row, counts.shape[0] - 1)
    values = np.concatenate([counts.data - moved, moved])
    places = np.concatenate([counts.row, last]), np.concatenate([counts.col, counts.col])
    return _stored(slide, csr_matrix((values, places), shape=counts.shape), slide.counts.dtype)


def log_values(slide: RawSlide) -> RawSlide:
    """Replace counts by log1p of counts per 10,000."""
    values = scaled_values(slide).counts
    values.data = np.log1p(values.data)
    return replace(slide, counts=values)


def scaled_values(slide: RawSlide) -> RawSlide:
    """Replace counts by counts per 10,000."""
    return replace(slide, counts=_per_total(slide.counts))


def equal_totals(slide: RawSlide) -> RawSlide:
    """Round counts per 10,000 to whole numbers."""
    counts = _per_total(slide.counts)
    counts.data = np.rint(counts.data)
    return _stored(slide, counts, slide.counts.dtype)


def overwritten(slide: RawSlide, share: float, rng: Stream, *, value: float) -> RawSlide:
    """Set a share of the stored counts to `value`."""
    counts = slide.counts.astype(np.float64)
    counts.data[some_of(rng, len(counts.data), share)] = value
    return replace(slide, counts=counts)


def negative(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Change the sign of a share of the stored counts."""
    counts = slide.counts.copy()
    chosen = some_of(rng, len(counts.data), share)
    counts.data[chosen] = -counts.data[chosen]
    return replace(slide, counts=counts)


def corrected(slide: RawSlide, share: float, rng: Stream) -> RawSlide:  # noqa: ARG001 - drawn from by the other defects
    """Replace counts by log values less a share of their mean on the slide, as corrections leave them."""
    values = log_values(slide).counts.toarray()
    values -= share * values.mean(axis=0)
    return replace(slide, counts=csr_matrix(values))


def _per_total(counts: csr_matrix) -> csr_matrix:
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    return csr_matrix(diags(SCALE / np.maximum(total, 1)) @ counts)


def sparse_genes(slide: RawSlide, share: float, rng: Stream, seed: int) -> RawSlide:
    """Keep the counts of a share of the genes in 2% of the units."""

    def thin(block: NDArray[np.float64]) -> NDArray[np.float64]:
        return block * (rng.uniform(block.shape) < SEEN)

    return _rewritten(slide, chosen_genes(seed, "gene_sparsity", slide.genes.tolist(), share), thin)


def not_measured(slide: RawSlide, share: float, seed: int) -> RawSlide:
    """Take all counts from a share of the genes, as where panels are joined and zeros filled in."""
    hidden = np.isin(slide.genes, chosen_genes(seed, "not measured", slide.genes.tolist(), share))
    counts = slide.counts.copy()
    counts.data[hidden[counts.indices]] = 0
    counts.eliminate_zeros()
    return replace(slide, counts=counts)


def flat_genes(slide: RawSlide, share: float, rng: Stream, seed: int) -> RawSlide:
    """Let a share of the genes be everywhere, in proportion to depth."""
    total = np.asarray(slide.counts.sum(axis=1), dtype=np.float64).ravel()
    mean = EVERYWHERE * total / max(float(np.median(total)), 1.0)

    def flat(block: NDArray[np.float64]) -> NDArray[np.float64]:
        rate = np.repeat(mean[:, None], block.shape[1], axis=1)
        return rng.poisson(np.round(rate, RATE_DECIMALS)).astype(np.float64)

    return _rewritten(slide, chosen_genes(seed, "ubiquitous", slide.genes.tolist(), share), flat)


def noisy_genes(slide: RawSlide, share: float, rng: Stream, seed: int) -> RawSlide:
    """Let a share of the genes burst at random places, with the mean they had."""

    def burst(block: NDArray[np.float64]) -> NDArray[np.float64]:
        mean = np.broadcast_to(block.mean(axis=0), block.shape)
        return rng.negative_binomial(np.round(mean, RATE_DECIMALS), BURST).astype(np.float64)

    return _rewritten(slide, chosen_genes(seed, "hvg_not_svg", slide.genes.tolist(), share), burst)


def bound_to_depth(slide: RawSlide, share: float, rng: Stream, seed: int) -> RawSlide:
    """Thin half of the genes where depth is low and the others where it is high."""
    total = np.asarray(slide.counts.sum(axis=1), dtype=np.float64).ravel()
    rank = np.argsort(np.argsort(total, kind="stable")) / max(len(total) - 1, 1)
    rising = set(chosen_genes(seed, "library_size", slide.genes.tolist(), 0.5))
    rises = np.array([gene in rising for gene in slide.genes.tolist()])
    counts = slide.counts.tocoo()
    depth = rank[counts.row]
    chance = 1 - THINNED * share * np.where(rises[counts.col], 1 - depth, depth)
    kept = rng.binomial(counts.data, np.round(chance, RATE_DECIMALS))
    return _stored(slide, csr_matrix((kept, (counts.row, counts.col)), shape=counts.shape))


def probes_of_panel(slide: RawSlide, strength: float, rng: Stream, seed: int, panel: int) -> RawSlide:
    """Change the yield of every gene by a factor of its panel."""
    factor = np.array(
        [
            np.exp(PANEL_SPREAD * strength * stream(seed, "defect", "probes", str(panel), gene).normal(1)[0])
            for gene in slide.genes.tolist()
        ]
    )
    counts = slide.counts.tocoo()
    made = rng.poisson(np.round(counts.data * factor[counts.col], RATE_DECIMALS))
    return _stored(slide, csr_matrix((made, (counts.row, counts.col)), shape=counts.shape))


def _rewritten(
    slide: RawSlide, genes: list[str], make: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> RawSlide:
    """Return `slide` with the columns of `genes` made anew, some at a time."""
    place = {gene: column for column, gene in enumerate(slide.genes.tolist())}
    columns = np.array(sorted(place[gene] for gene in genes), dtype=np.intp)
    others = np.setdiff1d(np.arange(len(place)), columns)
    by_column = slide.counts.tocsc()
    width = max(1, BLOCK_ELEMENTS // max(by_column.shape[0], 1))
    parts = [
        csr_matrix(make(by_column[:, columns[start : start + width]].toarray().astype(np.float64)))
        for start in range(0, len(columns), width)
    ]
    order = np.argsort(np.concatenate([columns, others]))
    made = hstack([*parts, by_column[:, others]], format="csc")[:, order]
    return _stored(slide, csr_matrix(made))


def _stored(slide: RawSlide, counts: csr_matrix, kind: type = np.int32) -> RawSlide:
    """Return `slide` with `counts`, without stored zeros."""
    counts.eliminate_zeros()
    return replace(slide, counts=counts.astype(kind))
