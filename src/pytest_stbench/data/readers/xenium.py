"""Xenium: bundles of the onboard analysis, or tables of transcripts alone.

Of a bundle (a folder, which names the slide) these are read: ``transcripts.parquet`` (or
``.csv.gz``), ``cell_feature_matrix.h5`` with ``cells.parquet`` (or ``.csv.gz``),
``cell_boundaries`` and ``nucleus_boundaries`` (``.parquet`` or ``.csv.gz``), and of
``experiment.xenium`` the name of the panel and the pixel size. Either the transcripts or the
matrix with its cells must be there; the rest is optional. Where `path` names a table of
transcripts, its name is that of the slide, and outlines are looked for in
``../boundaries/NAME`` (``.parquet``, ``.csv``, ``.csv.gz``, ``.geojson``, ``.geojson.gz``).

Cells are those of the matrix; without one they are counted from the transcripts (quality 20 and
above): those that the transcripts name, else those of ``cell_boundaries`` around them. Nuclei are told
apart by ``label_id``: several of one cell are several instances. Coordinates are um already.

An H&E is placed by the matrix that Xenium Explorer writes (``image: {path: ..., alignment: FILE}``):
pixels of the H&E to those of the morphology image, whose size ``experiment.xenium`` says.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.naming import names_of
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.data.readers.files import companion, json_of
from pytest_stbench.data.readers.imaging.bundles import (
    Bundle,
    ImagingSource,
    index_bundles,
    is_table,
    open_bundles,
    outlines_of_table,
    stem_of,
)
from pytest_stbench.data.readers.imaging.cells import CellTable, listed_cells
from pytest_stbench.data.readers.imaging.outlines import Polygons
from pytest_stbench.data.readers.imaging.pictures import XENIUM_PIXEL_UM, of_explorer
from pytest_stbench.data.readers.imaging.scale import of_table, of_um
from pytest_stbench.data.readers.imaging.tables import (
    known_cells,
)
from pytest_stbench.data.readers.tenx import read_features, read_matrix
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

RULES = "xenium/2"
PIXEL_UM = (0.05, 1.0)
"""Pixel sizes a Xenium instrument can have; it is 0.2125 um."""

AREAS = {"cell_area": "cell_area_um2", "nucleus_area": "nucleus_area_um2"}
OUTLINES = {"cell": "cell_boundaries", "nucleus": "nucleus_boundaries"}


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:  # noqa: ARG001  # the signature of an index
    """Return one sample per bundle with the panel that ``experiment.xenium`` names."""
    return index_bundles(find_bundle, config, roots)


@reader(
    "R04",
    "xenium",
    index=index_source,
    settings=(),
    needs_path=True,
    files="`transcripts.parquet`, `cell_feature_matrix.h5` with `cells.parquet`, "
    "`cell_boundaries.parquet`, `nucleus_boundaries.parquet`, `experiment.xenium` of the folders that "
    "`path` names (`.csv.gz` too)",
    technology="Xenium",
    resolution="cell",
    source="https://www.10xgenomics.com/support/software/xenium-onboard-analysis",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> ImagingSource:
    """Xenium bundles, or tables of transcripts alone; cells, transcripts and outlines.

    Find the bundles `samples`.

    Raises
    ------
    DataMissing
        Nothing is there.
    DataError
        A folder that is no bundle, a slide without one, an image that is declared and absent.
    """
    return open_bundles(find_bundle, RULES, config, samples, roots)


def find_bundle(path: Path, config: DatasetSpec) -> Bundle:
    """Return the bundle at `path`, a folder or a table of transcripts."""
    if is_table(path):
        beside = outlines_of_table(path)
        outlines = {} if beside is None else {"cell": Polygons(beside, "cell")}
        return Bundle(
            slide_id=stem_of(path),
            files=(path, *(() if beside is None else (beside,))),
            transcripts=partial(open_transcripts, path, um_per_px=of_table(path, config, "Xenium")),
            segmentations=outlines,
            alignment=of_explorer,
        )
    if not path.is_dir():
        message = f"{path}: neither a Xenium bundle (a folder) nor a table of transcripts (.parquet, .csv.gz)"
        raise DataError(message)
    transcripts = companion(path, "transcripts.parquet", "transcripts.csv.gz", "transcripts.csv")
    matrix = companion(path, "cell_feature_matrix.h5")
    cells = companion(path, "cells.parquet", "cells.csv.gz", "cells.csv")
    experiment = companion(path, "experiment.xenium")
    outlines_of = {
        kind: companion(path, f"{name}.parquet", f"{name}.csv.gz", f"{name}.csv")
        for kind, name in OUTLINES.items()
    }
    if transcripts is None and (matrix is None or cells is None):
        raise DataError(
            f"{path}: not a Xenium bundle: it needs transcripts.parquet, or cell_feature_matrix.h5 with "
            "cells.parquet; `path` names the folders of the bundles"
        )
    of_um(path, config, "Xenium")
    facts = _experiment(experiment)
    with_matrix = matrix is not None and cells is not None
    known = known_cells(cells, "cell_id")
    used = (transcripts, matrix, cells, experiment, *outlines_of.values())
    return Bundle(
        slide_id=stem_of(path),
        files=tuple(file for file in used if file is not None),
        transcripts=None if transcripts is None else partial(open_transcripts, transcripts, known=known),
        cells=partial(_cells, matrix, cells, config) if with_matrix else None,  # type: ignore[arg-type]  # both are there
        genes=partial(_genes, matrix) if with_matrix else None,  # type: ignore[arg-type]  # it is there
        segmentations={
            kind: Polygons(file, kind, known=known)  # type: ignore[arg-type]  # the keys of OUTLINES are the kinds
            for kind, file in outlines_of.items()
            if file is not None
        },
        panel=facts.get("panel_name"),
        alignment=partial(of_explorer, pixel_um=facts.get("pixel_size", XENIUM_PIXEL_UM)),
    )


def _experiment(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    facts = json_of(path)
    size = facts.get("pixel_size")
    if size is not None and not (isinstance(size, int | float) and PIXEL_UM[0] <= size <= PIXEL_UM[1]):
        raise DataError(
            f"{path}: pixel_size is {size!r} um; a Xenium pixel is 0.2125 um ({PIXEL_UM[0]} to {PIXEL_UM[1]} "
            "are accepted): the file is damaged or of another instrument"
        )
    return facts


def _genes(matrix: Path) -> tuple[str, ...]:
    return read_features(matrix).genes


def _cells(matrix: Path, cells: Path, config: DatasetSpec) -> CellTable:
    found = read_matrix(matrix)
    return listed_cells(
        found.barcodes,
        only_genes(found.counts, found.features.names, found.features.kinds),
        cells,
        config,
        of=matrix.name,
        ids=["cell_id"],
        listed=lambda table: names_of(table["cell_id"]),
        centre=["x_centroid", "y_centroid"],
        measures=AREAS,
        uncounted="cells_without_counts_in_matrix",
    )
