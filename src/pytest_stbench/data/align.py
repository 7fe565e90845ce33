"""Bringing slides with different genes to the genes of their data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def universe_of(panels: Iterable[tuple[str, ...]], *, union: bool) -> NDArray[np.str_]:
    """Return the genes of a data set, sorted: of any slide (`union`), or of all slides."""
    sets = [frozenset(panel) for panel in panels]
    if not sets:
        return np.empty(0, dtype=np.str_)
    genes = frozenset.union(*sets) if union else frozenset.intersection(*sets)
    return np.array(sorted(genes), dtype=np.str_)


def measured_of(universe: NDArray[np.str_], genes: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return for each gene of the (sorted) universe whether it is among `genes`."""
    return np.isin(universe, genes, assume_unique=True)


def align_columns(
    counts: sparse.csr_matrix, genes: NDArray[np.str_], universe: NDArray[np.str_]
) -> sparse.csr_matrix:
    """Return `counts` with one column per gene of the sorted `universe`, dtype kept.

    Genes that are not in the universe are left out, genes that the slide did not measure are
    columns without an entry.
    """
    place = np.searchsorted(universe, genes)
    place[place == len(universe)] = 0
    known = universe[place] == genes if len(universe) else np.zeros(len(genes), dtype=bool)
    remap = np.where(known, place, -1).astype(np.int32)
    columns = remap[counts.indices]
    kept = columns >= 0
    ends = np.concatenate([[0], np.cumsum(kept)])
    aligned = sparse.csr_matrix(
        (counts.data[kept], columns[kept], ends[counts.indptr]), shape=(counts.shape[0], len(universe))
    )
    if (np.diff(place[known]) <= 0).any():
        # Twice turned, the columns of each row are in order: a count, cheaper than a sort of every row.
        aligned = aligned.tocsc().tocsr()
    return aligned


def totals(counts: sparse.csr_matrix) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return per unit the sum of all counts and the number of genes with a positive count."""
    # Counts that are not finite are for checks to report, not a reason to warn here.
    with np.errstate(all="ignore"):
        libsize = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
        positive = np.concatenate([[0], np.cumsum(counts.data > 0)])
    return libsize, np.diff(positive[counts.indptr]).astype(np.int64)
