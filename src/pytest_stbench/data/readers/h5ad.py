"""Slides in h5ad files: one slide a file, or several told apart by ``keys.slide``."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.column_names import names_correction
from pytest_stbench.data.features import genes_in
from pytest_stbench.data.h5ad_samples import index_source
from pytest_stbench.data.images.pyramid import files_of
from pytest_stbench.data.labels import label_columns
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.annotations import embedding_of, formed_units, proportions_of
from pytest_stbench.data.readers.counts import only_genes, read_rows, shape_of
from pytest_stbench.data.readers.files import of_slide
from pytest_stbench.data.readers.geometry import coordinates, image_of
from pytest_stbench.data.readers.matrices import features_of, ids_of, matrices
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.readers.slide_rows import (
    notes_of_codes,
    notes_of_fields,
    notes_of_sections,
    rows_of,
    signs_in,
    slides_in,
)
from pytest_stbench.data.readers.tissue import NOTE
from pytest_stbench.data.roots import resolve
from pytest_stbench.data.wording import absent, listing
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader
from pytest_stbench.registry import nearest
from pytest_stbench.spec.model import ScaleSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import h5py
    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.counts import GeneCounts
    from pytest_stbench.data.readers.hdf5 import Rows
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

READING_RULES = "h5ad/4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a slide stands: in one file, alone or under its name in `column`."""

    path: Path
    column: str | None
    image: Path | None


@reader(
    "R01",
    "h5ad",
    index=index_source,
    settings=(),
    needs_path=True,
    files="the h5ad files named by `path`, and an image per slide where `image` is declared",
    source="https://anndata.readthedocs.io/en/stable/fileformat-prose.html",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> H5adSource:
    """AnnData files: one slide a file, or several slides in one file told apart by `keys.slide`.

    Find the slides `samples` in the files of ``config.path``.

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
    return H5adSource(config, samples, find_places(config, samples, roots))


def find_places(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> dict[str, Place]:
    """Return where each of the slides `samples` stands; errors as those of :func:`open_source`."""
    if config.path is None:
        raise DataError(
            "source h5ad needs `path`, the files relative to the data folder (for example 'slides/*.h5ad')"
        )
    column = config.keys.slide
    found: dict[str, tuple[Path, str | None]] = {}
    for path in resolve(config.path, roots, get=config.get, what="path"):
        with hdf5.opened(path) as file:
            named = column in hdf5.columns(file["obs"])
            slides = slides_in(file, path, column) if named else [path.stem]
        for slide in slides:
            if slide in found:
                raise DataError(
                    f"slide {slide} stands in two files, {found[slide][0]} and {path}; a slide is one file's"
                )
            found[slide] = (path, column if named else None)
    places = {}
    for sample in samples:
        if sample.slide not in found:
            raise DataError(
                f"path {config.path!r}: no file holds slide {sample.slide!r}; complete the data, "
                f"set keys.slide, or leave the slide out by `slides`; by obs[{column!r}], else by name, "
                f"the files hold {listing(found)}{nearest(sample.slide, found)}"
            )
        path, name = found[sample.slide]
        image = None if config.image is None else of_slide(sample.slide, config.image.path, roots)
        places[sample.slide] = Place(path=path, column=name, image=image)
    return places


class H5adSource:
    """The slides of one data set in h5ad files; `scales` has um per unit where other files say it."""

    def __init__(
        self,
        config: DatasetSpec,
        samples: Sequence[Sample],
        places: dict[str, Place],
        scales: Mapping[str, float | None] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self._samples = {sample.slide: sample for sample in samples}
        self._places = places
        self._scales = scales

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
        return (place.path,) if place.image is None else (place.path, *files_of(place.image))

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the genes of the slide, each once, in the order of the file."""
        with hdf5.opened(self._places[slide_id].path) as file:
            return genes_in(*features_of(file, self._matrix(file)[1], self._config.keys.gene))

    def ensembl_ids(self, slide_id: str) -> dict[str, str]:
        """Return the Ensembl id of each gene beside whose symbol the file has one."""
        with hdf5.opened(self._places[slide_id].path) as file:
            _, var = self._matrix(file)
            return ids_of(file, var, self._config.keys.gene)

    def read(self, slide_id: str) -> RawSlide:
        """Read one slide.

        Raises ``DataError`` with file and key for whatever is missing or does not fit.
        """
        place, sample = self._places[slide_id], self._samples[slide_id]
        with hdf5.opened(place.path) as file:
            names = hdf5.index_of(file["obs"])
            found = rows_of(file, place.path, place.column, slide_id)
            rows, unit_names = found.rows, names[found.rows]
            if not len(unit_names):
                off = (
                    f": all {found.off_tissue} lie off tissue (obs['in_tissue'])" if found.off_tissue else ""
                )
                raise DataError(f"{place.path}: slide {slide_id} has no units{off}; leave it out by `slides`")
            measured = self._counts(file, place.path, rows, len(names))
            config, scale = self._config, self._scales.get(slide_id)
            if scale is not None:
                config = config.model_copy(update={"scale": ScaleSpec(um_per_px=scale)})
            where = coordinates(file, place.path, config, sample, rows, len(names))
            formed = formed_units(file, place.path)
            image, xy_px = image_of(file, place.path, config, place.image, rows, len(names))
            labels, label_notes = self._labels(file, place.path, rows)
            embedding = embedding_of(file, place.path, config.keys.embedding, rows, len(names))
            own = {name: values[rows] for name, values in formed.measures.items()}
            shares = proportions_of(file, place.path, config.keys.proportions, rows)
            recorded = {f"records:{name}": 1 for name in file.get("uns", ()) if names_correction(name)}
            signs, apart = signs_in(file, where.xy_um, rows, unit_names)
            notes = notes_of_fields(file, where.xy_um, rows) | recorded
            sections = notes_of_sections(file, signs, apart, len(unit_names)) if place.column is None else {}
        return RawSlide(
            slide_id=slide_id,
            unit_names=unit_names,
            genes=measured.genes,
            counts=measured.counts,
            xy_um=where.xy_um,
            xy_px=xy_px,
            array_index=where.array_index,
            image=image,
            embedding=embedding,
            labels=labels,
            measures=measured.measures | own | shares,
            pitch_um=config.pitch_um or formed.pitch_um or where.pitch_um,
            notes={
                **measured.notes,
                "fractional_array_index": where.fractional_index,
                NOTE: found.off_tissue,
                **where.notes,
                **label_notes,
                **sections,
                **notes,
            },
        )

    def _counts(self, file: h5py.File, path: Path, rows: Rows, n_units: int) -> GeneCounts:
        node, var = self._matrix(file)
        symbols, kinds = features_of(file, var, self._config.keys.gene)
        if shape_of(node) != (n_units, len(symbols)):
            raise DataError(
                f"{path}: {node.name}: {shape_of(node)} values for {n_units} units and {len(symbols)} "
                "features; the file is damaged"
            )
        return only_genes(read_rows(node, None if isinstance(rows, slice) else rows), symbols, kinds)

    def _labels(
        self, file: h5py.File, path: Path, rows: Rows
    ) -> tuple[dict[str, NDArray[np.object_]], dict[str, int]]:
        """Return the labels of the rows, and notes on classes that are codes without names."""
        columns = label_columns(self._config.keys)
        labels = {label: _label(file, path, f"keys.{label}", c)[rows] for label, c in columns.items()}
        several = len({place.path for place in self._places.values()}) > 1
        return labels, notes_of_codes(file["obs"], columns, several=several)

    def _matrix(self, file: h5py.File) -> tuple[Any, Any]:
        name, known = self._config.keys.counts, matrices(file)
        if name in known:
            return known[name].node, known[name].var
        raise DataError(
            f"{file.filename}: there are no counts {name!r} (keys.counts); "
            f"the file has {listing(known)}{nearest(name, known)}"
        )


def _label(file: h5py.File, path: Path, key: str, column: str) -> NDArray[np.object_]:
    there = hdf5.columns(file["obs"])
    if column not in there:
        raise DataError(absent(f"{path}: obs", column, key, there))
    return hdf5.column(file["obs"], column)
