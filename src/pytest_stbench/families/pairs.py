"""Which ligand-receptor pairs a task looks at: the built-in table, a user's own, or liana's."""

from __future__ import annotations

import csv
import importlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pytest_stbench.data.align import current_symbols
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.families.communication.declare import BUILTIN, LIANA
from pytest_stbench.resources import lr_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

COMPLEX = "_"
"""Joins the subunits of a complex in liana's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """Pairs (ligand, receptor) and the pathway of each, empty where it has none.

    ``counted`` says how many rows of the source were left out for what reason.
    """

    pairs: tuple[tuple[str, str], ...]
    pathways: tuple[str, ...]
    counted: dict[str, int]

    @property
    def genes(self) -> frozenset[str]:
        """All ligands and receptors."""
        return frozenset(gene for pair in self.pairs for gene in pair)


@cache
def builtin_pairs() -> PairTable:
    """Return the pairs that come with the package."""
    table = lr_pairs()
    return PairTable(
        pairs=tuple((row.ligand, row.receptor) for row in table),
        pathways=tuple(row.pathway for row in table),
        counted={},
    )


def pair_table(source: str, resolve: Callable[[str], Path] | None, *, undirected: bool = False) -> PairTable:
    """Return the pairs of `source`.

    Parameters
    ----------
    source
        ``builtin``, ``liana`` (the consensus of the package of that name), or the path of a table
        ``.csv`` or ``.tsv`` with the columns ``ligand`` and ``receptor`` and, if known,
        ``pathway``.
    resolve
        Finds the file of that path.
    undirected
        Take a pair and its mirror image as one: the first is kept.

    Raises
    ------
    DataError
        Unreadable, a column missing, no pair at all, or liana not installed.
    """
    if source == BUILTIN:
        return builtin_pairs()
    if source == LIANA:
        rows = _liana()
    else:
        assert resolve is not None  # a file of the task is looked up in its roots
        rows = _table(resolve(source))
    return _joined(rows, source, undirected=undirected)


def _joined(rows: Iterable[tuple[str, str, str]], source: str, *, undirected: bool) -> PairTable:
    known = {
        pair: pathway
        for (ligand, receptor), pathway in zip(builtin_pairs().pairs, builtin_pairs().pathways, strict=True)
        for pair in ((ligand, receptor), (receptor, ligand))
    }
    found: dict[tuple[str, str], str] = {}
    counted = {"pairs_of_complexes": 0, "pairs_of_one_gene": 0, "pairs_listed_twice": 0}
    for ligand, receptor, pathway in rows:
        if COMPLEX in ligand or COMPLEX in receptor:
            counted["pairs_of_complexes"] += 1
            continue
        pair = _pair(current_symbols([ligand, receptor]))
        if pair[0] == pair[1]:
            # A gene with itself is associated whatever the tissue does.
            counted["pairs_of_one_gene"] += 1
        elif pair in found or (undirected and pair[::-1] in found):
            counted["pairs_listed_twice"] += 1
        else:
            found[pair] = pathway or known.get(pair, "")
    if not found:
        raise DataError(f"{source}: holds no ligand-receptor pair of two single genes")
    return PairTable(pairs=tuple(found), pathways=tuple(found.values()), counted=counted)


def _pair(symbols: Sequence[str]) -> tuple[str, str]:
    ligand, receptor = symbols
    return ligand, receptor


def _table(path: Path) -> list[tuple[str, str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        reader = csv.DictReader([line for line in lines if not line.startswith("#")], delimiter=delimiter)
        columns = [name.strip().casefold() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = [{name: (value or "").strip() for name, value in row.items() if name} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table of ligand-receptor pairs ({error})") from error
    missing = [name for name in ("ligand", "receptor") if name not in columns]
    if missing:
        message = f"{path}: no column {' and no column '.join(missing)}; its columns are {listing(columns)}"
        raise DataError(message)
    return [
        (row["ligand"], row["receptor"], row.get("pathway", ""))
        for row in rows
        if row["ligand"] and row["receptor"]
    ]


def _liana() -> list[tuple[str, str, str]]:
    try:
        liana = importlib.import_module("liana.resource")
    except ImportError as error:
        raise DataError(
            "communication.pairs: liana needs the package liana, which is not installed: "
            "pip install 'pytest-stbench[communication]', or name a table of pairs"
        ) from error
    table = liana.select_resource("consensus")
    return [
        (str(ligand), str(receptor), "")
        for ligand, receptor in zip(table["ligand"], table["receptor"], strict=True)
    ]
