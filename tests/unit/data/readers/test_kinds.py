"""What a feature is and what class a label is: the same in every reader."""

from __future__ import annotations

import json

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

from . import stores
from .bundles import write_10x_matrix

NAMES = ("EPCAM", "CD4", "NegControlProbe_1", "UnassignedCodeword_2", "CD4", "mouse_IgG2a", "PanCK")
TYPES = ("Gene Expression", "Gene Expression", "Negative Control Probe", "Unassigned Codeword",
         "Protein Expression", "Protein Expression", "Protein Expression")  # fmt: skip
COUNTS = np.arange(1, 43).reshape(6, 7)
APART = {
    "control_features": 1, "control_counts": COUNTS[:, 2].sum(),
    "features:negative_control_probe": 1, "counts:negative_control_probe": COUNTS[:, 2].sum(),
    "features:unassigned_codeword": 1, "counts:unassigned_codeword": COUNTS[:, 3].sum(),
    "features:protein": 2, "counts:protein": COUNTS[:, [4, 6]].sum(),
    "features:isotype_control": 1, "counts:isotype_control": COUNTS[:, 5].sum(),
    "duplicate_symbols_summed": 0,
}  # fmt: skip
CELLS = [f"c{i}-1" for i in range(6)]


def opened(tmp_path, source, path, **changes):
    config = DatasetSpec(source=source, path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])


def judged(dataset, expected=APART, genes=("EPCAM", "CD4")):
    (name,) = dataset.slide_ids
    slide = dataset.slide(name)
    assert dataset.panels[name] == genes
    columns = {"EPCAM": COUNTS[:, 0], "CD4": COUNTS[:, 1]}
    for column, gene in enumerate(slide.genes.tolist()):
        np.testing.assert_array_equal(slide.counts.toarray()[:, column], columns[gene])
    np.testing.assert_array_equal(slide.libsize, sum(columns[gene] for gene in genes))
    notes = {note: found[name] for note, found in dataset.notes.items()}
    assert {note: number for note, number in notes.items() if note in expected or ":" in note} == expected
    return slide


@pytest.fixture
def bundle(tmp_path):
    """A Xenium bundle with proteins; its table of features is as given."""

    def write(names=NAMES, types=TYPES, ids=None):
        folder = tmp_path / "S1"
        folder.mkdir()
        write_10x_matrix(folder / "cell_feature_matrix.h5", COUNTS.T, names, types, CELLS, ids)
        place = pd.DataFrame({"cell_id": CELLS, "x_centroid": np.arange(6) * 9.0, "y_centroid": 0.0})
        place.to_parquet(folder / "cells.parquet")
        (folder / "experiment.xenium").write_text(json.dumps({"pixel_size": 0.2125}))
        return folder / "cell_feature_matrix.h5"

    return write


def test_a_xenium_bundle_with_proteins(tmp_path, bundle):
    bundle()
    slide = judged(opened(tmp_path, "xenium", "S1"))
    np.testing.assert_array_equal(slide.measures["control_counts"], COUNTS[:, 2])


@pytest.mark.parametrize("lost", [("name",), ("feature_type",), ("name", "feature_type")])
def test_a_table_of_features_that_lacks_columns(tmp_path, bundle, lost):
    marked = [
        "EPCAM",
        "CD4",
        "NegControlProbe_1",
        "UnassignedCodeword_2",
        "CD4_TotalSeqB",
        "mouse_IgG2a",
        "PanCK_ADT",
    ]
    path = bundle(marked, ids=marked)
    with h5py.File(path, "a") as file:
        for name in lost:
            del file["matrix/features"][name]
    expected = dict(APART)
    if "feature_type" in lost:
        expected |= {"features:antibody": 2, "counts:antibody": expected.pop("counts:protein")}
        del expected["features:protein"]
    judged(opened(tmp_path, "xenium", "S1"), expected)


def test_a_feature_without_a_name_is_called_by_its_id(tmp_path, bundle):
    bundle(["", *NAMES[1:]], ids=["EPCAM", *NAMES[1:]])
    judged(opened(tmp_path, "xenium", "S1"))


def test_a_table_of_features_without_any_name_is_told(tmp_path, bundle):
    path = bundle()
    with h5py.File(path, "a") as file:
        del file["matrix/features/name"], file["matrix/features/id"]
    with pytest.raises(DataError, match=r"cell_feature_matrix\.h5: .*neither name nor id"):
        opened(tmp_path, "xenium", "S1").slide("S1")


KINDS = {
    "feature_types": pd.Categorical(TYPES, categories=["unused", *dict.fromkeys(TYPES)]),
    "feature_type": list(TYPES),
    "modality": ["rna", "rna", None, None, "protein", "protein", "protein"],
}


def annotated(column, values, layer=None):
    counts = sparse.csr_matrix(COUNTS.astype(np.float32))
    adata = ad.AnnData(
        counts, obs=pd.DataFrame({"patient": "P1"}, index=CELLS), var=pd.DataFrame(index=list(NAMES))
    )
    adata.var[column] = values
    adata.obsm["spatial"] = np.column_stack([np.arange(6) * 9.0, np.zeros(6)])
    if layer == "raw":
        adata.raw = adata
        adata.X = np.log1p(COUNTS)
    elif layer is not None:
        adata.layers[layer] = counts
    return adata


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize("column", KINDS)
@pytest.mark.parametrize("layer", [None, "raw", "counts"])
def test_an_annotated_matrix(tmp_path, column, layer):
    annotated(column, KINDS[column], layer).write_h5ad(tmp_path / "S1.h5ad")
    judged(opened(tmp_path, "h5ad", "S1.h5ad", keys={"counts": layer or "X"}, resolution="cell"))


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_intensities_with_fractions_beside_counts(tmp_path):
    adata = annotated("feature_types", list(TYPES))
    values = COUNTS.astype(np.float32)
    values[:, 4] += 0.2
    adata.X = values
    adata.write_h5ad(tmp_path / "S1.h5ad")
    expected = APART | {"counts:protein": round(values[:, [4, 6]].sum())}
    assert judged(opened(tmp_path, "h5ad", "S1.h5ad", resolution="cell"), expected).counts.dtype == np.int32


@pytest.mark.filterwarnings("ignore:Variable names are not unique", "ignore:zarr v3 autosharding:UserWarning")
@pytest.mark.parametrize("column", KINDS)
@pytest.mark.parametrize("zarr_format", stores.FORMATS)
def test_a_table_of_a_store(tmp_path, column, zarr_format):
    zarr = pytest.importorskip("zarr")
    stores.write_group(tmp_path / "S1.zarr", zarr_format=zarr_format)
    stores.write_group(tmp_path / "S1.zarr" / "tables", zarr_format=zarr_format)
    tables = zarr.open_group(str(tmp_path / "S1.zarr" / "tables"), mode="a")
    ad.io.write_elem(tables, "table", annotated(column, KINDS[column]))
    judged(opened(tmp_path, "spatialdata", "S1.zarr", scale={"um_per_px": 1.0}))


def test_blanks_and_intensities_of_csv_files(tmp_path):
    folder = tmp_path / "S1"
    folder.mkdir()
    names = ["EPCAM", "CD4", "Blank-1"]
    matrix = pd.DataFrame(COUNTS[:, :3], index=pd.Index(range(6), name="cell"), columns=names)
    matrix.to_csv(folder / "cell_by_gene.csv")
    place = pd.DataFrame({"EntityID": range(6), "center_x": np.arange(6) * 9.0, "center_y": 0.0})
    place.to_csv(folder / "cell_metadata.csv", index=False)
    expected = {
        "control_features": 1, "control_counts": COUNTS[:, 2].sum(), "features:blank": 1,
        "counts:blank": COUNTS[:, 2].sum(),
    }  # fmt: skip
    slide = judged(opened(tmp_path, "merscope", "S1"), expected)
    np.testing.assert_array_equal(slide.measures["control_counts"], COUNTS[:, 2])


def test_proteins_of_cosmx(tmp_path):
    folder = tmp_path / "S1"
    folder.mkdir()
    names = ["EPCAM", "CD4", "Negative1", "SystemControl3", "Channel-PanCK", "Ms IgG1", "Rb IgG"]
    matrix = pd.DataFrame(COUNTS, columns=names)
    keys = pd.DataFrame({"fov": 1, "cell_ID": range(1, 7)})
    pd.concat([keys, matrix], axis=1).to_csv(folder / "S_exprMat_file.csv", index=False)
    keys.assign(CenterX_global_px=np.arange(6) * 90, CenterY_global_px=0).to_csv(
        folder / "S_metadata_file.csv", index=False
    )
    expected = {
        "control_features": 2, "control_counts": COUNTS[:, 2:4].sum(),
        "features:negative_control_probe": 1, "counts:negative_control_probe": COUNTS[:, 2].sum(),
        "features:system_control": 1, "counts:system_control": COUNTS[:, 3].sum(),
        "features:stain": 1, "counts:stain": COUNTS[:, 4].sum(),
        "features:isotype_control": 2, "counts:isotype_control": COUNTS[:, 5:].sum(),
    }  # fmt: skip
    judged(opened(tmp_path, "cosmx", "S1", scale={"um_per_px": 0.12}), expected)


MARKS = {
    "codeword_category": ["predesigned_gene", "custom_gene", "unassigned_codeword", "genomic_control_probe"],
    "codeclass": ["Endogenous", "Endogenous", "Negative", "SystemControl"],
    "is_gene": [True, True, False, False],
    "is_control": [False, False, True, True],
}
TOLD = {
    "codeword_category": ["unassigned_codeword", "genomic_control"],
    "codeclass": ["negative_control_probe", "system_control"],
    "is_gene": ["no_gene", "blank"],
    "is_control": ["negative_control", "blank"],
}


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz"])
@pytest.mark.parametrize("column", MARKS)
def test_a_table_of_transcripts(tmp_path, column, ending):
    plain = column.startswith("is_")
    names = np.array(["EPCAM", "CD4", "odd_1", "BLANK_1" if plain else "odd_2"])
    feature = np.random.default_rng(0).integers(0, 4, 400)
    table = pd.DataFrame({"x": np.arange(400.0), "y": 0.0, "gene": names[feature]})
    table[column] = np.array(MARKS[column], dtype=object)[feature]
    path = tmp_path / f"t{ending}"
    if ending == ".parquet":
        table.astype({column: bool if plain else "category"}).to_parquet(path)
    else:
        table.to_csv(path, index=False)
    found = open_transcripts(path)
    kinds = dict(zip(found.features.tolist(), found.kinds.tolist(), strict=True))
    assert kinds == dict(zip(names.tolist(), ["gene", "gene", *TOLD[column]], strict=True))


def test_a_feature_of_two_kinds_is_told(tmp_path):
    table = pd.DataFrame(
        {
            "x": 0.0,
            "y": 0.0,
            "gene": ["CD4", "CD4"],
            "codeword_category": ["predesigned_gene", "deprecated_codeword"],
        }
    )
    table.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"codeword_category the rows of 'CD4' .*deprecated_codeword, gene"):
        _ = open_transcripts(tmp_path / "t.parquet").kinds


LABELS = {
    "Int64": pd.array([1, 2, 1, None, 1, 2], dtype="Int64"),
    "float": [1.0, 2.0, 1.0, np.nan, 1.0, 2.0],
    "category": pd.Categorical([1, 2, 1, None, 1, 2], categories=[2, 1, 7], ordered=True),
    "boolean": pd.array([True, False, True, None, True, False], dtype="boolean"),
    "str": ["tumour", "stroma", "tumour", None, "tumour", "stroma"],
    "string": pd.array(["tumour", "stroma", "tumour", None, "tumour", "stroma"], dtype="string"),
    "text": ["01", "02", "01", "NA", "01", "02"],
}
WORDS = ("tumour", "stroma")
CLASSES = {"boolean": ("True", "False"), "str": WORDS, "string": WORDS, "text": ("01", "02")}


def xenium_with(folder, label, ending):
    write_10x_matrix(folder / "cell_feature_matrix.h5", COUNTS.T, NAMES, TYPES, CELLS)
    table = pd.DataFrame({"cell_id": CELLS, "x_centroid": np.arange(6.0), "y_centroid": 0.0, "label": label})
    if ending == ".parquet":
        table.to_parquet(folder / "cells.parquet")
    else:
        table.to_csv(folder / "cells.csv.gz", index=False)


def cosmx_with(folder, label, ending):
    keys = pd.DataFrame({"fov": 1, "cell_ID": range(1, 7)})
    keys.assign(EPCAM=3, CD4=1).to_csv(folder / "S_exprMat_file.csv", index=False)
    keys.assign(CenterX_global_px=np.arange(6), CenterY_global_px=0, label=label).to_csv(
        folder / "S_metadata_file.csv", index=False
    )


def merscope_with(folder, label, ending):
    table = pd.DataFrame({"cell": range(6), "EPCAM": 3, "CD4": 1})
    table.to_csv(folder / "cell_by_gene.csv", index=False)
    cells = pd.DataFrame({"EntityID": range(6), "center_x": np.arange(6.0), "center_y": 0.0, "label": label})
    cells.to_csv(folder / "cell_metadata.csv", index=False)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(
    ("source", "write", "ending"),
    [("xenium", xenium_with, ".parquet"), ("xenium", xenium_with, ".csv"), ("cosmx", cosmx_with, ""),
     ("merscope", merscope_with, "")],
)  # fmt: skip
def test_labels_of_bundles(tmp_path, source, write, ending, kind):
    (tmp_path / "S1").mkdir()
    write(tmp_path / "S1", LABELS[kind], ending)
    scale = {"um_per_px": 0.12} if source == "cosmx" else None
    slide = opened(tmp_path, source, "S1", keys={"niche": "label"}, scale=scale).slide("S1")
    first, second = CLASSES.get(kind, ("1", "2"))
    assert slide.labels["niche"].tolist() == [first, second, first, None, first, second]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """One annotated matrix as a file and as a store, with a column of labels of every kind."""
    folder = tmp_path_factory.mktemp("labelled")
    adata = annotated("feature_types", list(TYPES))
    for kind, label in LABELS.items():
        adata.obs[f"label_{kind}"] = label
    with ad.settings.override(allow_write_nullable_strings=True):
        adata.write_h5ad(folder / "S1.h5ad")
    stores.write_group(folder / "S1.zarr", zarr_format=2)
    (folder / "S1.zarr" / "tables").mkdir()
    older = {"zarr_write_format": 2} if "zarr_write_format" in dir(ad.settings) else {}
    with ad.settings.override(allow_write_nullable_strings=True, **older):
        adata.write_zarr(folder / "S1.zarr" / "tables" / "table")
    return folder


@pytest.mark.filterwarnings(
    "ignore:Variable names are not unique",
    "ignore:zarr v3 will become the only option:DeprecationWarning",
    "ignore:(.*)This setting will be removed in 0.14:DeprecationWarning",
)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_annotated_matrices(labelled, kind):
    first, second = CLASSES.get(kind, ("1", "2"))
    for source, path, more in (
        ("h5ad", "S1.h5ad", {"resolution": "cell"}),
        ("spatialdata", "S1.zarr", {"scale": {"um_per_px": 1.0}}),
    ):
        slide = opened(labelled, source, path, keys={"niche": f"label_{kind}"}, **more).slide("S1")
        assert slide.labels["niche"].tolist() == [first, second, first, None, first, second], source
