"""Details: what a run keeps beside its results file, single scores and maps, in a folder of its name."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pytest_stbench.results.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

Level = Literal["scores", "maps", "all"]
LEVELS: tuple[Level, ...] = ("scores", "maps", "all")
SCORES = "scores.parquet"
PARTS = "scores"
"""Folder of the parts of that table, while a run goes on."""
ABANDONED = 3600.0
ANSWER = "what "


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
    """Return the folder of what is kept beside the results file `path`: no two files share one."""
    stem = path.name.removesuffix(".json")
    return path.with_name(f"{stem}.kept" if stem != path.name else f"{stem}-kept")


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
    staged = Staged(folder_of(path))
    try:
        staged.record = _made(
            staged, path, parts, level, earlier or KeptRecord(level=level, folder=staged.folder.name)
        )
    except BaseException:
        staged.discard()
        raise
    return staged


def _made(staged: Staged, path: Path, parts: Path, level: Level, earlier: KeptRecord) -> KeptRecord:
    from pytest_stbench.results.single_scores import write_scores

    old = path.with_name(earlier.folder)
    lost: list[KeptLeftOutRecord] = []

    def known(file: str, sha256: str, what: str, task: str = "", slide: str = "") -> Path | None:
        """Return a file of earlier runs; what is not the one they wrote is listed."""
        if digest_of_file(old / file) == sha256:
            return old / file
        why = f"{what} of earlier runs: {file} is missing, or is not the file they wrote"
        lost.append(KeptLeftOutRecord(task=task, slide=slide, why=why))
        return None

    last = earlier.scores
    table = known(last.file, last.sha256, "single scores") if last else None
    rows = write_scores(staged.place / SCORES, (parts / PARTS).glob("*.arrow"), table)
    scores = None
    if rows:
        scores = KeptScoresRecord(file=SCORES, rows=rows, sha256=digest_of_file(staged.place / SCORES))
    else:
        (staged.place / SCORES).unlink()
    there = {
        record: known(record.file, record.sha256, "a map", record.task, record.slide)
        for record in earlier.maps
    }
    maps, left_out, made = _maps(staged, parts, there, limited=level != "all")
    stays = [record for record in earlier.left_out if not _settled(record, made)]
    listed = {record.key: record for record in (*stays, *lost, *left_out)}
    return KeptRecord(
        level=max(level, earlier.level, key=LEVELS.index),
        folder=staged.folder.name,
        scores=scores,
        maps=tuple(maps),
        left_out=tuple(listed.values()),
    )


def unanswered(model: str, why: str) -> str:
    """Return what is said of a slide for which a model gave no prediction."""
    return f"{ANSWER}{model} predicts: {why}"


def _settled(record: KeptLeftOutRecord, made: Mapping[tuple[str, str], Collection[str]]) -> bool:
    """Return whether a run that made the map of the slide says anew what is left out of it.

    Of a model that gave no prediction only that model itself can.
    """
    models = made.get((record.task, record.slide))
    if models is None or not record.why.startswith(ANSWER):
        return models is not None
    return any(record.why.startswith(unanswered(model, "")) for model in models)


def _maps(
    staged: Staged, parts: Path, there: Mapping[KeptMapRecord, Path | None], *, limited: bool
) -> tuple[list[KeptMapRecord], list[KeptLeftOutRecord], dict[tuple[str, str], Collection[str]]]:
    """Write the maps of a run, joined with those that are there.

    Return the records of all, what is left out, and whose layers this run brought to which slides.
    """
    from pytest_stbench.results.map_parts import joined, parts_by_slide
    from pytest_stbench.results.slide_maps import BUDGET, file_name, read_map, write_map

    found = {record.key: (record, path) for record, path in there.items() if path is not None}
    left_out: list[KeptLeftOutRecord] = []
    anew: dict[tuple[str, str], Collection[str]] = {}
    total = sum(path.stat().st_size for _, path in found.values())
    number = max((int(record.file.rpartition("/")[2].partition("-")[0]) for record in there), default=0)
    for key, made in parts_by_slide(parts):
        record, path = found.get(key, (None, None))
        part = joined([*([read_map(path)] if path else []), *made])
        left_out += [KeptLeftOutRecord(task=key[0], slide=key[2], why=why) for why in part.left_out]
        if not len(part.genes):
            continue
        anew[key[0], key[2]] = {name for own in made for name in own.layers}
        number += record is None
        file = record.file if record else file_name(number, part)
        target = staged.place / file
        write_map(target, part)
        size = target.stat().st_size - (path.stat().st_size if path else 0)
        if limited and total + size > BUDGET and part.image.size:
            why = f"the image of the tissue: with it maps would take more than {BUDGET // 10**6} MB"
            left_out.append(KeptLeftOutRecord(task=key[0], slide=key[2], why=why))
            part = replace(part, image=part.image[:0], image_scale=0.0)
            write_map(target, part)
            size = target.stat().st_size - (path.stat().st_size if path else 0)
        if limited and total + size > BUDGET:
            target.unlink()
            why = f"the map: with it maps would take more than {BUDGET // 10**6} MB"
            left_out.append(KeptLeftOutRecord(task=key[0], slide=key[2], why=why))
            continue
        total += size
        units, genes = part.truth.shape
        kept = KeptMapRecord(
            task=key[0], dataset=key[1], slide=key[2], file=file, genes=genes, units=units,
            sha256=digest_of_file(target),
        )  # fmt: skip
        found[key] = (kept, target)
    for record, path in found.values():
        if staged.folder not in path.parents:  # of a results file that was copied
            (staged.place / record.file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, staged.place / record.file)
    return [record for record, _ in found.values()], left_out, anew


def digest_of_file(path: Path) -> str:
    """Return the digest of a file; empty where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
