"""The samples table made from ``obs`` of h5ad files, once per version of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.data.checksums import FileCache
from pytest_stbench.data.roots import resolve
from pytest_stbench.data.samples import key_columns, make_sample, required_keys
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample


RULES = 2
"""Raised whenever more, or other things, are read from a file."""

CODE = "code of the patient"
"""Further field of a sample whose patient is a code without a name."""


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:
    """Return the samples of the files that ``config.path`` names; see :func:`index_samples`."""
    files = resolve(config.path or "", roots, get=config.get, what="path")
    return index_samples(files, config, store)


def index_samples(files: Sequence[Path], config: DatasetSpec, store: Path | None = None) -> list[Sample]:
    """Return the samples that `files` hold, in the order of the files.

    A file whose ``obs`` has the column ``keys.slide`` holds the slides named there; any other is
    one slide, named like the file. Patient, site and disease come from the columns that ``keys``
    names and must be the same over the units of a slide; further fields are taken from a column of
    their own name where it is the same over the slide. Kept in ``store/index``.

    Raises
    ------
    DataError
        Unreadable file, no column for the patient, a slide with two patients, units of no slide.
    """
    columns, several = key_columns(config), len(files) > 1
    cache = FileCache(None if store is None else store / "index")
    found: list[Sample] = []
    for path in files:
        facts = cache.get(path)
        asked = {"rules": RULES, "columns": columns, "several": several}
        if facts is None or not asked.items() <= facts.items() or not _sound(facts.get("slides")):
            stat = path.stat()
            facts = {**asked, "slides": _slides(path, config, columns, several=several)}
            cache.put(path, facts, stat)
        found.extend(make_sample(record, columns) for record in facts["slides"])
    return found


def _sound(slides: Any) -> bool:
    return isinstance(slides, list) and all(
        isinstance(slide, dict) and all(isinstance(value, str) for value in slide.values())
        for slide in slides
    )


def _slides(
    path: Path, config: DatasetSpec, columns: dict[str, str], *, several: bool
) -> list[dict[str, str]]:
    # h5py brings numpy: collection from a fresh index does not pay for it.
    from pytest_stbench.data.readers import hdf5
    from pytest_stbench.data.readers.slide_rows import codes_without_name

    with hdf5.opened(path) as file:
        obs = file["obs"]
        there = hdf5.columns(obs)
        wanted = required_keys(config)
        if "slide" in config.keys.model_fields_set:
            wanted["slide"] = config.keys.slide
        for key, column in wanted.items():
            if column not in there:
                raise DataError(
                    f"{path}: obs has no column {column!r} (keys.{key}); name the right one, "
                    f"or give a `samples` table; its columns are {listing(there)}{nearest(column, there)}"
                )
        rows = _rows_by_slide(path, file, columns["slide"], there)
        records: list[dict[str, str]] = [{columns["slide"]: slide} for slide in rows]
        for field, column in columns.items():
            # A column called `resolution` is mostly that of a clustering.
            if field in ("slide", "resolution") or column not in there:
                continue
            names, codes = hdf5.categories(obs, column)
            unnamed = field == "patient" and codes_without_name(obs, column, several=several)
            for record, part in zip(records, rows.values(), strict=True):
                values = sorted({names[code] if code >= 0 else "" for code in set(codes[part].tolist())})
                if len(values) > 1 and field in wanted:
                    raise DataError(
                        f"{path}: slide {record[columns['slide']]} has several values of obs[{column!r}]: "
                        f"{listing(value or 'no value' for value in values)}; a slide belongs to one {field}"
                    )
                if unnamed:
                    record[CODE] = listing(value or "no name" for value in values)
                elif len(values) == 1 and values[0]:
                    record[column] = values[0]
    return records


def _rows_by_slide(path: Path, file: Any, column: str, there: tuple[str, ...]) -> dict[str, Any]:
    """Return the rows of each slide, those off tissue left out where others remain."""
    from pytest_stbench.data.readers.slide_rows import rows_of, slides_in

    named = column in there
    slides = slides_in(file, path, column) if named else [path.stem]
    return {slide: rows_of(file, path, column if named else None, slide).rows for slide in slides}
