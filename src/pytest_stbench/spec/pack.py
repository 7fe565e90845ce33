"""Task packs: a folder of task files with a name, a version and what pytest-stbench it needs.

The folder is one of a project, or lies in an installed package. Its fingerprint is over every file in it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator

from pytest_stbench import __version__
from pytest_stbench.errors import Problem, StbenchError, TaskFileError
from pytest_stbench.spec import TASK_SUFFIX
from pytest_stbench.spec.dataset_entry import Address
from pytest_stbench.spec.messages import describe
from pytest_stbench.spec.part import Format, Part
from pytest_stbench.spec.rest import errors_of
from pytest_stbench.spec.yaml_lines import key_text, line_marks, plain, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANIFEST = "stbench-pack.yaml"
MAX_BYTES = 64 << 20
"""Of all files of a pack: it has task files and tables beside them, and no data."""
MAX_FILES = 5000
DEPTH = 4
"""Folders above a task file in which a manifest is looked for."""
DIGITS = 12
"""Of a fingerprint where people read it."""


def _name(value: str) -> str:
    """Refuse what is no plain name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,79}", value):
        raise ValueError("not a name: lower-case letters, digits, '_', '-'")
    return value


def _version(value: str) -> str:
    """Refuse what no two people would order alike."""
    try:
        Version(value)
    except InvalidVersion:
        raise ValueError("not a version: write such as 1.2.0") from None
    return value


def _versions(value: str) -> str:
    """Refuse what names no versions."""
    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        raise ValueError("no versions: write such as '>=0.1' or '>=0.1,<1'") from None
    return value


class PackManifest(Part):
    """What ``stbench-pack.yaml`` says; ``requires`` are the versions of pytest-stbench that read the pack."""

    stbench_pack: Format
    name: Annotated[str, AfterValidator(_name)]
    version: Annotated[str, AfterValidator(_version)]
    title: str
    requires: Annotated[str, AfterValidator(_versions)] = ""
    licence: str | None = None
    homepage: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack as it lies on this machine: ``files`` maps each relative path to the sha256 of its bytes."""

    folder: Path
    manifest: PackManifest
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """Name of the pack."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """Version of the pack."""
        return self.manifest.version

    @property
    def fingerprint(self) -> str:
        """Digest over all files."""
        return fingerprint_of(self.files)

    @property
    def tasks(self) -> list[Path]:
        """The task files, by name."""
        return [self.folder / name for name in self.files if name.endswith(TASK_SUFFIX)]

    @property
    def said(self) -> str:
        """Name, version and fingerprint, as results have them."""
        return f"{self.name} {self.version} ({self.fingerprint[:DIGITS]})"


def fingerprint_of(files: Mapping[str, str]) -> str:
    """Return the digest over the digests of files, by their names."""
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def load_pack(folder: Path) -> Pack:
    """Return the pack that lies in `folder`.

    Raises
    ------
    StbenchError
        Where there is no manifest, it has mistakes or asks for another pytest-stbench, or without task files.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise StbenchError(
            f"{folder} is no task pack: it has no {MANIFEST}. Write one with the keys `stbench_pack: 1`, "
            "`name`, `version` and `title`"
        )
    manifest = _manifest(path)
    here = Version(__version__)
    if not SpecifierSet(manifest.requires).contains(here, prereleases=True):
        raise StbenchError(
            f"{path}: the pack {manifest.name} {manifest.version} needs pytest-stbench {manifest.requires}; "
            f"this is {__version__}: install a version that it can use, or take another version of the pack"
        )
    pack = Pack(folder=folder, manifest=manifest, files=dict(_digests(folder)))
    if not pack.tasks:
        raise StbenchError(f"{folder}: the pack {pack.name} has no task file (NAME{TASK_SUFFIX}) in it")
    return pack


def pack_said(task: Path) -> str | None:
    """Return name, version and fingerprint of the pack that a task file is part of; None where it is of none.

    A file is part of the nearest of the folders above it that has a manifest. Raises ``StbenchError`` where
    that pack cannot be used.
    """
    above = list(task.resolve().parents)[:DEPTH]
    folder = next((up for up in above if (up / MANIFEST).is_file()), None)
    return None if folder is None else load_pack(folder).said


def _manifest(path: Path) -> PackManifest:
    tree = read_tree(path)
    problems = list(tree.problems)
    marks = line_marks(tree.root)
    data = plain(tree.root)
    for error in errors_of(PackManifest, data):
        key = error["loc"]
        place = next(marks[key[:size]] for size in range(len(key), -1, -1) if key[:size] in marks)
        message = describe(error, PackManifest)
        problems.append(Problem(file=place[0], line=place[1], key=key_text(key), message=message))
    if problems:
        raise TaskFileError(problems)
    return PackManifest.model_validate(data)


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield relative path and sha256 of each file of a pack. Raises ``StbenchError``."""
    total = 0
    for number, path in enumerate(_files(folder)):
        name = path.relative_to(folder).as_posix()
        try:
            total += path.stat().st_size
            if total > MAX_BYTES or number >= MAX_FILES:
                raise StbenchError(
                    f"{folder}: the pack has more than {MAX_FILES:,} files, or more than "
                    f"{MAX_BYTES >> 20} MiB: a pack has task files and small tables; data is named in them "
                    "and lies elsewhere"
                )
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise StbenchError(f"{path}: cannot be read: {error.strerror or error}") from None
        yield name, digest


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a pack by name, those that Python, pytest or an editor leaves there left out."""
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name == "__pycache__":
                continue
            if path.is_dir() and not path.is_symlink():
                yield from _files(path)
            elif path.is_file():
                yield path
    except OSError as error:
        raise StbenchError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None
