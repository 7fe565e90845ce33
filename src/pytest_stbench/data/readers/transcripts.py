"""Tables of single transcripts, as vendors and others write them: parquet or csv, gone through in parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.factorise import Factoriser
from pytest_stbench.data.features import kinds_of
from pytest_stbench.data.labels import class_name
from pytest_stbench.data.naming import cells_in_fields, cells_of, spread
from pytest_stbench.data.readers.imaging.tables import columns_of, first_of, ids_of, numbers_of, parts_of
from pytest_stbench.data.slide import TranscriptBatch
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

STEREO = ("MIDCount", "MIDCounts", "UMICount")
"""Columns of Stereo-seq (GEM) with the molecules of a gene at a place, whose coordinates are spots."""

SYNONYMS = {
    "x": ("x_location", "x_um", "x_global_px", "global_x", "x"),
    "y": ("y_location", "y_um", "y_global_px", "global_y", "y"),
    "feature": ("feature_name", "gene", "target", "feature", "geneID"),
    "qv": ("qv",),
    "cell": ("cell_id", "cell", "cell_ID", "EntityID", "assignment"),
    "fov": ("fov",),
    "kind": ("codeword_category", "codeclass", "CodeClass", "is_gene", "is_control"),
    "times": (*STEREO, "count", "counts"),
}
"""What the columns are called: Xenium, plain tables, CosMx, MERSCOPE, proseg; the first one there counts."""

NUMBERED = "cell_ID"
"""Where it stands with the field of view it is CosMx's own key of the cell, and goes before the others."""

FROM_ZERO = "assignment"
"""Where it names the cells they are counted from 0, as proseg does."""

PIXELS = ("x_global_px", "y_global_px")

ROWS = 1 << 19
"""Rows that are read at once: few enough for the copies made on the way to weigh little."""

MOST = 1_000_000
"""Molecules that one row may stand for, and those of a part that are held at once."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names in one table of what is read from it; None where the table has it not."""

    x: str
    y: str
    feature: str
    qv: str | None
    cell: str | None
    fov: str | None
    kind: str | None
    times: str | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns of place and feature, and of quality and number where they are there."""
        found = (self.x, self.y, self.feature, self.qv, self.times)
        return tuple(dict.fromkeys(name for name in found if name is not None))


def open_transcripts(
    path: Path, *, um_per_px: float | None = None, known: Container[object] = frozenset()
) -> TranscriptTable:
    """Open a table of transcripts; its header alone is read.

    Parameters
    ----------
    path
        A ``.parquet`` file, or a ``.csv``, ``.csv.gz``, ``.tsv``. Columns are found by the names
        that Xenium (``x_location``, ``feature_name``, ``qv``, ``cell_id``), CosMx
        (``x_global_px``, ``target``, ``cell_ID`` with ``fov``), MERSCOPE (``global_x``, ``gene``)
        and plain tables (``x``, ``y``, ``gene``, ``cell_id``) give them. What a feature is stands in
        ``codeword_category`` (Xenium), ``codeclass`` (CosMx), ``is_gene`` or ``is_control``, else in its
        name. A row stands for as many transcripts as ``MIDCount`` (Stereo-seq), ``count`` say.
    um_per_px
        Size of a pixel where coordinates are in pixels; needed for ``x_global_px``. The spots of
        Stereo-seq (columns of :data:`STEREO`) are 0.5 um apart where none is given.
    known
        Names of the cells, where a table lists them: they say whether there is a cell 0
        (:func:`~pytest_stbench.data.naming.cells_of`).

    Raises
    ------
    DataError
        A missing column, pixels without their size, a file that cannot be read.
    """
    columns = columns_for(path, columns_of(path))
    if um_per_px is None and columns.x in PIXELS:
        raise DataError(
            f"{path}: {columns.x} and {columns.y} are pixels; write `scale: UM_PER_PX` in the task "
            "file (CosMx: 0.12028, the first public data sets 0.18; the documents of the instrument say it)"
        )
    if um_per_px is None and columns.times in STEREO and columns.x == "x":
        from pytest_stbench.data.readers.units import DNB_NM

        um_per_px = DNB_NM / 1000
    return TranscriptTable(path, columns, 1.0 if um_per_px is None else um_per_px, known)


def columns_for(path: Path, there: Sequence[str], named: Mapping[str, str] | None = None) -> Columns:
    """Return the columns of a table; those that `named` gives a role must be called so.

    Raises ``DataError`` where there is none for the place or the feature of a transcript.
    """
    names = {**SYNONYMS, **{role: (name,) for role, name in (named or {}).items()}}
    found = {role: first_of(of, there) for role, of in names.items()}
    for role in ("x", "y", "feature"):
        if found[role] is None:
            raise DataError(
                f"{path}: no column for the {role} of a transcript; it may be called {listing(names[role])}; "
                f"the table has {listing(there)}{nearest(names[role][0], there)}: rename it"
            )
    if "cell" not in (named or {}) and {NUMBERED, found["fov"]} <= set(there):
        found["cell"] = NUMBERED
    return Columns(**found)  # type: ignore[arg-type]  # the three that must be there are


class TranscriptTable:
    """The transcripts of one table; see :class:`~pytest_stbench.data.slide.Transcripts`."""

    def __init__(
        self, path: Path, columns: Columns, um_per_px: float, known: Container[object] = frozenset()
    ) -> None:
        self.path = path
        self.columns = columns
        self._um_per_px = um_per_px
        self._known = frozenset({"0"}) if columns.cell == FROM_ZERO else known
        self._slides: set[str] = set()

    @property
    def features(self) -> NDArray[np.str_]:
        """Names of everything that was decoded, sorted."""
        return self._decoded[0]

    @property
    def kinds(self) -> NDArray[np.str_]:
        """What each of the features is, by what the table says of it and by its name."""
        return self._decoded[1]

    def batches(self, *, cells: bool = False) -> Iterator[TranscriptBatch]:
        """Yield all transcripts, a part of the file at a time."""
        columns = self.columns
        ids = [name for name in (columns.cell, columns.fov) if name is not None] if cells else []
        place = {name: position for position, name in enumerate(self.features.tolist())}
        parts = parts_of(self.path, [*columns.needed, *ids], ids, rows=ROWS)
        factorise, told, lookup = Factoriser(), None, np.empty(0, np.int32)
        for part in parts if columns.times is None else (one for all_ in parts for one in self._each(all_)):
            codes, levels = factorise(part[columns.feature])
            if levels is not told:
                told, lookup = levels, np.array([place[name] for name in levels], dtype=np.int32)
            yield TranscriptBatch(
                x_um=self._um(part[columns.x], columns.x),
                y_um=self._um(part[columns.y], columns.y),
                feature=lookup[codes],
                qv=self._qualities(part),
                cell=self._cells(part) if cells else None,
            )

    def _each(self, part: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Yield the rows of a part as many times as they say, at most :data:`MOST` at once.

        Raises ``DataError`` where a row says no number of molecules.
        """
        name = str(self.columns.times)
        times = numbers_of(part, [name], self.path)[:, 0]
        wrong = np.flatnonzero(~((times >= 0) & (times <= MOST) & (times == np.rint(times))))
        if len(wrong):
            raise DataError(
                f"{self.path}: column {name} says how many transcripts a row stands for, a whole number from "
                f"0 to {MOST:,}; found {times[wrong[0]]:g}: correct it, or give the column another name"
            )
        whole = times.astype(np.int64)
        group = np.cumsum(whole) // MOST
        for of in np.unique(group).tolist():
            some = np.flatnonzero(group == of)
            yield part.iloc[np.repeat(some, whole[some])]

    def _um(self, values: Any, name: str) -> NDArray[np.float64]:
        return self._numbers(values, name, self._um_per_px, np.float64)

    def _qualities(self, part: Any) -> NDArray[np.float32] | None:
        name = self.columns.qv
        return None if name is None else self._numbers(part[name], name, 1.0, np.float32)

    def _numbers(self, values: Any, name: str, times: float, kind: Any) -> NDArray[Any]:
        if getattr(values.dtype, "kind", "O") not in "iuf":
            found = "text" if values.dtype.name in ("category", "object", "str") else values.dtype
            what = "qualities" if name == self.columns.qv else "coordinates in um"
            raise DataError(f"{self.path}: column {name} holds {found}, not numbers; write {what}")
        return np.asarray(np.multiply(values.to_numpy(), times, dtype=kind))

    def _cells(self, part: Any) -> NDArray[np.object_]:
        columns = self.columns
        if columns.cell is None:
            return np.full(len(part), "", dtype=object)
        with ids_of(self.path):
            if columns.cell == NUMBERED and columns.fov is not None:
                return spread(*cells_in_fields(part[columns.fov], part[columns.cell], self._slides), "")
            return spread(*cells_of(part[columns.cell], self._known, self._slides), "")

    @cached_property
    def _decoded(self) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        said: dict[str, set[str | None]] = {}
        factorise, factorise_words = Factoriser(), Factoriser()
        for part in parts_of(self.path, [self.columns.feature, *filter(None, [self.columns.kind])]):
            feature = part[self.columns.feature]
            if feature.hasnans:
                raise DataError(
                    f"{self.path}: column {self.columns.feature} is empty in some rows, so nobody knows what "
                    "was decoded there: name the feature, or take the rows out"
                )
            codes, levels = factorise(feature)
            words: list[str | None] = [None]
            word = np.zeros(len(codes), dtype=np.intp)
            if self.columns.kind is not None:
                word, words = self._words(*factorise_words(part[self.columns.kind]))
            seen = np.bincount(codes * len(words) + word, minlength=len(levels) * len(words))
            for pair in np.flatnonzero(seen).tolist():
                said.setdefault(levels[pair // len(words)], set()).add(words[pair % len(words)])
        return self._agreed(said)

    def _words(self, codes: NDArray[np.intp], levels: list[str]) -> tuple[NDArray[np.intp], list[str | None]]:
        """Return codes and the words of a column of kinds; a mark is a word too."""
        marks = {"is_gene": ("gene", "no_gene"), "is_control": ("negative_control", None)}.get(
            str(self.columns.kind)
        )
        if marks is None:
            return codes, [class_name(level) for level in levels]
        true, false = marks
        known = {"True": true, "1": true, "False": false, "0": false}
        return codes, [known.get(class_name(level) or "") for level in levels]

    def _agreed(self, said: dict[str, set[str | None]]) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """Return names, sorted, and the kind of each.

        Raises ``DataError`` where rows say different things of one name.
        """
        names = sorted(said)
        pairs = [(name, word) for name in names for word in said[name]]
        kinds = kinds_of([name for name, _ in pairs], [word for _, word in pairs])
        of: dict[str, set[str]] = {}
        for (name, _), kind in zip(pairs, kinds.tolist(), strict=True):
            of.setdefault(name, set()).add(kind)
        torn = next((name for name in names if len(of[name]) > 1), None)
        if torn is not None:
            raise DataError(
                f"{self.path}: by column {self.columns.kind} the rows of {torn!r} are of several kinds, "
                f"{listing(sorted(of[torn]))}: give each kind a name of its own"
            )
        return np.array(names, dtype=np.str_), np.array([of[name].pop() for name in names], dtype=np.str_)
