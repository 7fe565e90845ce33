"""What somebody's files are, by their names."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

# Files that tell what a folder is, most telling first; a name is a pattern inside the folder.
_SIGNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("spatialdata", "a SpatialData store", (".zattrs", "zarr.json", ".zgroup")),
    (
        "xenium",
        "a Xenium bundle",
        ("experiment.xenium", "cell_feature_matrix.h5", "cells.parquet", "cells.csv.gz"),
    ),
    ("merscope", "a MERSCOPE folder", ("cell_by_gene.csv", "detected_transcripts.csv", "cell_metadata.csv")),
    ("cosmx", "a CosMx folder", ("*exprMat_file.csv*", "*tx_file.csv*", "*metadata_file.csv*")),
    (
        "visium",
        "Space Ranger outs",
        (
            "*filtered_feature_bc_matrix.h5",
            "*raw_feature_bc_matrix.h5",
            "filtered_feature_bc_matrix",
            "binned_outputs",
            "segmented_outputs",
            "*filtered_feature_cell_matrix.h5",
        ),
    ),
    ("hest", "a HEST folder", ("st/*.h5ad", "adata/*.h5ad")),
    ("xenium", "Xenium transcripts", ("transcripts.parquet",)),
)
PLAIN = "transcript tables with columns x, y, gene"
_INSIDE = ("", "outs", "*/", "*/outs")
_TEXT = {".csv", ".tsv", ".txt", ".gem"}
_VENDOR = frozenset({"feature_name", "x_location", "y_location"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What was found: the reader to ask, the words for it, and the pattern below the data root.

    ``others`` is what else is in the folder and was not taken.
    """

    source: str
    what: str
    pattern: str
    paths: tuple[Path, ...]
    others: tuple[str, ...] = ()


def detect(pattern: str, root: Path, *, named: str | None = None) -> Detected:
    """Return what `pattern` names below `root`, by file names.

    A folder that is no data set itself stands for the data sets in it. Messages call the data
    `named`; by default it came by the option ``--data``.

    Raises
    ------
    DataMissing
        Nothing is there.
    DataError
        Outside of `root`, nothing that any reader knows, or several kinds of data at once.
    """
    what_asked = named or f"--data {pattern!r}"
    relative = _relative(pattern, root)
    matches = _matches(relative, root)
    if not matches:
        advice = "; --stbench-data names another folder" if named is None else ""
        raise DataMissing(f"{what_asked}: nothing found below {root}{advice}")
    kinds: dict[tuple[str, str, str], list[Path]] = {}
    for path in matches:
        for kind, found in _kinds_of(path, relative):
            kinds.setdefault(kind, []).extend(found)
    if not kinds:
        raise DataError(
            f"{what_asked}: no file that is known among {listing(path.name for path in matches)}; "
            "known are h5ad files, transcript parquet files, Space Ranger outs, Xenium bundles, CosMx and "
            "MERSCOPE folders, HEST folders and SpatialData zarr stores"
            f"{_as_units(matches)}"
        )
    others: tuple[str, ...] = ()
    if len(kinds) > 1 and len(matches) == 1:
        # the folder of one data set in several forms: single transcripts tell all the others can
        order = sorted(kinds, key=lambda kind: (kind[0] == "h5ad", kind[2]))
        others = tuple(f"{what}: {place}" for _, what, place in order[1:])
        kinds = {order[0]: kinds[order[0]]}
    if len(kinds) > 1:
        found_kinds = "; ".join(f"{what}: {p}" for _, what, p in kinds)
        raise DataError(f"{what_asked}: several kinds of data, {found_kinds}; name one of them")
    ((source, what, place), paths), *_ = kinds.items()
    return Detected(source=source, what=what, pattern=place, paths=tuple(sorted(set(paths))), others=others)


def _as_units(paths: Sequence[Path]) -> str:
    """Return how a table of transcripts in text becomes a data set, where one may be among `paths`."""
    table = next((path for path in paths if _TEXT & set(path.suffixes) and path.is_file()), None)
    if table is None:
        return ""
    return (
        f"; if {table.name} is a table of transcripts, make units of it first: "
        f"stbench bin {table} units.h5ad --geometry tiled"
    )


def _relative(pattern: str, root: Path) -> str:
    if not Path(pattern).is_absolute():
        return PurePath(os.path.normpath(pattern)).as_posix()
    home = root.resolve()
    if not Path(pattern).is_relative_to(root) and not Path(pattern).is_relative_to(home):
        raise DataError(
            f"--data {pattern!r}: not below {root}; name the folder that holds the data by --stbench-data"
        )
    base = root if Path(pattern).is_relative_to(root) else home
    return Path(pattern).relative_to(base).as_posix()


def _matches(relative: str, root: Path) -> list[Path]:
    if not glob.has_magic(relative):
        return [root / relative] if (root / relative).exists() else []
    return sorted(path for path in root.glob(relative) if not path.name.startswith("."))


def _kinds_of(path: Path, relative: str) -> list[tuple[tuple[str, str, str], list[Path]]]:
    if path.is_file():
        kind = _file_kind(path)
        return [((*kind, relative), [path])] if kind else []
    for source, what, signs in _SIGNS:
        for inside in _INSIDE:
            folders = (
                [path] if not inside else sorted(folder for folder in path.glob(inside) if folder.is_dir())
            )
            if source == "spatialdata":
                folders = [folder for folder in folders if folder.suffix == ".zarr"]
            hits = [folder for folder in folders if any(any(folder.glob(sign)) for sign in signs)]
            if hits:
                place = _joined(relative, inside)
                if len(hits) == 1:
                    place = _joined(relative, hits[0].relative_to(path).as_posix())
                return [((source, what, place), hits)]
    return _tables(path, relative) or [
        found
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for found in _tables(folder, _joined(relative, folder.name))
    ]


def _tables(path: Path, relative: str) -> list[tuple[tuple[str, str, str], list[Path]]]:
    """Return the tables of cells or transcripts in a folder."""
    for suffix in (".h5ad", ".parquet"):
        files = sorted(file for file in path.glob(f"*{suffix}") if file.is_file())
        kinds = {kind for file in files if (kind := _file_kind(file))}
        if kinds:
            return [((*kind, _joined(relative, f"*{suffix}")), files) for kind in sorted(kinds)]
    return []


def _file_kind(path: Path) -> tuple[str, str] | None:
    if path.suffix == ".h5ad":
        return "h5ad", "h5ad files"
    if path.suffix != ".parquet":
        return None
    import pyarrow.parquet as pq

    try:
        columns = set(pq.read_schema(path).names)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as parquet ({error})") from None
    if columns >= _VENDOR:
        return "xenium", "Xenium transcripts"
    if {"x", "y", "gene"} <= columns:
        return _vendor(path) or "xenium", PLAIN
    return None


def _vendor(path: Path) -> str | None:
    """Return the reader whose name stands in the path, None for none: all of them read plain tables alike."""
    named = path.as_posix().casefold()
    return next((name for name in ("cosmx", "merscope", "xenium") if name in named), None)


def is_guessed(found: Detected) -> bool:
    """Return whether nothing says of which technology the data is: plain tables, read by some reader."""
    return found.what == PLAIN and not all(map(_vendor, found.paths))


def _joined(relative: str, inside: str) -> str:
    if inside in ("", "."):
        return relative
    joined = f"{relative}/{inside}".rstrip("/")
    return joined.removeprefix("./")
