"""A panel for whole transcriptomes: what a targeted assay would have measured of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_stbench.resources import lr_pairs, signatures

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 300
"""As large as published targeted panels."""

SMALLEST = 50
"""Fewer genes that are known are no panel: the species or the names are others."""


def proposed_panel(genes: Iterable[str]) -> tuple[str, ...]:
    """Return the best known of `genes`, sorted: none where too few are known.

    How well a gene is known is in how many of the shipped signatures and ligand-receptor pairs
    it is; upper and lower case do not matter, so that mouse genes are found by human symbols.
    """
    named = Counter(gene for members in signatures().values() for gene in members)
    named.update(gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor))
    known = [gene for gene in genes if gene.upper() in named]
    chosen = sorted(known, key=lambda gene: (-named[gene.upper()], gene))[:SIZE]
    return tuple(sorted(chosen)) if len(chosen) >= SMALLEST else ()
