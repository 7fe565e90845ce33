"""The samples table of a data set: from its csv, its simulation, or an index of its files.

Collection needs nothing else of the data, so this module and a fresh index load no numpy.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args

from pytest_stbench.data.catalogue import READERS
from pytest_stbench.data.delimited import separator_in
from pytest_stbench.data.labels import class_name, whole_number
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, TaskFileError
from pytest_stbench.registry import Catalogue, Reader, load_target, nearest
from pytest_stbench.spec.model import Resolution
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec

FIELDS = tuple(field.name for field in fields(Sample) if field.name not in ("slide", "patient", "extra"))
CONSTANTS = ("site", "technology", "panel", "corpus", "organ", "disease", "preservation", "resolution")


def load_samples(
    config: DatasetSpec,
    name: str,
    roots: Sequence[Path],
    store: Path | None = None,
    *,
    readers: Iterable[Reader] = READERS,
) -> tuple[Sample, ...]:
    """Return one row per slide of the data set `name`, in the order of the table.

    The table comes from the csv `samples`, else from what the reader finds in the files
    themselves, or in the parameters of a simulation. What a row leaves open is filled
    from the data set's constants (``technology``, ``panel``, ``organ`` ...); what nobody says
    stays None. Cells that are empty or ``NA``, ``N/A``, ``nan``, ``none``, ``null`` are missing; ``1.0`` is
    ``1``, as of a column of numbers with a hole. ``slides`` of the data set restricts the table.

    Raises
    ------
    DataMissing
        The table, or the files an index would be made from, are not on this machine.
    DataError
        Missing column, slide listed twice, no row, unknown resolution, unknown slide in
        ``slides``, unreadable file.
    """
    record = Catalogue("source", readers)[config.source]
    refuse_settings(config, record)
    table_of = "its data"
    if config.samples is not None:
        path = resolve_one(config.samples, roots, get=config.get, what=f"datasets.{name}.samples")
        table_of = str(path)
        rows: Iterable[Sample] = read_samples(path, config)
    elif record.index:
        rows = load_target(record.index)(config, roots, store)
    else:
        raise DataError(
            f"datasets.{name}: `samples` is needed, a csv with one row per slide (source: {config.source})"
        )
    table = tuple(_filled(sample, config, name, record) for sample in rows)
    _refuse_repeats(table, name)
    return _restricted(table, config.slides, name, table_of)


def refuse_settings(config: DatasetSpec, record: Reader) -> None:
    """Raise ``DataError`` for ``params`` that the reader does not know."""
    known = record.settings
    if known is None:
        return
    knows = f"knows {listing(known)}" if known else "has no settings: leave it out"
    strange = [
        f"params.{name}: unknown{nearest(name, known)}; source {record.name} {knows}"
        for name in config.params
        if name not in known
    ]
    if strange:
        raise DataError("\n".join(strange))


def read_samples(path: Path, config: DatasetSpec) -> list[Sample]:
    """Read a samples table: tab-separated if it ends in ``.tsv``, else separated by commas or semicolons.

    ``keys`` of `config` names the columns of slide, patient, site and disease; the other fields
    of a sample are columns of their own name; further columns are kept in ``extra``.

    Raises ``DataError`` with every mistake of the table: file, line, column, what was found.
    """
    lines = _lines(path)
    first, header = lines[0]
    mistakes = list(_in_header(header, config))
    repeated = len(set(header)) < len(header)
    columns = key_columns(config)
    problems = [f"{path}:{first}: {mistake}" for mistake in mistakes]
    rows = []
    places: dict[str, int] = {}
    for number, row in lines[1:]:
        if len(row) != len(header):
            problems.append(f"{path}:{number}: {len(row)} cells, the header has {len(header)}")
            continue
        if repeated or columns["slide"] not in header:
            continue
        named = {column: class_name(cell) for column, cell in zip(header, row, strict=True)}
        record = {column: name for column, name in named.items() if name is not None}
        slide, resolution = record.get(columns["slide"]), record.get(columns["resolution"])
        if slide is None:
            problems.append(
                f"{path}:{number}: column {columns['slide']} is empty; every row needs the name of its slide"
            )
        elif slide in places:
            problems.append(
                f"{path}:{number}: slide {slide} stands in line {places[slide]} already; every "
                "slide needs a name of its own"
            )
        else:
            places[slide] = number
            rows.append(make_sample(record, columns))
        if unknown := _unknown_resolution(resolution):
            problems.append(f"{path}:{number}: column {columns['resolution']}: {unknown}")
    if not lines[1:]:
        problems.append(f"{path}:{first}: no slide below its header ({listing(header)})")
    if problems:
        more = len(problems) - TaskFileError.SHOWN
        told = [f"{path}: {more:,} more mistakes: correct these first"] if more > 0 else []
        raise DataError("\n".join([*problems[: TaskFileError.SHOWN], *told]))
    return rows


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with the number of its line."""
    reader = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            separator = separator_in(path, stream.readline())
            stream.seek(0)
            reader = csv.reader(stream, delimiter=separator, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        line = reader.line_num if reader is not None else 1
        raise DataError(f"{path}:{line}: cannot be read as a samples table ({error})") from error
    except (OSError, UnicodeDecodeError) as error:
        where = f":{_line_of(path, error.start)}" if isinstance(error, UnicodeDecodeError) else ""
        raise DataError(f"{path}{where}: cannot be read as a samples table ({error})") from error
    lines = [(number, row) for number, row in lines if any(row)]
    if not lines:
        raise DataError(f"{path}:1: empty; a header and one row per slide are needed")
    return lines


def _line_of(path: Path, place: int) -> int:
    """Return the line of the first byte of a file that is no UTF-8; near `place` where that is not found."""
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = error.start
    return content[:place].count(b"\n") + 1


def key_columns(config: DatasetSpec) -> dict[str, str]:
    """Return the name in ``obs`` and in the samples table of every field of a sample."""
    columns = {field: field for field in FIELDS}
    columns |= {"slide": config.keys.slide, "patient": config.keys.patient}
    if config.keys.site is not None:
        columns["site"] = config.keys.site
    if config.keys.disease is not None:
        columns["disease"] = config.keys.disease
    return columns


def required_keys(config: DatasetSpec) -> dict[str, str]:
    """Return the columns a table must have, by the key of the task file that names them."""
    keys = {"patient": config.keys.patient, "site": config.keys.site, "disease": config.keys.disease}
    return {key: column for key, column in keys.items() if column is not None}


def make_sample(record: Mapping[str, str], columns: Mapping[str, str]) -> Sample:
    """Return the sample of a row; `record` holds only what is known."""
    known = {field: record[column] for field, column in columns.items() if column in record}
    used = set(columns.values())
    extra = {column: value for column, value in record.items() if column not in used}
    return Sample(**known, extra=extra)


def _in_header(header: list[str], config: DatasetSpec) -> Iterator[str]:
    """Yield what is wrong with the names of the columns."""
    repeated = {column for column in header if header.count(column) > 1}
    if repeated:
        yield f"columns named twice: {listing(sorted(repeated))}"
    for key, column in {"slide": config.keys.slide, **required_keys(config)}.items():
        if column not in header:
            yield (
                f"no column {column!r} (keys.{key}); "
                f"its columns are {listing(header)}{nearest(column, header)}"
            )


def _filled(sample: Sample, config: DatasetSpec, name: str, record: Reader) -> Sample:
    constants: dict[str, Any] = {
        field: whole_number(getattr(config, field))
        for field in CONSTANTS
        if getattr(sample, field) is None and getattr(config, field) is not None
    }
    for field, of_source in (("technology", record.technology), ("resolution", record.resolution)):
        if of_source and getattr(sample, field) is None:
            constants.setdefault(field, of_source)
    if unknown := _unknown_resolution(sample.resolution):
        raise DataError(f"datasets.{name}: slide {sample.slide}: {unknown}")
    return replace(sample, **constants) if constants else sample


def _unknown_resolution(found: str | None) -> str:
    """Return what is wrong with the resolution of a slide, or nothing."""
    allowed = get_args(Resolution)
    if found is None or found in allowed:
        return ""
    return f"resolution {found!r} is not known; allowed are {listing(allowed)}{nearest(found, allowed)}"


def _refuse_repeats(table: tuple[Sample, ...], name: str) -> None:
    count = Counter(sample.slide for sample in table)
    repeated = sorted(slide for slide, times in count.items() if times > 1)
    if repeated:
        raise DataError(
            f"datasets.{name}: slides that stand twice, in one file or in two: "
            f"{listing(repeated)}; every slide needs a name of its own"
        )


def _restricted(
    table: tuple[Sample, ...], slides: tuple[str, ...] | None, name: str, table_of: str
) -> tuple[Sample, ...]:
    if slides is None:
        return table
    known = [sample.slide for sample in table]
    strange = [
        f"datasets.{name}.slides: there is no slide {slide!r}; "
        f"{table_of} has {listing(known)}{nearest(slide, known)}"
        for slide in slides
        if slide not in known
    ]
    if strange:
        raise DataError("\n".join(strange[: TaskFileError.SHOWN]))
    return tuple(sample for sample in table if sample.slide in slides)
