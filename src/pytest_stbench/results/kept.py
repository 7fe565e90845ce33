"""What a run keeps beside its results file: single scores and maps, in a folder of the same name."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pytest_stbench.results.stored import Stored

if TYPE_CHECKING:
    from pathlib import Path

Level = Literal["scores", "maps", "all"]
LEVELS: tuple[Level, ...] = ("scores", "maps", "all")
SCORES = "scores.parquet"
PARTS = "scores"
"""Folder of the parts of that table, while a run goes on."""
ABANDONED = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptScoresRecord(Stored):
    """The table of single scores."""

    file: str
    """Its file in the folder."""
    rows: int
    """Number of rows."""
    sha256: str
    """Digest of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMapRecord(Stored):
    """Truth and predictions of one slide, as h5ad."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "dataset", "slide")

    task: str
    """Name of the task."""
    dataset: str
    """Name of the data set in the task file."""
    slide: str
    """The slide."""
    file: str
    """Its file in the folder."""
    genes: int
    """Number of genes."""
    units: int
    """Number of units (spots, bins, cells)."""
    sha256: str
    """Digest of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLeftOutRecord(Stored):
    """What was asked to be kept and is not."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "slide", "why")

    task: str
    """Name of the task; empty where it concerns all of them."""
    slide: str
    """The slide; empty where it concerns all of them."""
    why: str
    """What is left out, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord(Stored):
    """What is kept beside the results file, in a folder next to it."""

    level: Level
    """What was asked to be kept: `scores`, `maps`, or `all` (maps of every gene)."""
    folder: str
    """Name of the folder, beside the results file."""
    scores: KeptScoresRecord | None = None
    """Every single score, by gene, unit, niche ...; null where nothing was scored."""
    maps: tuple[KeptMapRecord, ...] = ()
    """Maps of slides."""
    left_out: tuple[KeptLeftOutRecord, ...] = ()
    """What was asked to be kept and is not, with reasons."""


class Staged:
    """New files of a folder, complete on disk but not yet in their places.

    They are put there at the moment at which the results file that names them is; until then, and when
    anything fails, the folder is as it was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for left in folder.glob(".new-*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > ABANDONED:
                    shutil.rmtree(left, ignore_errors=True)
        self.place = folder / f".new-{secrets.token_hex(8)}"
        self.record: KeptRecord | None = None

    def publish(self) -> None:
        """Move the files to their places."""
        for path in sorted(self.place.rglob("*")):
            if path.is_file():
                target = self.folder / path.relative_to(self.place)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        self.discard()

    def discard(self) -> None:
        """Remove what was not put in its place, and the folder if nothing is in it."""
        shutil.rmtree(self.place, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()


def folder_of(path: Path) -> Path:
    """Return the folder of what is kept beside the results file `path`."""
    return path.with_name(f"{path.name.removesuffix('.json')}.kept")


def stage(path: Path, parts: Path, level: Level, earlier: KeptRecord | None) -> Staged:
    """Make the files of what a run kept, joined with those of `earlier` runs that saved to the same file.

    Parameters
    ----------
    path
        The results file.
    parts
        Folder in which the processes of the run put down what they kept.
    level
        What was asked.
    earlier
        What the results file names.

    Raises
    ------
    OSError
        When something cannot be read or written; nothing is left of it then.
    """
    from pytest_stbench.results.kept_scores import write_scores

    staged = Staged(folder_of(path))
    left_out: list[KeptLeftOutRecord] = list(earlier.left_out) if earlier else []
    old = earlier.scores if earlier else None
    known = None
    if earlier is not None and old is not None:
        known = path.with_name(earlier.folder) / old.file
        if _sha256(known) != old.sha256:
            why = f"single scores of earlier runs: {known.name} is missing, or is not the file they wrote"
            left_out.append(KeptLeftOutRecord(task="", slide="", why=why))
            known = None
    try:
        rows = write_scores(staged.place / SCORES, (parts / PARTS).glob("*.arrow"), known)
        scores = None
        if rows:
            scores = KeptScoresRecord(file=SCORES, rows=rows, sha256=_sha256(staged.place / SCORES))
        else:
            (staged.place / SCORES).unlink()
    except BaseException:
        staged.discard()
        raise
    asked = max(level, earlier.level if earlier else level, key=LEVELS.index)
    staged.record = KeptRecord(
        level=asked,
        folder=staged.folder.name,
        scores=scores,
        maps=earlier.maps if earlier else (),
        left_out=tuple({record.key: record for record in left_out}.values()),
    )
    return staged


def _sha256(path: Path) -> str:
    """Return the digest of a file; empty where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
