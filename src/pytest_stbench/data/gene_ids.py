"""Ensembl ids that stand beside the symbols of genes in files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Names = Sequence[object] | NDArray[Any]

ENSEMBL = re.compile(r"(ENS[A-Z]*G\d+)(\.\d+)?")
"""An Ensembl id of a gene, and its version."""


def ensembl_ids(symbols: Names, ids: Names) -> dict[str, str]:
    """Return the Ensembl id, without version, of each symbol beside which one stands.

    A symbol that two ids share, or that is an id itself, is left out: nothing says which one it is.
    """
    found: dict[str, set[str]] = {}
    for symbol, said in zip(symbols, ids, strict=True):
        match = ENSEMBL.fullmatch(str(said))
        if match and not ENSEMBL.fullmatch(str(symbol)):
            found.setdefault(str(symbol), set()).add(match[1])
    return {symbol: known.pop() for symbol, known in found.items() if len(known) == 1}


def ids_by_name(
    source: Any, slide_ids: Iterable[str], genes: Collection[str], renamed: Mapping[str, str]
) -> dict[str, str]:
    """Return the Ensembl id of each of `genes` of which a file of a `source` says one, sorted by symbol.

    `renamed` has the current symbol of retired ones. Files are opened until all genes are known, or one says
    nothing: most data sets have one panel.
    """
    found: dict[str, str] = {}
    wanted = set(genes)
    for slide_id in slide_ids if hasattr(source, "ensembl_ids") else ():
        said = source.ensembl_ids(slide_id)
        known = {renamed.get(gene, gene): name for gene, name in said.items()}
        found = {**{gene: known[gene] for gene in wanted & known.keys()}, **found}
        if len(found) == len(wanted) or not said:
            break
    return dict(sorted(found.items()))
