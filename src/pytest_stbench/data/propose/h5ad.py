"""What one h5ad file says of itself: units, genes, labels, places; counts are only sampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.column_names import SLIDE
from pytest_stbench.data.features import GENE
from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.annotations import entries_of, libraries, positive
from pytest_stbench.data.readers.geometry import axes_of, places_of
from pytest_stbench.data.readers.matrices import Counts, counts_of, features_of, matrices, symbol_column
from pytest_stbench.data.readers.slide_rows import codes_without_name, on_tissue, signs_in
from pytest_stbench.data.readers.units import KEYS, UnitSize, pitch_in_file, unit_of
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.graph import median_nn_distance
from pytest_stbench.spec.model import DatasetSpec, KeysSpec

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytest_stbench.data.sections import Sign
    from pytest_stbench.data.technology import Lattice

MAX_LEVELS = 60

SPATIAL = ("spatial", "X_spatial", "spatial_um", "spatial_coords", "X_coords", "coords")
GRID_DENSITY = 500
"""An array has at most so many positions a unit; pixels of an image are more."""

IN_OBS = ("technology", "platform", "assay")
SAID = (*IN_OBS, "organ", "tissue", "disease")


@dataclass(slots=True, kw_only=True, eq=False)
class H5adFacts:
    """One file.

    ``columns`` holds the distinct values and (n,) codes of every column with a usual name, ``inside`` (n,)
    which units lie under tissue; ``bare`` are the columns of labels and patients that are codes without
    names, the second set only where there are several files. ``place`` are the keys that name the
    coordinates, None where there are none; ``array`` the columns of array indices. ``texts`` and
    ``scales`` are what the file says in words and where ``uns`` has the size of the unit.
    """

    path: Path
    n_units: int
    off_tissue: int
    inside: NDArray[np.bool_]
    genes: tuple[str, ...]
    gene: str | None
    counts: Counts
    columns: dict[str, tuple[list[str], NDArray[np.intp]]]
    all_columns: tuple[str, ...]
    bare: tuple[frozenset[str], frozenset[str]]
    array: tuple[str, str] | None
    even: bool
    place: dict[str, str | None] | None
    obsm: tuple[str, ...]
    libraries: tuple[str, ...]
    texts: dict[str, str]
    scales: tuple[str, ...]
    image_scale: str | None
    _units: dict[Any, dict[str, UnitSize | None]] = field(default_factory=dict)

    def is_code(self, column: str, *, several: bool) -> bool:
        """Return whether a column is codes without names, in one file or in `several`."""
        return column in self.bare[several]

    def slides_by(self, column: str | None) -> tuple[str, ...]:
        """Return the slides of the file as told apart by `column`; by its name where that is None."""
        if column is None:
            return (self.path.stem,)
        names, codes_of = self.columns[column]
        return tuple(names[code] for code in sorted(set(codes_of.tolist())) if code >= 0)

    def rows(self, by: str | None, slide: str) -> NDArray[np.intp]:
        """Return the rows of a slide that lie under tissue."""
        if by is None:
            return np.flatnonzero(self.inside)
        names, codes_of = self.columns[by]
        return np.flatnonzero((codes_of == names.index(slide)) & self.inside)

    def values(self, column: str, slides_by: str | None, slide: str) -> tuple[str, ...]:
        """Return the distinct values of `column` on a slide; an empty one where it is missing."""
        names, codes_of = self.columns[column]
        there = set(codes_of[self.rows(slides_by, slide)].tolist())
        return tuple(sorted({names[code] if code >= 0 else "" for code in there}))

    def load(self, column: str) -> bool:
        """Read a further column; tell whether the file has it."""
        if column not in self.columns and column in self.all_columns:
            with hdf5.opened(self.path) as file:
                self.columns[column] = hdf5.categories(file["obs"], column)
        return column in self.columns

    def sections(self, by: str | None) -> dict[str, tuple[tuple[Sign, ...], tuple[str, ...]]]:
        """Return the signs that each slide is several sections, and the columns that tell these apart."""
        with hdf5.opened(self.path) as file:
            names, xy = hdf5.index_of(file["obs"]), self._places(file)
            found = {}
            for slide in self.slides_by(by):
                rows = self.rows(by, slide)
                found[slide] = signs_in(file, None if xy is None else xy[rows], rows, names[rows])
        return found

    def units(self, by: str | None, lattice: Lattice | None) -> dict[str, UnitSize | None]:
        """Return the size of the unit of the coordinates of each slide that the file says, None for none.

        Raises ``DataError`` where it says two for one slide.
        """
        key = (by, lattice)
        if key not in self._units:
            with hdf5.opened(self.path) as file:
                xy, index, found = self._places(file), self._index(file), {}
                for slide in self.slides_by(by):
                    rows = self.rows(by, slide)
                    places, own = (None if each is None else each[rows] for each in (xy, index))
                    found[slide] = (
                        None
                        if places is None
                        else unit_of(file, self.path, slide, places, own, lattice, rows)
                    )
                self._units[key] = found
        return self._units[key]

    def pitch_um(self) -> float | None:
        """Return the distance of neighbouring bins that the file says."""
        with hdf5.opened(self.path) as file:
            return pitch_in_file(file, next(iter(libraries(file).values()), {}))

    def spacing(self, by: str | None) -> float:
        """Return the median distance of a unit to the nearest one of its slide, in the unit of the file."""
        with hdf5.opened(self.path) as file:
            xy = self._places(file)
        if xy is None:
            return float("nan")
        parts = [xy[self.rows(by, slide)] for slide in self.slides_by(by)]
        parts = [part[np.isfinite(part).all(axis=1)] for part in parts]
        found = [median_nn_distance(part) for part in parts if len(part) > 1]
        return float(np.median(found)) if found else float("nan")

    def _places(self, file: h5py.File) -> NDArray[np.float64] | None:
        return None if self.place is None else _xy(file, self.path, self.place, len(self.inside))

    def _index(self, file: h5py.File) -> NDArray[np.float64] | None:
        return None if self.array is None else _index(file, self.array)


def read_facts(path: Path, further: Collection[str] = ()) -> H5adFacts:
    """Return what the file says, columns called `further` included.

    Raises ``DataError`` where it cannot be read.
    """
    labels = (*vocabulary.PATIENT, *vocabulary.NICHE, *vocabulary.CELL_TYPE)
    wanted = (*further, *SLIDE, *labels, *vocabulary.DISEASE, *vocabulary.SITE)
    with hdf5.opened(path) as file:
        obs, there = file["obs"], hdf5.columns(file["obs"])
        n_rows = len(hdf5.index_of(obs))
        inside = on_tissue(file, path)
        inside = np.ones(n_rows, dtype=bool) if inside is None else inside
        array = next((pair for pair in vocabulary.ARRAY if _is_array(file, pair, there)), None)
        index = None if array is None else _index(file, array)
        counts = counts_of(file)
        var = matrices(file)[counts.name].var if counts.name is not None else file["var"]
        gene = symbol_column(file, var)
        names, kinds = features_of(file, var, gene)
        uns: Any = file.get("uns", {})
        named = [column for column in (*further, *labels) if column in there]
        alone = frozenset(c for c in named if codes_without_name(obs, c, several=False))
        return H5adFacts(
            path=path,
            n_units=int(inside.sum()),
            off_tissue=int((~inside).sum()),
            inside=inside,
            genes=tuple(names[kinds == GENE].tolist()),
            gene=gene,
            counts=counts,
            columns={name: hdf5.categories(obs, name) for name in there if name in wanted},
            all_columns=there,
            bare=(alone, frozenset(c for c in named if codes_without_name(obs, c, several=True))),
            array=array,
            even=index is not None and _is_even(index),
            place=_place(file, path, there, index, n_rows),
            obsm=tuple(entries_of(file)),
            libraries=tuple(libraries(file)),
            texts=_texts(file, there),
            scales=tuple(key for key in KEYS if positive(uns, key) is not None),
            image_scale=next(
                (f"image.{key}" for key in KEYS if positive(uns.get("image", {}), key) is not None), None
            ),
        )


def _xy(file: h5py.File, path: Path, place: dict[str, str | None], n_rows: int) -> NDArray[np.float64] | None:
    if place.get("spatial", "") is None:
        return None
    config = DatasetSpec(source="h5ad", keys=KeysSpec.model_validate(place))
    return places_of(file, path, config, n_rows)


def _place(
    file: h5py.File,
    path: Path,
    there: tuple[str, ...],
    index: NDArray[np.float64] | None,
    n_rows: int,
) -> dict[str, str | None] | None:
    """Return the keys of the first coordinates that can be read and are not array indices.

    ``{"spatial": None}`` where there are only array indices.
    """
    candidates: list[dict[str, str | None]] = [
        {"spatial": name} for name in SPATIAL if name in entries_of(file)
    ]
    axes = axes_of([column for column in there if hdf5.is_number(file["obs"], column)])
    if axes is not None:
        candidates.append({"x": axes[0], "y": axes[1]})
    unreadable: DataError | None = None
    for place in candidates:
        try:
            xy = _xy(file, path, place, n_rows)
        except DataError as error:
            unreadable = unreadable or error
            continue
        if xy is not None and not (index is not None and _same_grid(xy, index)):
            return place
    if index is not None:
        return {"spatial": None}
    if unreadable is not None:
        raise unreadable
    return None


def _same_grid(xy: NDArray[np.float64], index: NDArray[np.float64]) -> bool:
    """Return whether places are array indices themselves, in either order, or moved by a constant."""
    for order in (index, index[:, ::-1]):
        gap = xy - order
        gap = gap[np.isfinite(gap).all(axis=1)]
        if len(gap) and (np.ptp(gap, axis=0) == 0).all():
            return True
    return False


def _is_array(file: h5py.File, pair: tuple[str, str], there: tuple[str, ...]) -> bool:
    """Return whether two columns hold positions on an array: whole numbers, few beside the units."""
    if not set(pair) <= set(there):
        return False
    try:
        index = _index(file, pair)
    except ValueError:
        return False  # words
    known = index[np.isfinite(index).all(axis=1)]
    if not len(known) or (known != np.rint(known)).mean() > 0.5:
        return False
    rows, columns = np.ptp(known, axis=0) + 1
    return bool(rows * columns <= GRID_DENSITY * len(known))


def _index(file: h5py.File, pair: tuple[str, str]) -> NDArray[np.float64]:
    return np.column_stack([hdf5.numbers(file["obs"], name) for name in pair])


def _is_even(index: NDArray[np.float64]) -> bool:
    """Return whether row + column is even everywhere, as on the array of Visium."""
    return bool((index.sum(axis=1) % 2 == 0).all() and len(np.unique(index[:, 0])) > 1)


def _texts(file: h5py.File, there: tuple[str, ...]) -> dict[str, str]:
    """Return what ``uns`` says in words; of the technology also a column of ``obs`` with one value."""
    found: dict[str, str] = {}
    for key in SAID:
        said = hdf5.text(file.get("uns", {}), key)
        if said is None and key in IN_OBS and key in there and hdf5.is_discrete(file["obs"], key):
            names, of = hdf5.categories(file["obs"], key)
            values = set(of.tolist())
            said = names[values.pop()] if len(values) == 1 and -1 not in values else None
        if said is not None and not vocabulary.is_unknown(said):
            found[key] = said
    kind = hdf5.text(file.get("uns", {}), "bin_type")
    if kind is not None and "technology" not in found:
        found["technology"] = "Stereo-seq cells" if "cell" in kind else "Stereo-seq"
    return found
