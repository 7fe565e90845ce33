"""Bundles of an imaging technology as a source of slides."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.align import align_columns
from pytest_stbench.data.features import genes_in
from pytest_stbench.data.readers.files import companion, refuse_absent, slide_paths
from pytest_stbench.data.readers.imaging.cells import (
    CellTable,
    Located,
    count_cells,
    count_in_outlines,
    outlines_in,
)
from pytest_stbench.data.readers.imaging.pictures import Picture, find_pictures, place
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.errors import DataError
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.image import Image
    from pytest_stbench.data.slide import Segmentation, Transcripts
    from pytest_stbench.spec.model import DatasetSpec

    FindBundle = Callable[[Path, DatasetSpec], "Bundle"]

OUTLINES = (".parquet", ".csv", ".csv.gz", ".geojson", ".geojson.gz")
TABLES = (".parquet", ".csv", ".csv.gz", ".tsv")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The files of one slide; nothing of them is read yet.

    ``transcripts`` opens the table of transcripts, ``cells`` reads a matrix of the vendor; without
    a matrix cells are counted from the transcripts: those that they name, else those of the outlines.
    ``genes`` lists the symbols of that matrix.
    ``image`` opens an image of the bundle's own and the map (3, 3) from um to its pixels.
    ``alignment`` makes of the file of a matrix the map (3, 3) from um to pixels of a declared image.
    ``technology`` and ``resolution`` are what the files themselves say they are.
    """

    slide_id: str
    files: tuple[Path, ...]
    transcripts: Callable[[], Transcripts] | None = None
    cells: Callable[[], CellTable] | None = None
    genes: Callable[[], tuple[str, ...]] | None = None
    segmentations: Mapping[str, Segmentation] = field(default_factory=dict)
    panel: str | None = None
    technology: str | None = None
    resolution: str | None = None
    image: Callable[[], tuple[Image, NDArray[np.float64]]] | None = None
    alignment: Callable[[Path], NDArray[np.float64]] | None = None


class ImagingSource:
    """Slides of one imaging technology.

    A table of transcripts lists only what was seen. Slides of one declared panel (`panels`, by
    slide) measured the same genes: where cells are counted from transcripts, they have the genes
    that any of them saw.
    """

    def __init__(
        self,
        rules: str,
        config: DatasetSpec,
        bundles: Mapping[str, Bundle],
        images: Mapping[str, Picture],
        panels: Mapping[str, str | None],
    ) -> None:
        self._rules = rules
        self._config = config
        self._bundles = bundles
        self._images = images
        self._panels = panels
        self._seen: dict[str, frozenset[str]] = {}

    def fingerprint(self) -> str:
        """Return the version of the reading rules."""
        return self._rules

    def offers(self) -> frozenset[str]:
        """Return ``image`` where it is declared or in all bundles, ``transcripts`` where all have them."""
        own = all(bundle.image is not None for bundle in self._bundles.values())
        found = {"image"} if self._images or own else set()
        if all(bundle.transcripts is not None for bundle in self._bundles.values()):
            found.add("transcripts")
        return frozenset(found)

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the files of the bundle, and the image and its matrix where they are declared."""
        image = self._images[slide_id].files if slide_id in self._images else ()
        return (*self._bundles[slide_id].files, *image)

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the genes that were measured."""
        bundle = self._bundles[slide_id]
        if bundle.genes is not None:
            return bundle.genes()
        panel = self._panels.get(slide_id)
        alike = [other for other in self._bundles if panel is not None and self._panels.get(other) == panel]
        names = {gene for other in alike or [slide_id] for gene in self._features(other)}
        return tuple(sorted(names))

    def _features(self, slide_id: str) -> frozenset[str]:
        """Return the genes that the table of a slide names."""
        open_table = self._bundles[slide_id].transcripts
        if slide_id not in self._seen and open_table is not None:
            table = open_table()
            self._seen[slide_id] = frozenset(genes_in(table.features, table.kinds))
        return self._seen.get(slide_id, frozenset())

    def read(self, slide_id: str) -> RawSlide:
        """Read the cells of a slide; its transcripts and outlines are opened, not read."""
        bundle = self._bundles[slide_id]
        # of its own, so that outlines that were read are forgotten with the slide
        segmentations = {name: copy(outlines) for name, outlines in bundle.segmentations.items()}
        cells, table = self._cells(bundle, segmentations)
        genes, counts = cells.genes, cells.counts
        if bundle.genes is None:
            genes = np.array(self.genes(slide_id), dtype=np.str_)
            counts = align_columns(counts, cells.genes, genes)
        image, xy_px = self._image(slide_id, cells.xy_um)
        return RawSlide(
            slide_id=slide_id,
            unit_names=cells.names,
            genes=genes,
            counts=counts,
            xy_um=cells.xy_um,
            xy_px=xy_px,
            image=image,
            labels=cells.labels,
            measures=cells.measures,
            transcripts=table,
            segmentations=segmentations,
            notes=cells.notes,
        )

    def _cells(
        self, bundle: Bundle, segmentations: Mapping[str, Segmentation]
    ) -> tuple[CellTable, Transcripts | None]:
        """Return the cells of a bundle, and its transcripts, which know them by the same names."""
        table = bundle.transcripts() if bundle.transcripts is not None else None
        if bundle.cells is not None:
            return bundle.cells(), table
        assert table is not None  # a bundle has one or the other
        cells, outlines = count_cells(table), outlines_in(segmentations)
        if len(cells.names) or outlines is None:
            return cells, table
        located = Located(table, outlines)
        return count_in_outlines(located, outlines), located

    def _image(
        self, slide_id: str, xy_um: NDArray[np.float64]
    ) -> tuple[Image | None, NDArray[np.float64] | None]:
        declared = self._config.image
        open_own = self._bundles[slide_id].image
        if declared is None and open_own is not None:
            image, to_px = open_own()
            return image, xy_um @ to_px[:2, :2].T + to_px[:2, 2]
        if declared is None or slide_id not in self._images:
            return None, None
        return place(slide_id, declared, self._images[slide_id], self._bundles[slide_id].alignment, xy_um)


def open_bundles(
    find: FindBundle, rules: str, config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]
) -> ImagingSource:
    """Find the bundles of `samples` and the declared images.

    `find` returns the bundle at a path, a folder or a table of transcripts; it raises ``DataError`` where
    there is none.
    """
    bundles = find_bundles(find, config, roots)
    refuse_absent(config, samples, tuple(bundles), "bundle")
    wanted = {sample.slide: bundles[sample.slide] for sample in samples}
    panels = {sample.slide: sample.panel for sample in samples}
    return ImagingSource(rules, config, wanted, find_pictures(config, wanted, roots), panels)


def index_bundles(find: FindBundle, config: DatasetSpec, roots: Sequence[Path]) -> list[Sample]:
    """Return one sample per bundle, named like it; the patient is for a samples table to say."""
    return [
        Sample(slide=slide, panel=bundle.panel, technology=bundle.technology, resolution=bundle.resolution)
        for slide, bundle in find_bundles(find, config, roots).items()
    ]


def find_bundles(find: FindBundle, config: DatasetSpec, roots: Sequence[Path]) -> dict[str, Bundle]:
    """Return the bundles that ``config.path`` names, by slide."""
    found: dict[str, Bundle] = {}
    for path in slide_paths(config, roots):
        bundle = find(path, config)
        if bundle.slide_id in found:
            raise DataError(
                f"path {config.path!r}: two bundles are called {bundle.slide_id!r}, one is {path}; "
                "name the folders apart"
            )
        found[bundle.slide_id] = bundle
    return found


def outlines_of_table(table: Path) -> Path | None:
    """Return the outlines of cells that go with a table of transcripts, ``../boundaries/NAME``."""
    name = stem_of(table)
    return companion(table.parent.parent / "boundaries", *(f"{name}{ending}" for ending in OUTLINES))


def stem_of(path: Path) -> str:
    """Return the name of a slide: of a folder its name, of a table its name without suffixes."""
    if path.is_dir():
        return path.name
    return path.name[: -len(".csv.gz")] if path.name.endswith(".csv.gz") else path.stem


def is_table(path: Path) -> bool:
    """Tell whether `path` is a table of transcripts by its name."""
    return path.is_file() and path.name.endswith(TABLES)
