"""Entries of the catalog: public data sets by name, with their files, licence and citation.

An entry is a YAML file ``NAME.stbench-data.yaml``. Its mistakes are reported like those of a task
file, all at once as ``file:line: key``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.spec.messages import describe
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.spec.part import Integer, IsoDate, Part
from pytest_stbench.spec.paths import path_mistake
from pytest_stbench.spec.rest import Rest, errors_of
from pytest_stbench.spec.shorthand import normalise
from pytest_stbench.spec.yaml_lines import Node, Tree, key_text, line_marks, plain, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_stbench.spec.yaml_lines import Key

ENTRY_SUFFIX = ".stbench-data.yaml"
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]*")
MANIFEST = "SHA256SUMS"
SAMPLES = "samples.csv"


def _relative(value: str) -> str:
    """Refuse a path that would leave the folder of the data set."""
    if mistake := path_mistake(value):
        raise ValueError(mistake)
    return value


def _address(value: str) -> str:
    """Refuse what is not a web address."""
    if not re.fullmatch(r"https?://[^\s/]+/\S*", value):
        raise ValueError("not an address: write https://HOST/PATH")
    return value


def _sha256(value: str) -> str:
    """Refuse what is not a sha256 in lower-case hex."""
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("not a sha256: 64 hex digits in lower case")
    return value


Address = Annotated[str, AfterValidator(_address)]


class FileSpec(Part):
    """One file to fetch; of an archive, ``path`` is the folder that its members are put into."""

    path: Annotated[str, AfterValidator(_relative)]
    url: Address | None
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    size: Integer | None = Field(default=None, ge=0)
    unpack: Literal["none", "zip", "tar"] = "none"


class SampleSpec(Part):
    """What is known of one slide before its files are: one row of the samples table."""

    slide: str
    patient: str | None = None
    site: str | None = None
    panel: str | None = None
    disease: str | None = None


class DatasetEntry(Part):
    """A public data set.

    ``verified`` is the day on which somebody fetched all files and saw their checksums; before
    that day no file has one. ``layout`` says what must be done to the files before they can be
    read, where fetching them is not enough. ``accession`` is the archive or page of the study
    where the homepage is another one, ``known_from`` where the numbers of patients and slides were
    read. ``technology`` and ``organ`` may name several, with commas.
    """

    stbench_data: Literal[1]
    name: str
    title: str
    homepage: Address
    files: tuple[FileSpec, ...] = ()
    licence: str
    citation: str
    doi: str | None = None
    patients: Integer | None = Field(default=None, ge=1)
    slides: Integer = Field(ge=1)
    technology: str
    indication: str
    organ: str
    accession: Address | None = None
    known_from: str | None = None
    layout: str | None = None
    samples: tuple[SampleSpec, ...] = ()
    dataset: DatasetSpec
    verified: IsoDate | None = None

    @property
    def fetchable(self) -> bool:
        """Whether every file has an address."""
        return bool(self.files) and all(file.url is not None for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFile:
    """A valid entry, where it stands, and the tree of its ``dataset`` with the line of every key."""

    path: Path
    entry: DatasetEntry
    dataset: Node


def load_entry(path: Path) -> EntryFile:
    """Read and validate the entry at `path`.

    Raises ``TaskFileError`` with every mistake of the file: file, line, key, what is allowed.
    """
    tree = _with_long_forms(read_tree(path))
    problems = list(tree.problems)
    marks = line_marks(tree.root)

    def report(key: Key, message: str) -> None:
        place = next(marks[key[:size]] for size in range(len(key), -1, -1) if key[:size] in marks)
        problems.append(Problem(file=place[0], line=place[1], key=key_text(key), message=message))

    data = plain(tree.root)
    errors = errors_of(DatasetEntry, data)
    for found in errors:
        report(found["loc"], describe(found, DatasetEntry))
    rest = Rest(DatasetEntry, data, errors)
    entry = rest.value
    if entry is not None:
        for key, message in _mistakes(entry, path, rest):
            if not rest.hides(written := rest.written(key)):
                report(written, message)
    if problems or entry is None:
        raise TaskFileError(problems)
    assert isinstance(tree.root.value, dict)
    return EntryFile(path=path, entry=entry, dataset=tree.root.value["dataset"])


def _with_long_forms(tree: Tree) -> Tree:
    """Write out the short forms below ``dataset``, which are those of a task file."""
    root = tree.root.value
    if not isinstance(root, dict) or "dataset" not in root:
        return tree
    inside = replace(tree.root, value={"datasets": replace(tree.root, value={"it": root["dataset"]})})
    written = normalise(Tree(root=inside)).root.value
    assert isinstance(written, dict)
    datasets = written["datasets"].value
    assert isinstance(datasets, dict)
    return replace(tree, root=replace(tree.root, value={**root, "dataset": datasets["it"]}))


def _mistakes(entry: DatasetEntry, path: Path, rest: Rest[DatasetEntry]) -> Iterator[tuple[Key, str]]:
    if not NAME_PATTERN.fullmatch(entry.name):
        yield ("name",), f"found {entry.name!r}; allowed: lower-case letters, digits, '_', '-'"
    elif path.name != entry.name + ENTRY_SUFFIX:
        yield ("name",), f"found {entry.name!r}; the file is called {path.name}: both must be the same"
    if entry.dataset.source == "catalog":
        yield ("dataset", "source"), "an entry names the reader of its files, not the catalog"
    if entry.dataset.sha256 not in (None, MANIFEST):
        yield ("dataset", "sha256"), f"is always {MANIFEST}, made when the data is verified: leave it out"
    yield from _sample_mistakes(entry, rest)
    for index, file in enumerate(entry.files):
        if file.sha256 is not None and entry.verified is None and not rest.hides(("verified",)):
            yield (
                ("files", index, "sha256"),
                "a checksum of bytes that nobody has seen: give the day in `verified`, or leave it out",
            )
        if file.sha256 is None and entry.verified is not None:
            yield ("files", index, "sha256"), "is missing: a verified entry has the checksum of every file"
    places = Counter(file.path for file in entry.files if file.unpack == "none")
    for index, file in enumerate(entry.files):
        if file.unpack == "none" and places[file.path] > 1:
            yield ("files", index, "path"), f"{file.path!r} stands at two files"


def _sample_mistakes(entry: DatasetEntry, rest: Rest[DatasetEntry]) -> Iterator[tuple[Key, str]]:
    if not entry.samples:
        return
    whole = not any(place[0] in ("samples", "slides", "patients") for place in rest.broken)
    if whole and len(entry.samples) != entry.slides:
        yield ("samples",), f"{len(entry.samples)} rows for {entry.slides} slides"
    known = {sample.patient for sample in entry.samples if sample.patient is not None}
    if whole and entry.patients is not None and known and len(known) != entry.patients:
        yield ("samples",), f"{len(known)} patients; `patients` says {entry.patients}"
    if entry.dataset.samples != SAMPLES:
        yield ("dataset", "samples"), f"must be {SAMPLES}: the table is written there from `samples`"
    named = [
        (index, sample)
        for index, sample in enumerate(entry.samples)
        if not rest.hides(rest.written(("samples", index, "slide")))
    ]
    names = Counter(sample.slide for _, sample in named)
    for index, sample in named:
        if names[sample.slide] > 1:
            yield ("samples", index, "slide"), f"slide {sample.slide!r} is listed twice"
