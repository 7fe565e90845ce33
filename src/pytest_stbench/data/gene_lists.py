"""Genes in files: lists (panels, observed genes, genes to evaluate), and sets in gmt files."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

GENE_COLUMNS = ("gene", "symbol", "gene_symbol")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneList:
    """Gene symbols in the order of the file, and how many repeats were dropped."""

    names: tuple[str, ...]
    duplicates: int


def read_gene_list(path: Path) -> tuple[str, ...]:
    """Return the gene symbols of `path`, each once, in the order of the file.

    See :func:`pytest_stbench.data.gene_lists.load_gene_list`.
    """
    return load_gene_list(path).names


def load_gene_list(path: Path) -> GeneList:
    """Read one symbol a line, or the column ``gene``, ``symbol`` or ``gene_symbol`` of a table.

    Tables are ``.csv`` (comma) and ``.tsv`` (tab) files with a header; a ``.json`` file is a list,
    or a mapping with the list ``genes``. Empty lines and lines that start with ``#`` are left out.

    Raises
    ------
    DataError
        Unreadable, no such column, a line that is not one symbol, or no gene at all.
    """
    text, lines = _lines(path, "a gene list")
    if path.suffix.lower() == ".json":
        symbols = _from_json(path, text)
    elif path.suffix.lower() in (".csv", ".tsv"):
        symbols = _column(path, [line for _, line in lines])
    else:
        symbols = []
        for number, line in lines:
            symbol = line.strip()
            if _several(symbol):
                raise DataError(
                    f"{path}:{number}: one gene symbol a line is expected, found {symbol[:60]!r}; "
                    "tables end in .csv or .tsv"
                )
            symbols.append(symbol)
    if not symbols:
        raise DataError(f"{path}: holds no gene")
    names = tuple(dict.fromkeys(symbols))
    return GeneList(names=names, duplicates=len(symbols) - len(names))


def _from_json(path: Path, text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not readable JSON ({error})") from error
    genes = found.get("genes") if isinstance(found, dict) else found
    if not isinstance(genes, list) or not all(isinstance(gene, str) for gene in genes):
        raise DataError(f"{path}: expected a list of symbols, or a mapping with the list `genes`")
    return [gene.strip() for gene in genes if gene.strip()]


def _column(path: Path, lines: list[str]) -> list[str]:
    try:
        rows = list(csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except csv.Error as error:
        raise DataError(f"{path}: not a readable table ({error})") from error
    if not rows:
        return []
    header = [name.strip() for name in rows[0]]
    folded = [name.casefold() for name in header]
    place = next((folded.index(name) for name in GENE_COLUMNS if name in folded), None)
    if place is None:
        raise DataError(f"{path}: no column {' or '.join(GENE_COLUMNS)}; its columns are {listing(header)}")
    return [row[place].strip() for row in rows[1:] if len(row) > place and row[place].strip()]


LONGEST_SHOWN = 60


def read_gmt(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the genes of each set of `path`, in the order of the file, each gene once.

    A line is ``name<tab>description<tab>gene<tab>gene ...``; empty lines and lines that start with
    ``#`` are left out, and so are empty fields after the description.

    Raises
    ------
    DataError
        Unreadable, a line without tabs, name or genes, a name that comes twice, a field that is
        not one symbol, or no set at all; with the number of the line.
    """
    sets: dict[str, tuple[str, ...]] = {}
    line_of: dict[str, int] = {}
    for number, line in _lines(path, "a gmt file")[1]:
        name, genes = _set_of(line, f"{path}:{number}")
        if name in sets:
            raise DataError(
                f"{path}:{number}: the set {name!r} is in line {line_of[name]} already: rename one of them"
            )
        sets[name], line_of[name] = genes, number
    if not sets:
        raise DataError(f"{path}: holds no gene set")
    return sets


def _set_of(line: str, where: str) -> tuple[str, tuple[str, ...]]:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) < 3:
        raise DataError(
            f"{where}: expected name, description and genes separated by tabs, found "
            f"{line.strip()[:LONGEST_SHOWN]!r}; the description may be empty, its tab may not be missing"
        )
    if not fields[0]:
        raise DataError(f"{where}: the set has no name; write it before the first tab")
    genes = tuple(dict.fromkeys(field for field in fields[2:] if field))
    wrong = next(filter(_several, genes), None)
    if wrong is not None:
        raise DataError(
            f"{where}: set {fields[0]!r}: expected one gene symbol between two tabs, found "
            f"{wrong[:LONGEST_SHOWN]!r}; weights are not used"
        )
    if not genes:
        raise DataError(f"{where}: the set {fields[0]!r} has no gene; the genes come after the description")
    return fields[0], genes


def _lines(path: Path, what: str) -> tuple[str, list[tuple[int, str]]]:
    """Return the text of a file, and its lines that are neither empty nor begin with ``#``, numbered."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as {what} ({error})") from error
    numbered = enumerate(text.splitlines(), start=1)
    return text, [(n, line) for n, line in numbered if line.strip() and not line.lstrip().startswith("#")]


def _several(symbol: str) -> bool:
    """Return whether a field holds more than one symbol."""
    return len(symbol.split()) > 1 or "," in symbol or ";" in symbol
