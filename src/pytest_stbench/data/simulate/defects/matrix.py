"""Defects of the values of the matrix: empty units, no counts, values that are no numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, diags

from pytest_stbench.data.simulate.defects.table import last_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.kernels.streams import Stream

SCALE = 1e4


def some_of(rng: Stream, number: int, share: float) -> NDArray[np.int64]:
    """Return random places of `share` of `number` things, at least one if there are any."""
    return rng.sample(number, len(last_share(share, number)))


def empty_units(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Take all counts from a share of the units."""
    kept = np.ones(slide.counts.shape[0])
    kept[some_of(rng, len(kept), share)] = 0
    return replace(slide, counts=_kept(csr_matrix(diags(kept) @ slide.counts), slide))


def gathered(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Move a share of the counts of all units to the last one, as of transcripts that lie in none."""
    counts = slide.counts.tocoo()
    moved = rng.binomial(counts.data, np.full(len(counts.data), share))
    last = np.full_like(counts.row, counts.shape[0] - 1)
    values = np.concatenate([counts.data - moved, moved])
    places = np.concatenate([counts.row, last]), np.concatenate([counts.col, counts.col])
    return replace(slide, counts=_kept(csr_matrix((values, places), shape=counts.shape), slide))


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
    return replace(slide, counts=_kept(counts, slide))


def not_a_number(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Set a share of the stored counts to nan."""
    return _overwritten(slide, share, rng, np.nan)


def infinite(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Set a share of the stored counts to infinity."""
    return _overwritten(slide, share, rng, np.inf)


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


def _overwritten(slide: RawSlide, share: float, rng: Stream, value: float) -> RawSlide:
    counts = slide.counts.astype(np.float64)
    counts.data[some_of(rng, len(counts.data), share)] = value
    return replace(slide, counts=counts)


def _per_total(counts: csr_matrix) -> csr_matrix:
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    return csr_matrix(diags(SCALE / np.maximum(total, 1)) @ counts)


def _kept(counts: csr_matrix, slide: RawSlide) -> csr_matrix:
    """Return `counts` without stored zeros, as whole numbers where they were."""
    counts.eliminate_zeros()
    return counts.astype(slide.counts.dtype)
