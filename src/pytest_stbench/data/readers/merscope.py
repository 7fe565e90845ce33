"""MERSCOPE: folders of one region, or tables of transcripts alone.

Of a folder (which names the slide) these are read: ``detected_transcripts.csv`` (or
``.parquet``), ``cell_by_gene.csv`` with ``cell_metadata.csv`` (cells), and
``cell_boundaries.parquet`` or ``*_micron_space.parquet`` (outlines). Either the transcripts or the
matrix with its metadata must be there. Coordinates are um; there is no quality of single
transcripts.

Without a matrix cells are counted from the transcripts, by the cells that they name, else by the
outlines around them.

Outlines have a row per cell and plane (``ZIndex``): the lowest plane that a cell has is taken, 0 as a
rule, and the notes say how many cells are of which. Ids are read digit by digit: they are too long
for floats.

An image of 8 bits in the frame of the mosaics is placed by ``images/micron_to_mosaic_pixel_transform.csv``
(``image: {path: ..., alignment: FILE}``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_stbench.data.naming import cells_of, names_of
from pytest_stbench.data.readers.files import companion
from pytest_stbench.data.readers.imaging.bundles import (
    Bundle,
    ImagingSource,
    index_bundles,
    is_table,
    open_bundles,
    stem_of,
)
from pytest_stbench.data.readers.imaging.cells import CellTable, counts_in_text, genes_in_text, listed_cells
from pytest_stbench.data.readers.imaging.outlines import Polygons
from pytest_stbench.data.readers.imaging.pictures import of_mosaic
from pytest_stbench.data.readers.imaging.scale import of_table, of_um
from pytest_stbench.data.readers.imaging.tables import (
    columns_of,
    first_of,
    known_cells,
)
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

RULES = "merscope/2"
CELL, ENTITY = "cell", "EntityID"
CENTRE = ("center_x", "center_y")
VOLUME = {"volume": "volume_um3"}


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:  # noqa: ARG001  # the signature of an index
    """Return one sample per folder or table."""
    return index_bundles(find_bundle, config, roots)


@reader(
    "R06",
    "merscope",
    index=index_source,
    settings=(),
    needs_path=True,
    files="`detected_transcripts.csv`, `cell_by_gene.csv` with `cell_metadata.csv`, "
    "`cell_boundaries.parquet` of the folders named by `path`",
    technology="MERSCOPE",
    resolution="cell",
    source="https://vizgen.com/products",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> ImagingSource:
    """MERSCOPE regions, or tables of transcripts alone; cells, transcripts and outlines.

    Find the folders `samples`; errors as those of the Xenium reader.
    """
    return open_bundles(find_bundle, RULES, config, samples, roots)


def find_bundle(path: Path, config: DatasetSpec) -> Bundle:
    """Return the files at `path`, a folder or a table of transcripts."""
    if is_table(path):
        return Bundle(
            slide_id=stem_of(path),
            files=(path,),
            transcripts=partial(open_transcripts, path, um_per_px=of_table(path, config, "MERSCOPE")),
            alignment=of_mosaic,
        )
    if not path.is_dir():
        raise DataError(f"{path}: neither a MERSCOPE folder nor a table of transcripts (.csv, .parquet)")
    transcripts = companion(
        path, "detected_transcripts.parquet", "detected_transcripts.csv", "detected_transcripts.csv.gz"
    )
    matrix = companion(path, "cell_by_gene.csv", "cell_by_gene.csv.gz")
    cells = companion(path, "cell_metadata.csv", "cell_metadata.csv.gz")
    outlines = companion(path, "cell_boundaries.parquet", "*_micron_space.parquet")
    if transcripts is None and (matrix is None or cells is None):
        raise DataError(
            f"{path}: not a MERSCOPE folder: it needs detected_transcripts.csv, or cell_by_gene.csv with "
            "cell_metadata.csv (outlines and mosaics alone are not read); `path` names the folders of "
            "the regions"
        )
    of_um(path, config, "MERSCOPE")
    with_matrix = matrix is not None and cells is not None
    known = known_cells(cells, ENTITY)
    return Bundle(
        slide_id=stem_of(path),
        files=tuple(file for file in (transcripts, matrix, cells, outlines) if file is not None),
        transcripts=None if transcripts is None else partial(open_transcripts, transcripts, known=known),
        cells=partial(_cells, matrix, cells, known, config) if with_matrix else None,  # type: ignore[arg-type]  # both are there
        genes=partial(_genes, matrix) if with_matrix else None,  # type: ignore[arg-type]  # it is there
        segmentations={} if outlines is None else {"cell": Polygons(outlines, "cell", known=known)},
        alignment=of_mosaic,
    )


def _key(matrix: Path) -> str:
    """Return the column that names the cell, else the first, which older files leave unnamed."""
    columns = columns_of(matrix)
    return first_of((CELL, ENTITY), columns) or columns[0]


def _genes(matrix: Path) -> tuple[str, ...]:
    return genes_in_text(matrix, {_key(matrix), CELL, ENTITY})


def _cells(matrix: Path, cells: Path, known: Container[object], config: DatasetSpec) -> CellTable:
    key, there = _key(matrix), columns_of(cells)
    named = ENTITY if ENTITY in there else there[0]
    names, measured = counts_in_text(
        matrix, [key], {key, CELL, ENTITY}, lambda part: cells_of(part[key], known)
    )
    return listed_cells(
        names,
        measured,
        cells,
        config,
        of=matrix.name,
        ids=[named],
        listed=lambda table: names_of(table[named]),
        centre=CENTRE,
        measures=VOLUME,
    )
