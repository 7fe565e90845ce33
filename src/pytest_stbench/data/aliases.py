"""Retired gene symbols brought to the current ones, each mapping on record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.resources import gene_aliases

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_stbench.data.readers.protocol import RawSlide, SlideSource

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
        self._panels = {slide_id: source.genes(slide_id) for slide_id in slide_ids}
        found = [renamed_symbols(panel) for panel in self._panels.values()]
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
