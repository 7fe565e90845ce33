"""Tables and task files that come with the package."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).resolve().parent
HOUSEKEEPING_PREFIX = "HOUSEKEEPING"


@dataclass(frozen=True, slots=True, kw_only=True)
class LigandReceptor:
    """A ligand-receptor pair; ``n_resources`` says how many public collections hold it."""

    ligand: str
    receptor: str
    pathway: str
    category: str
    source: str
    doi: str
    n_resources: int


@cache
def gene_sets() -> Mapping[str, tuple[str, ...]]:
    """Return the genes of all 42 sets, the two housekeeping lists included, in the order of the table."""
    return _grouped("signatures.csv", "signature", "gene")


def signatures() -> dict[str, tuple[str, ...]]:
    """Return the genes of each biological signature (40 unweighted sets), in the order of the table.

    The two housekeeping lists are not among them: see :func:`housekeeping`.
    """
    return {name: genes for name, genes in gene_sets().items() if not name.startswith(HOUSEKEEPING_PREFIX)}


def housekeeping() -> frozenset[str]:
    """Return the union of the two housekeeping lists (21 genes).

    Sources: 10.1016/j.tig.2013.05.010 and 10.1186/gb-2002-3-7-research0034.
    """
    lists = (genes for name, genes in gene_sets().items() if name.startswith(HOUSEKEEPING_PREFIX))
    return frozenset(gene for genes in lists for gene in genes)


@cache
def class_signatures() -> Mapping[str, tuple[str, ...]]:
    """Return the names of the signatures that mark a niche, structure or cell type, by class.

    A class that no signature marks is not among them. Classes are in lower case, words joined by
    underscores.
    """
    return _grouped("class_signatures.csv", "class", "signature")


@cache
def lr_pairs() -> tuple[LigandReceptor, ...]:
    """Return the 193 ligand-receptor pairs, in the order of the table."""
    return tuple(
        LigandReceptor(n_resources=int(row.pop("n_resources")), **row) for row in rows("lr_pairs.csv")
    )


@cache
def gene_aliases() -> Mapping[str, str]:
    """Return retired gene symbols and the current symbol of each."""
    return MappingProxyType({row["alias"]: row["symbol"] for row in rows("gene_aliases.csv")})


@cache
def former_symbols() -> Mapping[str, tuple[str, ...]]:
    """Return the retired symbols of each gene that the table of :func:`gene_aliases` knows, sorted."""
    found: dict[str, list[str]] = {}
    for retired, current in sorted(gene_aliases().items()):
        found.setdefault(current, []).append(retired)
    return MappingProxyType({gene: tuple(names) for gene, names in found.items()})


@cache
def background_families() -> Mapping[str, tuple[str, ...]]:
    """Return approved symbols of human genes by family: what simulated cohorts have beside programmes.

    They follow the HUGO Gene Nomenclature Committee.
    """
    families = {row["stem"]: row["ends"].split() for row in rows("background_genes.csv")}
    return MappingProxyType({stem: tuple(stem + end for end in ends) for stem, ends in families.items()})


@cache
def gene_symbols() -> frozenset[str]:
    """Return the symbols of human genes of every biotype: GENCODE release 48, 41,132 names.

    Genes that have an Ensembl id alone are not among them.
    """
    text = gzip.decompress((HERE / "gene_symbols.txt.gz").read_bytes()).decode("ascii")
    return frozenset(text.split())


@cache
def niche_ontology() -> Mapping[str, str]:
    """Return the niche that each known label of pathologists and data sets stands for."""
    return MappingProxyType({row["label"]: row["niche"] for row in rows("niche_ontology.csv")})


@cache
def cell_type_ontology(level: int) -> Mapping[str, str]:
    """Return the cell type of level 1 or 2 that each known label stands for."""
    column = f"level{level}"
    return MappingProxyType({row["label"]: row[column] for row in rows("cell_type_ontology.csv")})


@cache
def cell_type_markers() -> Mapping[str, frozenset[str]]:
    """Return canonical marker genes of each cell type of both levels."""
    types = _grouped("cell_type_markers.csv", "type", "gene")
    return MappingProxyType({name: frozenset(genes) for name, genes in types.items()})


@cache
def cell_type_parents() -> Mapping[str, str]:
    """Return what a cell type is merged into where it cannot be told: level 2 to 1, level 1 to lineage."""
    return MappingProxyType({row["type"]: row["parent"] for row in rows("cell_type_markers.csv")})


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of the table `name` that comes with the package."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _grouped(table: str, key: str, value: str) -> Mapping[str, tuple[str, ...]]:
    """Return the values of one column of a table by those of another, in its order."""
    found: dict[str, list[str]] = {}
    for row in rows(table):
        found.setdefault(row[key], []).append(row[value])
    return MappingProxyType({name: tuple(values) for name, values in found.items()})


def tasks_dir() -> Path:
    """Return the folder of the shipped task files.

    In an installed package it lies beside this file, in a source checkout at the top. Raises
    ``StbenchError`` where neither is there.
    """
    return _shipped("tasks", "tasks", "the shipped task files are missing")


def landscape_page() -> str:
    """Return the text of ``docs/landscape.md``, which holds what is known of the field's benchmarks.

    Raises ``StbenchError`` where it is not there.
    """
    return _shipped("landscape.md", "docs/landscape.md", "the page on benchmarks is missing").read_text(
        "utf-8"
    )


def _shipped(inside: str, in_checkout: str, what: str) -> Path:
    """Return what lies beside this file in an installed package, and elsewhere in a source checkout."""
    checkout = HERE.parents[2]
    candidates = [HERE / inside]
    if (checkout / "pyproject.toml").is_file():
        candidates.append(checkout / in_checkout)
    for path in candidates:
        if path.exists():
            return path
    places = ", ".join(map(str, candidates))
    raise StbenchError(f"{what}, looked in {places}: reinstall pytest-stbench")
