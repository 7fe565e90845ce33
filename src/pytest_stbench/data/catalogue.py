"""The readers: what ``source:`` of a data set may be."""

from __future__ import annotations

from pytest_stbench.registry import Reader

READERS: tuple[Reader, ...] = (
    Reader(
        id="R01",
        name="h5ad",
        summary="AnnData files: one slide a file, or several slides in one file told apart by `keys.slide`",
        target="pytest_stbench.data.readers.h5ad:open_source",
        index="pytest_stbench.data.index:index_source",
        settings=(),
        needs_path=True,
        files="the h5ad files named by `path`, and an image per slide where `image` is declared",
        source="https://anndata.readthedocs.io/en/stable/fileformat-prose.html",
    ),
    Reader(
        id="R02",
        name="simulated",
        summary="a seeded tumour cohort of several patients with known truth; `params` sets it up",
        target="pytest_stbench.data.simulate:open_source",
        index="pytest_stbench.data.simulate.table:index_source",
    ),
    Reader(
        id="R03",
        name="visium",
        summary="output folders of Space Ranger: Visium spots (versions 1 to 4), bins and cells of Visium HD",
        target="pytest_stbench.data.readers.visium:open_source",
        index="pytest_stbench.data.readers.visium:index_source",
        settings=("bin",),
        needs_path=True,
        files="`filtered_feature_bc_matrix.h5`, `spatial/tissue_positions*.csv` (HD: `.parquet`), "
        "`spatial/scalefactors_json.json`, `spatial/tissue_hires_image.png` of the folders named by `path`; "
        "of `segmented_outputs` `filtered_feature_cell_matrix.h5`, `*_segmentations.geojson`",
        source="https://www.10xgenomics.com/support/software/space-ranger",
    ),
    Reader(
        id="R04",
        name="xenium",
        summary="Xenium bundles, or tables of transcripts alone; cells, transcripts and outlines",
        target="pytest_stbench.data.readers.xenium:open_source",
        index="pytest_stbench.data.readers.xenium:index_source",
        settings=(),
        technology="Xenium",
        resolution="cell",
        needs_path=True,
        files="`transcripts.parquet`, `cell_feature_matrix.h5` with `cells.parquet`, "
        "`cell_boundaries.parquet`, `nucleus_boundaries.parquet`, `experiment.xenium` of the folders that "
        "`path` names (`.csv.gz` too)",
        source="https://www.10xgenomics.com/support/software/xenium-onboard-analysis",
    ),
    Reader(
        id="R05",
        name="cosmx",
        summary="CosMx flat files, or tables of transcripts alone; cells, transcripts and outlines",
        target="pytest_stbench.data.readers.cosmx:open_source",
        index="pytest_stbench.data.readers.cosmx:index_source",
        settings=(),
        technology="CosMx",
        resolution="cell",
        needs_path=True,
        files="`*_tx_file.csv`, `*_exprMat_file.csv` with `*_metadata_file.csv`, `*-polygons.csv` of the "
        "folders named by `path` (`.csv.gz` too); of tables also `../boundaries` and `../labels`",
        source="https://nanostring.com/products/cosmx-spatial-molecular-imager",
    ),
    Reader(
        id="R06",
        name="merscope",
        summary="MERSCOPE regions, or tables of transcripts alone; cells, transcripts and outlines",
        target="pytest_stbench.data.readers.merscope:open_source",
        index="pytest_stbench.data.readers.merscope:index_source",
        settings=(),
        technology="MERSCOPE",
        resolution="cell",
        needs_path=True,
        files="`detected_transcripts.csv`, `cell_by_gene.csv` with `cell_metadata.csv`, "
        "`cell_boundaries.parquet` of the folders named by `path`",
        source="https://vizgen.com/products",
    ),
    Reader(
        id="R07",
        name="spatialdata",
        summary="SpatialData zarr stores: table, transcripts, outlines and image (extra `spatialdata`)",
        target="pytest_stbench.data.readers.spatialdata.source:open_source",
        index="pytest_stbench.data.readers.spatialdata.source:index_source",
        needs_path=True,
        files="of the folders `NAME.zarr` that `path` names: a table, the shapes or labels it annotates, "
        "points, outlines of cells and nuclei, an image of r, g and b; zarr formats 2 and 3",
        source="https://spatialdata.scverse.org/en/stable/design_doc.html",
    ),
    Reader(
        id="R08",
        name="hest",
        summary="a folder of HEST-1k, or of one task of HEST-Benchmark with its published splits",
        target="pytest_stbench.data.readers.hest:open_source",
        index="pytest_stbench.data.readers.hest:index_source",
        settings=(),
        needs_path=True,
        files="`st/*.h5ad` or `adata/*.h5ad`, `metadata/*.json`, `HEST_v*.csv`, `splits/train_*.csv`, "
        "`splits/test_*.csv`, `patches/*.h5` of the folder named by `path`",
        source="https://huggingface.co/datasets/MahmoodLab/hest",
    ),
    Reader(
        id="R09",
        name="catalog",
        summary="a public data set by name: `path` is an entry of `stbench data list`",
        target="pytest_stbench.data.readers.catalog:open_source",
        index="pytest_stbench.data.readers.catalog:index_source",
        needs_path=True,
        files="those of the reader that the entry names",
    ),
)
