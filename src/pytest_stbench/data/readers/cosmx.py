"""CosMx: flat files of an experiment, or tables of transcripts alone.

Of a folder (which names the slide) these are read: ``*_tx_file.csv`` (transcripts),
``*_exprMat_file.csv`` with ``*_metadata_file.csv`` (cells) and ``*-polygons.csv`` (outlines), each
plain or as ``.csv.gz``. Either the transcripts or the matrix with its metadata must be there.
Without a matrix cells are counted from the transcripts, by the cells that they name, else by the
outlines around them.

Coordinates are pixels of the whole slide; their size is told by ``*_fov_positions_file.csv`` (pixels and
mm), by the areas of cells in pixels and um2, or by ``scale: UM_PER_PX``. Where `path` names a
table of transcripts, its name is that of the slide; outlines are looked for in ``../boundaries/NAME``
(``.parquet``, ``.csv``, ``.csv.gz``, ``.geojson``, ``.geojson.gz``) and a label image in
``../labels/NAME.npz``.

Cells are called ``FOV_NUMBER`` in every table, by ``fov`` and ``cell_ID`` where both are there, else by
``cell`` (``c_SLIDE_FOV_NUMBER``). Number 0 of a field of view holds what is in no cell: it is left
out and counted.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.features import GENE, kinds_of
from pytest_stbench.data.labels import labels_of
from pytest_stbench.data.naming import cells_in_fields, spread
from pytest_stbench.data.readers.cosmx_scale import FIELD_FILES, um_per_px
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.data.readers.imaging.cells import CellTable
from pytest_stbench.data.readers.imaging.outlines import LabelImage, Polygons
from pytest_stbench.data.readers.imaging.scale import of_table
from pytest_stbench.data.readers.imaging.source import (
    Bundle,
    ImagingSource,
    companion,
    index_bundles,
    is_table,
    open_bundles,
    outlines_beside,
    stem_of,
)
from pytest_stbench.data.readers.imaging.tables import (
    features_of,
    ids_of,
    matrix_of,
    numbers_of,
    rows_of,
    whole,
)
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pytest_stbench.data.naming import Coded
    from pytest_stbench.data.segmentation import Segmentation
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

RULES = "cosmx/3"
KEYS = ("fov", "cell_ID")
CENTRE = ("CenterX_global_px", "CenterY_global_px")
NUMBER = re.compile(r"c_\d+_\d+_(?=\d+$)")
"""Before the number of a cell where ``cell_ID`` names it as text: slide and field of view."""
NO_GENE = frozenset({*KEYS, "cell", "cell_id"})


def index_source(
    config: DatasetSpec,
    roots: Sequence[Path],
    store: Path | None,  # noqa: ARG001 - named by the reader protocol; the names of files are enough
) -> list[Sample]:
    """Return one sample per folder or table."""
    return index_bundles(find_bundle, config, roots)


@reader(
    "R05",
    "cosmx",
    index=index_source,
    settings=(),
    needs_path=True,
    files="`*_tx_file.csv`, `*_exprMat_file.csv` with `*_metadata_file.csv`, `*-polygons.csv` of the "
    "folders named by `path` (`.csv.gz` too); of tables also `../boundaries` and `../labels`",
    technology="CosMx",
    resolution="cell",
    source="https://nanostring.com/products/cosmx-spatial-molecular-imager",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> ImagingSource:
    """CosMx flat files, or tables of transcripts alone; cells, transcripts and outlines.

    Find the bundles `samples`; errors as those of the Xenium reader.
    """
    return open_bundles(find_bundle, RULES, config, samples, roots)


def find_bundle(path: Path, config: DatasetSpec) -> Bundle:
    """Return the flat files at `path`, a folder or a table of transcripts."""
    if is_table(path):
        return _table(path, config)
    if not path.is_dir():
        raise DataError(
            f"{path}: neither a folder of CosMx flat files nor a table of transcripts (.parquet, .csv.gz)"
        )
    transcripts = companion(path, "*_tx_file.csv", "*_tx_file.csv.gz", "*_tx_file.parquet")
    matrix = companion(path, "*_exprMat_file.csv", "*_exprMat_file.csv.gz")
    cells = companion(path, "*_metadata_file.csv", "*_metadata_file.csv.gz")
    polygons = companion(path, "*-polygons.csv", "*-polygons.csv.gz", "*_polygons.csv")
    if transcripts is None and (matrix is None or cells is None):
        raise DataError(
            f"{path}: not a folder of CosMx flat files: it needs *_tx_file.csv, or *_exprMat_file.csv with "
            "*_metadata_file.csv; `path` names the folders"
        )
    fields = companion(path, *FIELD_FILES)
    scale = um_per_px(path, config, fields, cells)
    with_matrix = matrix is not None and cells is not None
    return Bundle(
        slide_id=stem_of(path),
        files=tuple(file for file in (transcripts, matrix, cells, polygons, fields) if file is not None),
        transcripts=None if transcripts is None else partial(open_transcripts, transcripts, um_per_px=scale),
        cells=partial(_cells, matrix, cells, scale, config) if with_matrix else None,  # type: ignore[arg-type]  # both are there
        genes=partial(_genes, matrix) if with_matrix else None,  # type: ignore[arg-type]  # it is there
        segmentations={} if polygons is None else {"cell": Polygons(polygons, "cell", scale)},
    )


def _table(path: Path, config: DatasetSpec) -> Bundle:
    scale = of_table(path, config, "CosMx")
    name = stem_of(path)
    outlines = outlines_beside(path)
    image = companion(path.parent.parent / "labels", f"{name}.npz")
    segmentations: dict[str, Segmentation] = {}
    if outlines is not None:
        segmentations["cell"] = Polygons(outlines, "cell")
    if image is not None:
        segmentations["cell_labels"] = LabelImage(image, "cell", scale)
    return Bundle(
        slide_id=name,
        files=tuple(file for file in (path, outlines, image) if file is not None),
        transcripts=partial(open_transcripts, path, um_per_px=scale),
        segmentations=segmentations,
    )


def _genes(matrix: Path) -> tuple[str, ...]:
    names, _ = features_of(matrix, NO_GENE)
    return tuple(dict.fromkeys(np.array(names, dtype=np.str_)[kinds_of(names) == GENE].tolist()))


def _cells(matrix: Path, cells: Path, scale: float, config: DatasetSpec) -> CellTable:
    features, numbers = features_of(matrix, NO_GENE)
    slides: set[str] = set()

    def named(table: pd.DataFrame) -> Coded:
        field, number = KEYS
        return cells_in_fields(table[field], table[number], slides)

    names, found, background = matrix_of(matrix, features, KEYS, named)
    measured = only_genes(found, np.array(features, dtype=np.str_), kinds_of(features))
    labels = {k: c for k, c in (("niche", config.keys.niche), ("cell_type", config.keys.cell_type)) if c}
    table = whole(cells, [*KEYS, *CENTRE, *labels.values()], [*KEYS, *labels.values()])
    with ids_of(cells):
        rows = rows_of(names, spread(*named(table)), cells, matrix.name)
    return CellTable(
        names=names,
        genes=measured.genes,
        counts=measured.counts,
        xy_um=numbers_of(table, CENTRE, cells)[rows] * scale,
        labels={key: labels_of(table[column])[rows] for key, column in labels.items()},
        measures=measured.measures,
        notes={
            **measured.notes,
            "background_rows": background,
            **({"row_number_columns": numbers} if numbers else {}),
        },
    )
