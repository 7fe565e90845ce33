"""Somebody's files as a data set to be judged: only what they say, nothing guessed or left out."""

from __future__ import annotations

import contextlib
import glob
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.h5ad_samples import CODE
from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.propose.detect import Detected, detect, is_guessed
from pytest_stbench.data.propose.from_h5ad import said_by_all, shared_column
from pytest_stbench.data.propose.from_reader import list_files, said_by
from pytest_stbench.data.propose.h5ad import IN_OBS, H5adFacts, read_facts
from pytest_stbench.data.propose.h5ad_keys import (
    notes_on_counts,
    notes_on_units,
    readable_keys,
    scale_of,
    slide_column,
)
from pytest_stbench.data.propose.proposal import SPOT_GENES
from pytest_stbench.data.propose.sheet import read_sheet
from pytest_stbench.data.samples import load_samples
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

NO_COLUMN = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A data set as its files describe it.

    ``what`` names the kind of files, ``notes`` what a reader of the verdicts must know. ``root``
    is the folder below which the paths of `config` lie.
    """

    name: str
    what: str
    config: DatasetSpec
    samples: tuple[Sample, ...]
    root: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """What the user says of the data: columns of patient and slide, a samples table, further keys.

    The columns are those of the table where there is one, else of ``obs``.
    """

    patient: str | None = None
    slide: str | None = None
    samples: Path | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)


def describe_files(pattern: str, options: DataOptions, only: Collection[Path] = ()) -> Described:
    """Return the data set that `pattern` names: h5ad files, a folder of a vendor, transcripts ...

    Only the files `only` are taken where there are some.

    Raises
    ------
    DataMissing
        Nothing is there.
    DataError
        Files that no reader knows, or that cannot be read; columns or keys that do not exist.
    """
    root, relative = split_pattern(pattern)
    found = detect(relative, root, named=pattern)
    plain = root if glob.has_magic(relative) else root / relative
    name = re.sub(r"[^A-Za-z0-9_.]+", "_", plain.stem).strip("_.") or "data"
    make = _of_h5ad if found.source == "h5ad" else _of_reader
    return make(name, found, root, options, only)


def split_pattern(pattern: str) -> tuple[Path, str]:
    """Return the folder before the first wildcard or name, and the pattern below it."""
    path = Path(pattern).expanduser()
    parts = path.parts
    magic = next((place for place, part in enumerate(parts) if glob.has_magic(part)), None)
    if magic is None:
        path = path.resolve()
        return path.parent, path.name
    return Path(*parts[:magic]).resolve(), str(Path(*parts[magic:]))


def _of_reader(
    name: str, found: Detected, root: Path, options: DataOptions, only: Collection[Path]
) -> Described:
    del only
    given = options.keys.get("params", {})
    _, basic, _, listed, notes = list_files(found, root, given, lambda keys: config_of(keys, options))
    technology, resolution = said_by(found.source, listed)
    config = config_of({**basic, "technology": technology, "resolution": resolution}, options)
    if is_guessed(found) and "technology" not in options.keys:
        notes.append(
            f"technology is taken as {technology}: the tables do not say it; --set technology=NAME does"
        )
    samples = load_samples(config, name, (root,))
    if options.samples is not None:
        samples = _in_table(options, {sample.slide for sample in samples}, notes)
    return Described(
        name=name, what=found.what, config=config, samples=samples, root=root, notes=tuple(notes)
    )


def _of_h5ad(
    name: str, found: Detected, root: Path, options: DataOptions, only: Collection[Path]
) -> Described:
    asked = {path.resolve() for path in only}
    paths = [path for path in found.paths if not asked or path.resolve() in asked]
    further = [] if options.samples else [column for column in (options.patient, options.slide) if column]
    files = [read_facts(path, further) for path in paths]
    for column in further:
        _require_column(files, column)
    named = dict.fromkeys(further)
    by = options.slide if options.slide in named else slide_column(files)
    patient = options.patient if options.patient in named else shared_column(files, vocabulary.PATIENT)
    keys: dict[str, Any] = {"slide": by or NO_COLUMN, **readable_keys(files)}
    notes = [*notes_on_counts(files), *notes_on_units(files, by)]
    for key, names in (("niche", vocabulary.NICHE), ("cell_type", vocabulary.CELL_TYPE)):
        label = next((name for name in names if all(name in facts.columns for facts in files)), None)
        if label is not None:
            keys[key] = label
    code = None if patient else shared_column(files, vocabulary.PATIENT, coded=True)
    basic: dict[str, Any] = {"source": "h5ad", "path": found.pattern, "keys": keys, **_texts(files)}
    technology, resolution = (options.keys.get(key, basic.get(key)) for key in ("technology", "resolution"))
    # What contradicts itself, or is said of some slides alone, is for the checks to tell.
    with contextlib.suppress(DataError, LookupError):
        scale, remark = scale_of(files, by, lattice_of(technology, resolution))
        if scale is not None:
            basic["scale"] = scale
            notes += [f"scale: {scale['um_per_px']}: {remark}"] if remark else []
    if min(len(set(facts.genes)) for facts in files) >= SPOT_GENES:
        basic["panel"] = "whole_transcriptome"
        if len({facts.genes for facts in files}) > 1:
            basic["absent_gene"] = "zero"
            notes.append("files of a whole transcriptome list different genes: an absent one counts as zero")
    config = config_of(basic, options)
    if options.samples is not None:
        samples = _in_table(options, {slide for facts in files for slide in facts.slides_by(by)}, notes)
    else:
        samples = tuple(
            _sample(facts, slide, by, patient, code, config, notes)
            for facts in files
            for slide in facts.slides_by(by)
        )
    if patient is None and options.samples is None:
        notes.append("no column of obs names the patient; --patient or --samples says who is who")
    return Described(
        name=name, what=found.what, config=config, samples=samples, root=root, notes=tuple(notes)
    )


def _in_table(options: DataOptions, there: Collection[str], notes: list[str]) -> tuple[Sample, ...]:
    """Return the rows of the samples table whose slides are `there`; the others are noted.

    Raises ``DataError`` when the table and the data have no slide in common.
    """
    assert options.samples is not None  # the caller has looked
    (sheet,) = read_sheet(options.samples, patient=options.patient, slide=options.slide)
    rows = tuple(sample for sample in sheet.samples if sample.slide in there)
    absent = [sample.slide for sample in sheet.samples if sample.slide not in there]
    if not rows:
        raise DataError(
            f"{options.samples}: none of its slides ({listing(absent)}) is in the data, which has "
            f"{listing(sorted(there))}: name slides in the table as the data does"
        )
    unlisted = sorted(set(there) - {sample.slide for sample in rows})
    if absent:
        notes.append(f"not judged, in the samples table without data: {listing(absent)}")
    if unlisted:
        notes.append(f"not judged, data without a row in the samples table: {listing(unlisted)}")
    return rows


def _require_column(files: Sequence[H5adFacts], column: str) -> None:
    for facts in files:
        if column not in facts.columns:
            raise DataError(
                f"{facts.path}: obs has no column {column!r}; "
                f"its columns are {listing(facts.all_columns)}{nearest(column, facts.all_columns)}"
            )


def _texts(files: Sequence[H5adFacts]) -> dict[str, str]:
    """Return what all files say of themselves in words."""
    found: dict[str, str] = {}
    for key, names in (
        ("technology", IN_OBS), ("organ", ("organ", "tissue")), ("disease", ("disease",)),
    ):  # fmt: skip
        if (value := said_by_all(files, names)) is not None:
            found[key] = value
    known = vocabulary.technology_in(found.get("technology", ""))
    if known is not None:
        found["technology"], found["resolution"] = known
    return found


def _sample(
    facts: H5adFacts,
    slide: str,
    by: str | None,
    patient: str | None,
    code: str | None,
    config: DatasetSpec,
    notes: list[str],
) -> Sample:
    """Return a slide with its patient; `code` is a column in which codes stand for people."""
    values = facts.values(patient, by, slide) if patient else ()
    if len(values) > 1:
        notes.append(f"slide {slide} holds units of several patients ({listing(values)}): cut it into slides")
    known = [value for value in values if not vocabulary.is_unknown(value)] if len(values) == 1 else []
    constants = {
        key: getattr(config, key)
        for key in ("technology", "resolution", "panel", "organ", "disease", "preservation", "corpus", "site")
    }
    extra = {CODE: listing(facts.values(code, by, slide))} if code else {}
    return Sample(slide=slide, patient=known[0] if known else None, **constants, extra=extra)


def config_of(basic: Mapping[str, Any], options: DataOptions) -> DatasetSpec:
    """Return the data set with what the user says laid over what the files say."""
    keys = dict(basic.get("keys", {}))
    columns = {} if options.samples else {"patient": options.patient, "slide": options.slide}
    keys |= {key: column for key, column in columns.items() if column}
    further = {**options.keys, "params": {**basic.get("params", {}), **options.keys.get("params", {})}}
    keys |= {key: further.pop(key) for key in ("counts", "spatial") if key in further}
    whole = {**basic, **further, "keys": keys}
    return DatasetSpec.model_validate({key: value for key, value in whole.items() if value is not None})
