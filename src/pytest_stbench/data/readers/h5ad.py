"""Slides in h5ad files: one slide a file, or several told apart by ``keys.slide``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.corrections import names_correction
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.counts import as_counts, read_rows, shape_of, sum_duplicate_columns
from pytest_stbench.data.readers.formed import formed_units
from pytest_stbench.data.readers.geometry import coordinates, image_of
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.roots import resolve, resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

READING_RULES = "h5ad/2"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a slide stands: in one file, alone or under its name in `column`."""

    path: Path
    column: str | None
    image: Path | None


def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> H5adSource:
    """Find the slides `samples` in the files of ``config.path``.

    A file whose ``obs`` has the column ``keys.slide`` holds the slides named there; any other
    holds one slide, named like the file.

    Raises
    ------
    DataMissing
        No file is there.
    DataError
        A slide that no file or more than one file holds, an unreadable file, an image that is
        declared and absent.
    """
    if config.path is None:
        message = (
            "source h5ad needs `path`, the files relative to the data folder (for example 'slides/*.h5ad')"
        )
        raise DataError(message)
    column = config.keys.slide
    found: dict[str, tuple[Path, str | None]] = {}
    for path in resolve(config.path, roots, get=config.get, what="path"):
        with hdf5.opened(path) as file:
            named = column in hdf5.columns(file["obs"])
            slides = _slides_named(path, file, column) if named else [path.stem]
        for slide in slides:
            if slide in found:
                message = (
                    f"slide {slide} stands in two files, {found[slide][0]} and {path}; a slide is one file's"
                )
                raise DataError(message)
            found[slide] = (path, column if named else None)
    places = {}
    for sample in samples:
        if sample.slide not in found:
            message = (
                f"path {config.path!r}: no file holds slide {sample.slide!r}; complete the data, "
                f"set keys.slide, or leave the slide out by `slides`; by obs[{column!r}], else by name, "
                f"the files hold {listing(found)}{nearest(sample.slide, found)}"
            )
            raise DataError(message)
        path, name = found[sample.slide]
        places[sample.slide] = _Place(path=path, column=name, image=_image_path(config, sample.slide, roots))
    return H5adSource(config, samples, places)


class H5adSource:
    """The slides of one data set in h5ad files."""

    def __init__(self, config: DatasetSpec, samples: Sequence[Sample], places: dict[str, _Place]) -> None:
        self._config = config
        self._samples = {sample.slide: sample for sample in samples}
        self._places = places

    def fingerprint(self) -> str:
        """Return the version of the reading rules."""
        return READING_RULES

    def offers(self) -> frozenset[str]:
        """Return what the data set declares: an image, an embedding."""
        declared = {"image": self._config.image, "embedding": self._config.keys.embedding}
        return frozenset(name for name, value in declared.items() if value is not None)

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the slide's file and its image, if one is declared."""
        place = self._places[slide_id]
        return (place.path,) if place.image is None else (place.path, place.image)

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the slide, each once, in the order of the file."""
        with hdf5.opened(self._places[slide_id].path) as file:
            _, var = self._matrix(file)
            return tuple(dict.fromkeys(hdf5.index_of(var).tolist()))

    def read(self, slide_id: str) -> RawSlide:
        """Read one slide.

        Raises ``DataError`` with file and key for whatever is missing or does not fit.
        """
        place, sample, keys = self._places[slide_id], self._samples[slide_id], self._config.keys
        with hdf5.opened(place.path) as file:
            obs = file["obs"]
            names = hdf5.index_of(obs)
            rows = _rows(file, place.column, slide_id)
            if not len(names if rows is None else rows):
                message = f"{place.path}: slide {slide_id} has no units; leave it out by `slides`"
                raise DataError(message)
            node, var = self._matrix(file)
            symbols = hdf5.index_of(var)
            if shape_of(node) != (len(names), len(symbols)):
                message = (
                    f"{place.path}: {node.name}: {shape_of(node)} values for {len(names)} units and "
                    f"{len(symbols)} genes; the file is damaged"
                )
                raise DataError(message)
            counts, genes, duplicates = sum_duplicate_columns(as_counts(read_rows(node, rows)), symbols)
            where = coordinates(file, place.path, self._config, sample, rows, len(names))
            formed = formed_units(file, place.path)
            image, xy_px = image_of(file, place.path, self._config, place.image, rows, len(names))
            labels = {
                label: _taken(_label(file, place.path, f"keys.{label}", column), rows)
                for label, column in (("niche", keys.niche), ("cell_type", keys.cell_type))
                if column is not None
            }
            embedding = self._embedding(file, place.path, rows, len(names))
            own = {name: _taken(values, rows) for name, values in formed.measures.items()}
            measures = own | self._proportions(file, place.path, rows)
            recorded = {f"records:{name}": 1 for name in file.get("uns", ()) if names_correction(name)}
        return RawSlide(
            slide_id=slide_id,
            unit_names=_taken(names, rows),
            genes=genes,
            counts=counts,
            xy_um=where.xy_um,
            xy_px=xy_px,
            array_index=where.array_index,
            image=image,
            embedding=embedding,
            labels=labels,
            measures=measures,
            pitch_um=self._config.pitch_um or formed.pitch_um or where.pitch_um,
            notes={
                **duplicates,
                "fractional_array_index": where.fractional_index,
                **recorded,
            },
        )

    def _matrix(self, file: h5py.File) -> tuple[Any, Any]:
        name = self._config.keys.counts
        layers = tuple(file["layers"]) if "layers" in file else ()
        raw = "raw/X" if "raw/X" in file else "raw.X" if "raw.X" in file else None
        if name == "X" and "X" in file:
            return file["X"], file["var"]
        if name == "raw" and raw is not None:
            return file[raw], file[raw.removesuffix("X") + "var"]
        if name in layers:
            return file["layers"][name], file["var"]
        known = [*(["X"] if "X" in file else []), *(["raw"] if raw else []), *layers]
        message = (
            f"{file.filename}: there are no counts {name!r} (keys.counts); "
            f"the file has {listing(known)}{nearest(name, known)}"
        )
        raise DataError(message)

    def _embedding(
        self, file: h5py.File, path: Path, rows: NDArray[np.intp] | None, n_units: int
    ) -> NDArray[np.float32] | None:
        name = self._config.keys.embedding
        if name is None:
            return None
        obsm = file.get("obsm", {})
        if name not in obsm:
            message = (
                f"{path}: obsm has no {name!r} (keys.embedding); "
                f"obsm has {listing(obsm)}{nearest(name, obsm)}"
            )
            raise DataError(message)
        values = hdf5.matrix(obsm[name])
        if values.ndim != 2 or len(values) != n_units or values.dtype.kind not in "iuf":
            message = (
                f"{path}: obsm[{name!r}] (keys.embedding) must be a table of numbers with {n_units} rows; "
                f"found {values.dtype} of shape {values.shape}"
            )
            raise DataError(message)
        return _taken(values, rows).astype(np.float32)

    def _proportions(
        self, file: h5py.File, path: Path, rows: NDArray[np.intp] | None
    ) -> dict[str, NDArray[np.float64]]:
        """Return the columns of the table of cell types as ``type:NAME``."""
        name = self._config.keys.proportions
        if name is None:
            return {}
        obsm = file.get("obsm", {})
        table = obsm.get(name)
        if not hasattr(table, "keys"):
            problem = "is a matrix without column names" if table is not None else "is not there"
            message = (
                f"{path}: obsm[{name!r}] (keys.proportions) {problem}; give a data frame with one column for "
                f"each cell type; obsm has {listing(obsm)}{nearest(name, obsm)}"
            )
            raise DataError(message)
        columns = hdf5.columns(table)
        found = {f"type:{column}": hdf5.column(table, column) for column in columns}
        return {key: _taken(np.asarray(values, dtype=np.float64), rows) for key, values in found.items()}


def _slides_named(path: Path, file: h5py.File, column: str) -> list[str]:
    names, codes = hdf5.categories(file["obs"], column)
    if (codes < 0).any():
        message = f"{path}: {int((codes < 0).sum())} units have no value of obs[{column!r}] (keys.slide)"
        raise DataError(message)
    return [names[code] for code in sorted(set(codes.tolist()))]


def _rows(file: h5py.File, column: str | None, slide_id: str) -> NDArray[np.intp] | None:
    """Return the rows of the slide, None where all rows are its own."""
    if column is None:
        return None
    names, codes = hdf5.categories(file["obs"], column)
    rows = np.flatnonzero(codes == names.index(slide_id))
    return None if len(rows) == len(codes) else rows


def _label(file: h5py.File, path: Path, key: str, column: str) -> NDArray[np.object_]:
    there = hdf5.columns(file["obs"])
    if column not in there:
        message = (
            f"{path}: obs has no column {column!r} ({key}); "
            f"its columns are {listing(there)}{nearest(column, there)}"
        )
        raise DataError(message)
    return hdf5.column(file["obs"], column)


def _taken(values: NDArray[Any], rows: NDArray[np.intp] | None) -> NDArray[Any]:
    return values if rows is None else values[rows]


def _image_path(config: DatasetSpec, slide: str, roots: Sequence[Path]) -> Path | None:
    if config.image is None:
        return None
    from glob import escape

    from pytest_stbench.errors import DataMissing

    pattern = config.image.path.replace("{slide}", escape(slide))
    try:
        return resolve_one(pattern, roots, what="image.path")
    except DataMissing as error:
        message = (
            f"slide {slide}: its image is not there: {error}; restrict `slides` to those with an image, "
            "or leave out `image`"
        )
        raise DataError(message) from error
