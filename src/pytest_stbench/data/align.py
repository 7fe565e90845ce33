"""Bringing slides to the genes of their data set: current symbols, and columns of the same genes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from pytest_stbench.resources import gene_aliases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide, SlideSource


BLOCK_VALUES = 1 << 20
"""Counts that are aligned at once."""


def genes_of(source: SlideSource, slide_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the genes of each slide; equal ones are one tuple, for a transcriptome has 18,000 names."""
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    panels = ((slide_id, source.genes(slide_id)) for slide_id in slide_ids)
    return {slide_id: known.setdefault(panel, panel) for slide_id, panel in panels}


def universe_of(panels: Iterable[tuple[str, ...]], *, union: bool) -> NDArray[np.str_]:
    """Return the genes of a data set, sorted: of any slide (`union`), or of all slides."""
    sets = [frozenset(panel) for panel in dict.fromkeys(panels)]
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
    in_order = bool((np.diff(place[known]) > 0).all())
    whole = bool(known.all())
    size = counts.nnz if whole else int(known[counts.indices].sum())
    data, indices = np.empty(size, counts.data.dtype), np.empty(size, np.int32)
    ends = [np.zeros(1, np.intp)]
    for rows in _row_blocks(counts):
        part = _aligned(counts[rows], remap, len(universe), whole=whole, in_order=in_order)
        start = ends[-1][-1]
        data[start : start + part.nnz], indices[start : start + part.nnz] = part.data, part.indices
        ends.append(start + part.indptr[1:])
    return sparse.csr_matrix((data, indices, np.concatenate(ends)), shape=(counts.shape[0], len(universe)))


def _aligned(
    counts: sparse.csr_matrix, remap: NDArray[np.int32], width: int, *, whole: bool, in_order: bool
) -> sparse.csr_matrix:
    columns = remap[counts.indices]
    parts = counts.data, columns, counts.indptr
    if not whole:
        kept = columns >= 0
        ends = np.concatenate([[0], np.cumsum(kept)])
        parts = counts.data[kept], columns[kept], ends[counts.indptr]
    aligned = sparse.csr_matrix(parts, shape=(counts.shape[0], width))
    # Twice turned, the columns of each row are in order: a count, cheaper than a sort of every row.
    return aligned if in_order else aligned.tocsc().tocsr()


def _row_blocks(counts: sparse.csr_matrix) -> Iterator[slice]:
    """Yield slices that cover the rows, one at least, so that what is made of a block stays small."""
    step = max(1, int(BLOCK_VALUES * counts.shape[0] / max(1, counts.nnz)))
    for start in range(0, max(1, counts.shape[0]), step):
        yield slice(start, start + step)


def totals(counts: sparse.csr_matrix) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return per unit the sum of all counts and the number of genes with a positive count."""
    # Counts that are not finite are for checks to report, not a reason to warn here.
    with np.errstate(all="ignore"):
        parts = [_totals(counts[rows]) for rows in _row_blocks(counts)]
    return np.concatenate([size for size, _ in parts]), np.concatenate([number for _, number in parts])


def _totals(counts: sparse.csr_matrix) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    libsize = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    positive = counts.data > 0
    if positive.all():
        return libsize, np.diff(counts.indptr).astype(np.int64)
    found = np.concatenate([[0], np.cumsum(positive)])
    return libsize, np.diff(found[counts.indptr]).astype(np.int64)


RULES = "aliases/1"


def current_symbols(names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` with every retired symbol replaced by the current one."""
    table = gene_aliases()
    return tuple(table.get(name, name) for name in names)


def renamed_symbols(genes: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return which of the `genes` of one slide get which symbol, and which are refused.

    Refused are retired symbols whose current symbol the slide has as well, or that share it with
    another retired symbol of the slide: two columns would become one, and nothing says whether
    they hold the same molecules.
    """
    table = gene_aliases()
    present = list(genes)
    wanted = {gene: table[gene] for gene in present if gene in table}
    taken = set(present)
    claims: dict[str, int] = {}
    for symbol in wanted.values():
        claims[symbol] = claims.get(symbol, 0) + 1
    clear = {gene: symbol for gene, symbol in wanted.items() if symbol not in taken and claims[symbol] == 1}
    return clear, tuple(gene for gene in wanted if gene not in clear)


class AliasedSource:
    """A source whose slides name their genes by current symbols.

    A mapping holds for all slides or for none: a symbol that is refused on one slide keeps its
    name on all, so that one gene has one name over the data set.
    """

    def __init__(self, source: SlideSource, slide_ids: Iterable[str]) -> None:
        self._source = source
        # Each panel is wanted once more, for the genes of the data set: the file is not opened again for it.
        self._panels = genes_of(source, slide_ids)
        found = [renamed_symbols(panel) for panel in dict.fromkeys(self._panels.values())]
        refused = {gene for _, genes in found for gene in genes}
        self._refused = frozenset(refused)
        self._renamed = {
            gene: symbol for clear, _ in found for gene, symbol in clear.items() if gene not in refused
        }

    @property
    def renamed(self) -> Mapping[str, str]:
        """Current symbol of every retired one that some slide had."""
        return dict(sorted(self._renamed.items()))

    @property
    def refused(self) -> tuple[str, ...]:
        """Retired symbols that stayed, because some slide has the current one as well."""
        return tuple(sorted(self._refused))

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of a slide in the order of its file, retired ones replaced."""
        panel = self._panels.pop(slide_id, None) or self._source.genes(slide_id)
        return tuple(self._renamed.get(gene, gene) for gene in panel)

    def read(self, slide_id: str) -> RawSlide:
        """Read a slide; its notes count the genes that were renamed."""
        raw = self._source.read(slide_id)
        names = raw.genes.tolist()
        genes = np.array([self._renamed.get(gene, gene) for gene in names], dtype=np.str_)
        notes = {
            "genes_renamed": sum(gene in self._renamed for gene in names),
            "genes_with_two_symbols": sum(gene in self._refused for gene in names),
        }
        return replace(raw, genes=genes, notes={**raw.notes, **notes})

    def offers(self) -> frozenset[str]:
        """Return what the source offers."""
        return self._source.offers()

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the files of the slide."""
        return self._source.files(slide_id)

    def fingerprint(self) -> str:
        """Return that of the source, with the mappings that were made."""
        return f"{self._source.fingerprint()}\n{RULES}\n{sorted(self._renamed.items())}"
