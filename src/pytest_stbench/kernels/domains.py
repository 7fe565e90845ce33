"""Domains of a slide as its expression has them: clusters of units without a look at places or images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from pytest_stbench.kernels.clustering import ward
from pytest_stbench.kernels.gram import GroupedGram
from pytest_stbench.kernels.ridge import pca

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COMPONENTS = 30
GENES = 2000
BLOCK = 4096


def expression_domains(
    counts: csr_matrix, libsize: Floats, genes: NDArray[np.str_], unit_names: NDArray[np.str_], n: int
) -> NDArray[np.intp]:
    """Return the domain of each unit, (units,): `n` clusters of its :func:`components` by Ward's method.

    Neither the order of units nor that of genes changes who is together: both are sorted by name.
    """
    order = np.argsort(unit_names, kind="stable")
    points = components(counts[order], libsize[order], genes)
    found = np.empty(len(order), dtype=np.intp)
    found[order] = ward(points, n)
    return found


def components(counts: csr_matrix, libsize: Floats, genes: NDArray[np.str_]) -> Floats:
    """Return the first 30 principal components of the log-normalised counts of a slide, (units, d).

    Counts become ``log1p(counts / library size * median library size)``; of more than 2,000 genes those
    with the highest variance are taken.

    Parameters
    ----------
    counts
        Shape (units, genes): raw counts.
    libsize
        Shape (units,): the total of each unit.
    genes
        Shape (genes,): their names, which decide between equal variances.
    """
    values = csr_matrix(counts, dtype=np.float64, copy=True)
    counted = libsize > 0
    scale = float(np.median(libsize[counted])) if counted.any() else 1.0
    factor = np.divide(scale, libsize, out=np.zeros(len(libsize)), where=counted)
    values.data *= np.repeat(factor, np.diff(values.indptr))
    np.log1p(values.data, out=values.data)
    values = values[:, np.lexsort((genes, -_variance(values)))[:GENES]]
    return principal(values)


def principal(values: csr_matrix | Floats) -> Floats:
    """Return the first 30 principal components of the rows of `values`, (n, d); one of zeros without any."""
    n, width = values.shape
    if not n or not width:
        return np.zeros((n, 1))
    gram = GroupedGram(width, 0)
    for block in _blocks(values):
        gram.add(0, block, np.empty((len(block), 0)))
    found = pca(gram, COMPONENTS)
    if not found.components.shape[1]:
        return np.zeros((n, 1))
    return np.concatenate([found.transform(block) for block in _blocks(values)])


def _variance(values: csr_matrix) -> Floats:
    n = max(values.shape[0], 1)
    mean = np.asarray(values.sum(axis=0)).ravel() / n
    squares = np.asarray(values.multiply(values).sum(axis=0)).ravel() / n
    variance: Floats = np.round(squares - mean**2, 9)
    return variance


def _blocks(values: csr_matrix | Floats) -> Iterator[Floats]:
    for start in range(0, values.shape[0], BLOCK):
        block: Any = values[start : start + BLOCK]
        yield block.toarray() if issparse(block) else np.asarray(block)
