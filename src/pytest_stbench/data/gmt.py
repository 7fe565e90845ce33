"""Gene sets in gmt files: a name, a description and the genes, separated by tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a gmt file ({error})") from error
    sets: dict[str, tuple[str, ...]] = {}
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
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
    wrong = next((gene for gene in genes if len(gene.split()) > 1 or "," in gene or ";" in gene), None)
    if wrong is not None:
        raise DataError(
            f"{where}: set {fields[0]!r}: expected one gene symbol between two tabs, found "
            f"{wrong[:LONGEST_SHOWN]!r}; weights are not used"
        )
    if not genes:
        raise DataError(f"{where}: the set {fields[0]!r} has no gene; the genes come after the description")
    return fields[0], genes
