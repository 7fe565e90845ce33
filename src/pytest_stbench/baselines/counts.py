"""Counts of a slide as baselines read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.data.holding import once
from pytest_stbench.data.origins import origin_of
from pytest_stbench.kernels.blocks import blocks
from pytest_stbench.kernels.scale_steps import stepped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TrainSlide


def observed_counts(slide: ModelSlide, genes: Sequence[str]) -> csr_matrix:
    """Return a copy of the counts of `genes`, in their order; a gene the slide lacks is 0."""
    counts = csr_matrix(slide.units.X, dtype=np.float64, copy=True)
    names = [str(name) for name in slide.units.var_names]
    if names == list(genes):
        return counts
    place = {gene: column for column, gene in enumerate(genes)}
    pairs = [(column, place[name]) for column, name in enumerate(names) if name in place]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    order = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(names), len(genes)))
    return csr_matrix(counts @ order)


def row_sums(counts: csr_matrix) -> NDArray[np.float64]:
    """Return the sum of each unit, (n,)."""
    return np.asarray(counts.sum(axis=1, dtype=np.float64), dtype=np.float64).ravel()


def median_size(train: Sequence[TrainSlide]) -> float:
    """Return the median library size of all units with counts, in steps; 1 where there are none.

    See :func:`~pytest_stbench.kernels.scale_steps.stepped`.
    """
    sizes = np.concatenate([_sizes(slide) for slide in train])
    counted = sizes[sizes > 0]
    return stepped(float(np.median(counted))) if len(counted) else 1.0


def _sizes(slide: TrainSlide) -> NDArray[np.float64]:
    """Return the library size of each unit, in any order; once for a slide and its observed genes."""
    origin = origin_of(slide)
    if origin is None:
        return row_sums(csr_matrix(slide.units.X))
    return once(origin.slide, ("depths", origin.observed), origin.depths)


def most_variable(tables: Iterable[csr_matrix], genes: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the `count` genes with the highest variance over all units of `tables`, in the order of `genes`.

    Each table is (n, genes). Variances equal to nine decimals are decided by the names of the genes.
    """
    total, squares, n = np.zeros(len(genes)), np.zeros(len(genes)), 0
    for x in tables:
        total += np.asarray(x.sum(axis=0)).ravel()
        squares += np.asarray(x.multiply(x).sum(axis=0)).ravel()
        n += x.shape[0]
    variance = squares / n - (total / n) ** 2
    names = np.array(genes)
    order = np.lexsort((names, -np.round(variance, 9)))[:count]
    return tuple(names[np.sort(order)].tolist())


def log_normalised(counts: csr_matrix, size: NDArray[np.float64], scale: float) -> csr_matrix:
    """Turn `counts` into ``log1p(counts / size * scale)``, in place; units without counts stay 0."""
    factor = np.divide(scale, size, out=np.zeros(len(size)), where=size > 0)
    numbers = np.diff(counts.indptr)
    for rows in blocks(len(factor), 8 * (1 + counts.nnz // max(1, len(factor)))):
        values = counts.data[counts.indptr[rows.start] : counts.indptr[rows.stop]]
        values *= np.repeat(factor[rows], numbers[rows])
        np.log1p(values, out=values)
    return counts
