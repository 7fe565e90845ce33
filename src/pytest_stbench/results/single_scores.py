"""The table of every single score of a run: its columns, its parts, and the one file made of them.

A part holds what one contestant scored on one cell of the grid, whoever scored it. Parts of one place
replace each other, so that a file is the same however many processes made it and in whatever order.
"""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from itertools import groupby
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.metrics.aggregate import defined_mean, patient_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

TEXT = ("model", "task", "dataset", "variant", "fold", "slide", "patient", "metric", "level", "name")
PLACE = b"stbench.place"
NICHE = "niche"
"""Column of the niche that a marker is of; empty elsewhere."""
TRUE_MARKERS, PREDICTED_MARKERS, MARKER = "true_markers", "predicted_markers", "marker"
"""What stands as metric and level of the places of genes in the lists of markers of a niche."""
ROWS = 1 << 20
"""Rows of one group of the file: what is in memory at once while it is written."""
SLIDE, PATIENT = "slide", "patient"


OF_BLOCK = (SLIDE, PATIENT, "metric", "level", NICHE)


class Place(NamedTuple):
    """Whose scores a part holds, and of which cell; in this order they stand in the file.

    ``seed`` is -1 where scores do not depend on the seed of a model.
    """

    task: str
    dataset: str
    variant: str
    split: str
    role: str
    model: str
    fold: str
    seed: int = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Scores of one metric on one slide: of everything it has a value for, by name.

    ``values`` is nan exactly where ``reasons`` is not the empty string; ``niche`` is what genes mark.
    """

    metric: str
    level: str
    slide: str
    patient: str
    names: NDArray[np.str_]
    values: NDArray[np.float64]
    reasons: NDArray[np.str_]
    niche: str = ""


def single(metric: str, level: str, value: float, reason: str, *, patient: str, slide: str = "") -> Block:
    """Return the one value of a metric on a slide, or over those of a patient."""
    return Block(
        metric=metric, level=level, slide=slide, patient=patient, names=np.array([""]),
        values=np.array([value]), reasons=np.array([reason]),
    )  # fmt: skip


def schema() -> Any:
    """Return the Arrow schema of the table; text is dictionary encoded."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            *((name, text) for name in TEXT),
            ("value", pa.float64()),
            ("reason", text),
            ("role", text),
            ("split", text),
            ("seed", pa.int32()),
            (NICHE, text),
        ]
    )


class Encoder:
    """Makes parts of the table of blocks; names that come again and again are encoded once."""

    def __init__(self) -> None:
        self._names: dict[bytes, Any] = {}

    def part(self, place: Place, blocks: Sequence[Block]) -> Any:
        """Return the rows of `blocks` as an Arrow table that knows its place."""
        import pyarrow as pa

        sizes = np.array([len(block.values) for block in blocks], dtype=np.intp)
        total = int(sizes.sum())

        def one(value: str) -> Any:
            return _dictionary(np.zeros(total, dtype=np.int32), [value])

        def each(values: Sequence[str]) -> Any:
            known = {value: code for code, value in enumerate(dict.fromkeys(values))}
            return _dictionary(np.repeat([known[value] for value in values], sizes), list(known))

        names = [self._encoded(block.names) for block in blocks]
        seeds = np.full(total, place.seed, dtype=np.int32)
        columns = {
            **{name: one(text) for name, text in place._asdict().items() if name != "seed"},
            **{name: each([getattr(block, name) for block in blocks]) for name in OF_BLOCK},
            "name": pa.chunked_array(names, type=schema().field("name").type),
            "value": np.concatenate([np.empty(0), *(block.values for block in blocks)]),
            "reason": _reasons([block.reasons for block in blocks]),
            "seed": pa.array(seeds, mask=seeds < 0),
        }
        table = pa.table(columns, schema=schema()).unify_dictionaries().combine_chunks()
        return table.replace_schema_metadata({PLACE: json.dumps(place).encode()})

    def _encoded(self, names: NDArray[np.str_]) -> Any:
        import pyarrow as pa

        key = names.dtype.str.encode() + np.ascontiguousarray(names).tobytes()
        if key not in self._names:
            if len(self._names) >= 64:  # those of a few slides; what is older is of another fold
                self._names.clear()
            self._names[key] = pa.array(names.tolist(), pa.string()).dictionary_encode()
        return self._names[key]


def write_part(path: Path, table: Any) -> None:
    """Write a part; it is there whole or not at all."""
    import pyarrow as pa

    def write(file: Any) -> None:
        with pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)

    write_atomically(path, write, durable=False)


def write_scores(path: Path, parts: Iterable[Path], earlier: Path | None = None) -> int:
    """Write the table of `parts`, and of what `earlier` holds of other places; return its rows.

    Rows of patients are made here, since the slides of one may stand in several parts: they pool folds and
    seeds as the results file does.

    Raises
    ------
    OSError
        When something cannot be read or written.
    """
    import pyarrow.parquet as pq

    found = dict(map(_read_part, parts))
    if earlier is not None:
        found = {**dict(_split(pq.read_table(earlier))), **found}
    rows = 0

    def write(file: Any) -> None:
        nonlocal rows
        with pq.ParquetWriter(file, schema(), compression="zstd") as writer:
            for group in _groups(_with_patients(found)):
                writer.write_table(group, row_group_size=ROWS)
                rows += len(group)

    write_atomically(path, write)
    return rows


def read_scores(path: Path) -> pd.DataFrame:
    """Return the table of single scores: text as categories, ``seed`` missing where there is none."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    return frame


def _read_part(path: Path) -> tuple[Place, Any]:
    import pyarrow as pa

    try:
        with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
            table = stream.read_all()
    except pa.ArrowException as error:
        raise OSError(errno.EIO, f"a part of the scores is damaged: {error}", str(path)) from None
    return Place(*json.loads(table.schema.metadata[PLACE])), table.replace_schema_metadata(None)


def _split(table: Any) -> Iterator[tuple[Place, Any]]:
    """Yield the parts a file was made of, whose rows stand together; patients are made anew."""
    if not len(table):
        return
    if NICHE not in table.column_names:  # of a version that kept no markers
        empty = _dictionary(np.zeros(len(table), dtype=np.int32), [""])
        table = table.append_column(schema().field(NICHE), empty)
    table = table.cast(schema()).unify_dictionaries().combine_chunks()
    seeds = table["seed"].fill_null(-1).to_numpy()
    texts = [table[name].chunk(0) for name in Place._fields[:-1]]
    codes = np.column_stack([*(text.indices.to_numpy() for text in texts), seeds])
    starts = np.flatnonzero(np.r_[True, (codes[1:] != codes[:-1]).any(axis=1)]).tolist()
    for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
        place = Place._make([*(text[start].as_py() for text in texts), int(seeds[start])])
        if place.fold:
            yield place, table.slice(start, end - start)


def _with_patients(found: Mapping[Place, Any]) -> Iterator[Any]:
    """Yield the parts in their order, and before those of a pool the values of its patients."""
    encoder = Encoder()
    for pool, places in groupby(sorted(found), key=lambda place: place[:6]):
        members = [found[place] for place in places]
        yield encoder.part(Place._make([*pool, "", -1]), _patients(members)).replace_schema_metadata(None)
        yield from members


def _patients(parts: Iterable[Any]) -> list[Block]:
    """Return the value of each patient by metric: that of a slide over folds and seeds, then the slides."""
    import pyarrow.compute as pc

    values: dict[str, dict[str, list[float]]] = {}
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    patient_of: dict[str, str] = {}
    for part in parts:
        rows = part.filter(pc.equal(part["level"], SLIDE)).select(
            ["metric", "slide", "patient", "value", "reason"]
        )
        for metric, slide, patient, value, reason in zip(*(c.to_pylist() for c in rows.columns), strict=True):
            values.setdefault(metric, {}).setdefault(slide, []).append(value)
            patient_of[slide] = patient
            if reason:
                reasons.setdefault((metric, patient), {}).update(dict.fromkeys(reason.split(", ")))
    blocks = []
    for metric, by_slide in values.items():
        pooled = patient_values({slide: defined_mean(own) for slide, own in by_slide.items()}, patient_of)
        blocks += [
            single(
                metric, PATIENT, value, ", ".join(reasons.get((metric, patient), ())) if isnan(value) else "",
                patient=patient,
            )
            for patient, value in pooled.items()
        ]  # fmt: skip
    return blocks


def _groups(tables: Iterable[Any]) -> Iterator[Any]:
    """Yield the tables joined to so many rows that a group of them is worth its head."""
    import pyarrow as pa

    waiting: list[Any] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= ROWS:
            yield pa.concat_tables(waiting).unify_dictionaries()
            waiting = []
    yield pa.concat_tables([*waiting, schema().empty_table()]).unify_dictionaries()


def _dictionary(codes: NDArray[Any], values: list[str]) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32, copy=False)), pa.array(values, pa.string())
    )


def _reasons(blocks: Sequence[NDArray[np.str_]]) -> Any:
    """Return the reasons encoded; of most scores there are none, which costs nothing."""
    known = {"": 0}
    codes = np.zeros(sum(map(len, blocks)), dtype=np.int32)
    start = 0
    for reasons in blocks:
        for reason in np.unique(reasons).tolist() if (reasons != "").any() else ():
            codes[start : start + len(reasons)][reasons == reason] = known.setdefault(reason, len(known))
        start += len(reasons)
    return _dictionary(codes, list(known))
