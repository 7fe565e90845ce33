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

from functools import partial
from typing import TYPE_CHECKING

from pytest_stbench.data.naming import cells_in_fields, spread
from pytest_stbench.data.readers.files import companion
from pytest_stbench.data.readers.imaging.bundles import (
    Bundle,
    ImagingSource,
    index_bundles,
    is_table,
    open_bundles,
    outlines_of_table,
    stem_of,
)
from pytest_stbench.data.readers.imaging.cells import CellTable, counts_in_text, genes_in_text, listed_cells
from pytest_stbench.data.readers.imaging.outlines import LabelImage, Polygons
from pytest_stbench.data.readers.imaging.scale import FIELD_FILES, of_table, um_per_px
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pytest_stbench.data.naming import Coded
    from pytest_stbench.data.slide import Segmentation
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

RULES = "cosmx/3"
KEYS = ("fov", "cell_ID")
CENTRE = ("CenterX_global_px", "CenterY_global_px")
NO_GENE = frozenset({*KEYS, "cell", "cell_id"})


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:  # noqa: ARG001  # the signature of an index
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
        genes=partial(genes_in_text, matrix, NO_GENE) if with_matrix else None,  # type: ignore[arg-type]  # it is there
        segmentations={} if polygons is None else {"cell": Polygons(polygons, "cell", scale)},
    )


def _table(path: Path, config: DatasetSpec) -> Bundle:
    scale = of_table(path, config, "CosMx")
    name = stem_of(path)
    outlines = outlines_of_table(path)
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


def _cells(matrix: Path, cells: Path, scale: float, config: DatasetSpec) -> CellTable:
    slides: set[str] = set()

    def named(table: pd.DataFrame) -> Coded:
        field, number = KEYS
        return cells_in_fields(table[field], table[number], slides)

    names, measured = counts_in_text(matrix, KEYS, NO_GENE, named)
    return listed_cells(
        names,
        measured,
        cells,
        config,
        of=matrix.name,
        ids=KEYS,
        listed=lambda table: spread(*named(table)),
        centre=CENTRE,
        scale=scale,
    )
