"""Predictions that another machine wrote: one file per slide and fold, checked before it is scored.

A folder holds ``TASK/DATASET[+VARIANT]/SPLIT/FOLD[/sSEED]/SLIDE.EXT`` with EXT ``h5ad``,
``parquet`` or ``npz``; ``stbench export-inputs`` writes the inputs in the same places. Parts of a
name that are no letters, digits, ``.``, ``_``, ``-`` or ``+`` stand as percent codes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from pytest_stbench.data.build import SCHEME, arrange
from pytest_stbench.data.checksums import Checksums
from pytest_stbench.errors import ModelError
from pytest_stbench.models.identity import AS_GIVEN
from pytest_stbench.models.prediction_files import READERS, Seals, arrays_of, files_in, seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

FORMATS = tuple(READERS)
MANIFEST = "stbench-predictions.json"
LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the predictions of one cell of the grid stand, relative to the folder."""

    task: str
    view: str
    split: str
    fold: str
    seed: int | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the folders from the outside in."""
        seed = () if self.seed is None else (f"s{self.seed}",)
        return tuple(safe_name(part) for part in (self.task, self.view, self.split, self.fold, *seed))


class PredictionFolder:
    """The predictions of one model in files.

    It has the methods of a model that are asked of it, so that it can stand where a model does;
    what they would return is read by :meth:`read`. `checksums` says how those of its files are had; by
    default each is read once in this process.
    """

    def __init__(self, folder: Path, checksums: Checksums | None = None) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ModelError(
                f"predictions:{folder}: there is no such folder; give one that holds TASK/DATASET/SPLIT/FOLD"
            )
        self._manifest = _manifest(folder / MANIFEST)
        checksums = checksums or Checksums(anew=True)
        self._seals = Seals(folder, folder / MANIFEST, self._manifest, checksums)
        self.remarks: tuple[str, ...] = ()
        self.name = str(self._manifest.get("name") or folder.resolve().name)
        self._scheme = self._manifest.get("units")
        if self._scheme not in (None, SCHEME):
            message = f"{folder / MANIFEST}: `units` is {self._scheme!r}, not {SCHEME!r}: export inputs again"
            raise ModelError(message)
        said = self._manifest.get("pretraining")
        self.pretraining = None if said is None else tuple(map(str, said))

    @staticmethod
    def seal(folder: Path) -> int:
        """Write checksums into the manifest of `folder`; return of how many files. Raises ``ModelError``."""
        return seal(folder, folder / MANIFEST, _manifest(folder / MANIFEST), FORMATS)

    @property
    def revision(self) -> str:
        """Digest of what its files and its manifest say: another content is another model.

        Raises ``ModelError`` when a file cannot be read.
        """
        return self._seals.revision(files_in(self.folder, FORMATS))

    def __getstate__(self) -> dict[str, Any]:
        """Return what it was built with, for its identity: all else is in ``revision``."""
        return {"folder": self.folder}

    def __deepcopy__(self, memo: object) -> PredictionFolder:
        """Return the folder itself: nothing fits it, so that nothing changes it."""
        return self

    @property
    def unit_names(self) -> str | None:
        """``as given`` where the files name units as the data set does: their model saw these names."""
        return AS_GIVEN if self._scheme is None else None

    def names_of(self, slide: Slide) -> NDArray[np.str_]:
        """Return what the files call the units of `slide`, in its order."""
        return slide.unit_names if self._scheme is None else arrange(slide).names_by_row

    def predict_expression(self, slide: object, genes: Sequence[str]) -> NDArray[Any]:
        """Say that files are not asked: :meth:`read` is."""
        del slide, genes
        raise ModelError(f"{self.name} is a folder of predictions, not a model that can be asked")

    impute = predict_labels = predict_proportions = embed = cluster = segment = predict_expression

    def check(self, task: str, fingerprint: str, places: Iterable[tuple[Place, Sequence[str]]]) -> None:
        """Refuse the folder unless it has a file for every slide of every cell.

        `places` are all cells of the task with their test slides. What a file holds is checked
        when its cell is read; that files have no checksum is among the ``remarks``. Raises ``ModelError``
        with all that is missing.
        """
        stated = self._manifest.get("tasks", {}).get(task, {}).get("fingerprint")
        if stated is not None and stated != fingerprint:
            raise ModelError(
                f"{self.folder / MANIFEST}: the predictions are for another state of task {task} "
                f"(fingerprint {str(stated)[:12]}..., now {fingerprint[:12]}...): export the inputs "
                "again and predict anew"
            )
        missing: list[str] = []
        there: list[Path] = []
        for place, slides in places:
            for slide in slides:
                found = self._files(place, slide)
                there += found
                if not found:
                    missing.append("/".join((*place.parts, f"{safe_name(slide)}.{FORMATS[0]}")))
        if missing:
            more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
            raise ModelError(
                f"{self.folder}: {len(missing)} files are missing ({' or '.join(FORMATS)}): "
                f"{', '.join(missing[:LISTED])}{more}; write them: a task is scored whole"
            )
        self.remarks = self._seals.without(there)

    def read(
        self, place: Place, slide: str, units: Sequence[str], columns: Sequence[str] | None
    ) -> NDArray[Any]:
        """Return the predictions of a slide, rows `units` and columns `columns` in that order.

        All columns as they stand where these have no names. Raises ``ModelError`` when the file lacks
        any of them, or names one twice; rows and columns that were not asked for are left out.
        """
        path = self._file(place, slide)
        table = READERS[path.suffix[1:]](path)
        if table.values.shape != (len(table.units), len(table.columns)):
            sizes = f"{len(table.units)} units and {len(table.columns)} columns"
            raise ModelError(f"{path}: {table.values.shape} values for {sizes}")
        rows = _order(path, "units", table.units, units)
        if columns is None:
            return table.values[rows]
        return table.values[np.ix_(rows, _order(path, "columns", table.columns, columns))]

    def read_array(self, place: Place, slide: str, name: str) -> NDArray[Any]:
        """Return the array `name` of the npz of a slide. Raises ``ModelError`` when it is not there."""
        path = self._file(place, slide)
        if path.suffix != ".npz":
            message = f"{path}: masks stand in an npz, one array for each tile; write one in its place"
            raise ModelError(message)
        found = arrays_of(path)
        if name not in found:
            there = ", ".join(found) or "none"
            message = f"{path}: the mask of {name} is missing (there are: {there}); every tile is asked"
            raise ModelError(message)
        return found[name]

    def _file(self, place: Place, slide: str) -> Path:
        found = self._files(place, slide)
        if not found:
            raise ModelError(
                f"{self.folder.joinpath(*place.parts)}: no file for slide {slide} ({', '.join(FORMATS)})"
            )
        self._seals.check(found[0])
        return found[0]

    def _files(self, place: Place, slide: str) -> tuple[Path, ...]:
        folder = self.folder.joinpath(*place.parts)
        found = [folder / f"{safe_name(slide)}.{ending}" for ending in FORMATS]
        there = tuple(path for path in found if path.is_file())
        if len(there) > 1:
            names = " and ".join(path.name for path in there)
            raise ModelError(f"{folder}: {names} are of one slide: keep one of them")
        for path in there:
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise ModelError(f"{path} is a link out of the folder of predictions: copy the file there")
        return there


def safe_name(name: str) -> str:
    """Return `name` as one part of a path: percent codes for all but plain characters."""
    safe = quote(name, safe="+")
    return safe.replace(".", "%2E") if set(safe) <= {"."} else safe


def _order(path: Path, what: str, found: list[str], asked: Sequence[str]) -> NDArray[np.intp]:
    place = {name: position for position, name in enumerate(found)}
    if len(place) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ModelError(f"{path}: {what[:-1]} {twice!r} stands twice in its {what}; each may stand once")
    missing = [name for name in asked if name not in place]
    if missing:
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        raise ModelError(
            f"{path}: {len(missing)} of {len(asked)} {what} that were asked for are missing: "
            f"{', '.join(missing[:LISTED])}{more}; `stbench export-inputs` writes the names"
        )
    return np.array([place[name] for name in asked], dtype=np.intp)


def _manifest(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as JSON ({error}); take the one that `stbench export-inputs` wrote"
        raise ModelError(message) from error
    if not isinstance(found, dict) or not isinstance(found.get("tasks", {}), dict):
        message = f"{path}: not a manifest of predictions; take the one that `stbench export-inputs` wrote"
        raise ModelError(message)
    return found
