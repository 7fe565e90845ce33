from __future__ import annotations

import math

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image as PillowImage
from scipy import sparse

from pytest_stbench.data.readers.h5ad import open_source
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Sample


@pytest.fixture
def read_slide(tmp_path):
    """Read a slide of the files in tmp_path with the settings given."""

    def read(slide="A1", **parts):
        config = DatasetSpec(**{"source": "h5ad", "path": "*.h5ad", **parts})
        sample = Sample(slide=slide, technology=config.technology, resolution=config.resolution)
        return open_source(config, [sample], [tmp_path]).read(slide)

    return read


SPARSE = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.float32, np.float64, bool])
def test_counts_of_any_layout_and_integral_dtype_become_int32_csr(write_slide, read_slide, kind, dtype):
    dense = np.random.default_rng(1).poisson(0.7, size=(6, 4)).astype(dtype)
    write_slide(matrix=SPARSE[kind](dense))
    raw = read_slide()
    assert raw.counts.format == "csr"
    assert raw.counts.dtype == np.int32
    assert raw.counts.has_sorted_indices
    np.testing.assert_array_equal(raw.counts.toarray(), dense.astype(np.int32))


@pytest.mark.parametrize("value", [0.5, -1.5, np.nan, np.inf, -np.inf])
def test_what_are_no_counts_stays_as_it_was_read(write_slide, read_slide, value):
    dense = np.full((6, 4), 3.0, dtype=np.float32)
    dense[2, 1] = value
    write_slide(matrix=sparse.csr_matrix(dense))
    raw = read_slide()
    assert raw.counts.dtype == np.float32
    np.testing.assert_array_equal(raw.counts.toarray(), dense)


def test_negative_and_very_large_integers_are_kept(write_slide, read_slide):
    dense = np.full((6, 4), -2, dtype=np.int64)
    dense[0, 0] = 2**40
    write_slide(matrix=sparse.csr_matrix(dense))
    np.testing.assert_array_equal(read_slide().counts.toarray(), dense)


def test_counts_come_from_layers_or_raw_with_its_own_genes(write_slide, read_slide, tmp_path):
    adata = write_slide(layers={"umi": sparse.csr_matrix(np.full((6, 4), 7, dtype=np.int32))})
    adata.raw = adata.copy()
    part = adata[:, :2].copy()
    part.X = part.X * 0.25
    part.write_h5ad(tmp_path / "A1.h5ad")
    assert read_slide(keys={"counts": "umi"}).counts.toarray().tolist() == [[7, 7]] * 6
    raw = read_slide(keys={"counts": "raw"})
    assert raw.genes.tolist() == adata.var_names.tolist()
    np.testing.assert_array_equal(raw.counts.toarray(), adata.X.toarray())
    assert read_slide().counts.dtype.kind == "f"


def test_unknown_counts_list_what_there_is(write_slide, read_slide):
    write_slide(layers={"umi": sparse.csr_matrix((6, 4))})
    with pytest.raises(
        DataError, match=r"no counts 'umis' \(keys.counts\); the file has X, umi; did you mean 'umi'"
    ):
        read_slide(keys={"counts": "umis"})


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_duplicate_symbols_are_summed_and_counted(write_slide, read_slide):
    dense = np.arange(24, dtype=np.int32).reshape(6, 4)
    write_slide(genes=("KRT8", "CD3E", "KRT8", "ACTB"), matrix=sparse.csr_matrix(dense))
    raw = read_slide()
    assert raw.genes.tolist() == ["KRT8", "CD3E", "ACTB"]
    expected = np.column_stack([dense[:, 0] + dense[:, 2], dense[:, 1], dense[:, 3]])
    np.testing.assert_array_equal(raw.counts.toarray(), expected)
    assert raw.notes["duplicate_symbols_summed"] == 1


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_duplicate_unit_names_are_kept(write_slide, read_slide, tmp_path):
    adata = write_slide()
    adata.obs_names = ["u0", "u0", "u1", "u2", "u3", "u4"]
    adata.write_h5ad(tmp_path / "A1.h5ad")
    assert read_slide().unit_names.tolist() == adata.obs_names.tolist()


@pytest.mark.parametrize("order", ["blocks", "interleaved"])
@pytest.mark.parametrize("kind", SPARSE)
def test_slides_of_one_file_are_told_apart(write_slide, read_slide, kind, order):
    dense = np.arange(24, dtype=np.int32).reshape(6, 4)
    names = list("xxyyyz") if order == "blocks" else list("xyxyzy")
    xy = np.arange(12.0).reshape(6, 2)
    write_slide("all.h5ad", obs={"section": names}, matrix=SPARSE[kind](dense), obsm={"spatial": xy})
    for name in "xyz":
        rows = np.flatnonzero(np.array(names) == name)
        raw = read_slide(name, keys={"slide": "section"})
        np.testing.assert_array_equal(raw.counts.toarray(), dense[rows])
        np.testing.assert_array_equal(raw.xy_um, xy[rows])
        assert raw.unit_names.tolist() == [f"u{row}" for row in rows]


def test_slides_scattered_over_many_runs(write_slide, read_slide):
    n = 2400
    dense = np.random.default_rng(0).poisson(1.0, size=(n, 3)).astype(np.int32)
    slide = np.array(["even", "odd"] * (n // 2))
    for matrix in (sparse.csr_matrix(dense), dense):
        parts = {"obs": {"slide": slide}, "genes": ("A", "B", "C"), "obsm": {"spatial": np.zeros((n, 2))}}
        write_slide("all.h5ad", n=n, matrix=matrix, **parts)
        np.testing.assert_array_equal(read_slide("odd").counts.toarray(), dense[1::2])


@pytest.mark.parametrize(
    ("um_per_px", "uns"),
    [(0.5, {}), ("uns:mpp", {"mpp": 0.5}), ("uns:image.um_per_px", {"image": {"um_per_px": np.float32(0.5)}}),
     ("uns:a.b", {"a.b": np.array([0.5])})],
)  # fmt: skip
def test_pixels_become_um(write_slide, read_slide, um_per_px, uns):
    adata = write_slide(uns=uns, obsm={"spatial": np.arange(12, dtype=np.int32).reshape(6, 2)})
    raw = read_slide(scale={"um_per_px": um_per_px})
    np.testing.assert_array_equal(raw.xy_um, adata.obsm["spatial"] * 0.5)
    assert raw.xy_um.dtype == np.float64
    assert raw.xy_px is None


def test_without_scale_coordinates_are_um(write_slide, read_slide):
    adata = write_slide()
    np.testing.assert_array_equal(read_slide().xy_um, adata.obsm["spatial"])


def test_coordinates_may_stand_in_a_data_frame(write_slide, read_slide):
    frame = pd.DataFrame({"x": np.arange(6.0), "y": 1.0}, index=[f"u{i}" for i in range(6)])
    write_slide(obsm={"spatial": frame})
    np.testing.assert_array_equal(read_slide().xy_um, frame.to_numpy())


ARRAY = {"array_row": "row", "array_col": "col"}


@pytest.mark.parametrize(
    ("parts", "pitch"), [({"technology": "ST"}, 200.0), ({"technology": "Visium HD"}, 16.0),
                         ({"technology": "legacy ST", "pitch_um": 150.0}, 150.0)],
)  # fmt: skip
def test_array_indices_of_a_square_lattice_become_um(write_slide, read_slide, parts, pitch):
    write_slide(obs={"row": [0, 0, 1, 1, 2, 2], "col": [0, 1, 0, 1, 0, 3]}, obsm={})
    raw = read_slide(keys=ARRAY, **parts)
    np.testing.assert_allclose(raw.xy_um, np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [3, 2]]) * pitch)
    assert raw.pitch_um == pitch
    np.testing.assert_array_equal(raw.array_index[5], [2, 3])


def test_array_indices_of_visium_become_a_hexagonal_lattice(write_slide, read_slide):
    write_slide(obs={"row": [1, 1, 1, 0, 0, 2], "col": [3, 1, 5, 2, 4, 4]}, obsm={})
    raw = read_slide(keys=ARRAY, technology="Visium")
    centre = raw.xy_um[0]
    np.testing.assert_allclose(np.linalg.norm(raw.xy_um[1:] - centre, axis=1), 100.0)
    np.testing.assert_allclose(centre, [150.0, 100 * math.sqrt(0.75)])


def test_fractional_array_indices_place_units_and_are_counted(write_slide, read_slide):
    write_slide(obs={"row": [0.25, 0, 1, 1, 2, 2], "col": [0, 1, 0, 1, 0, 3]}, obsm={})
    raw = read_slide(keys=ARRAY, technology="ST")
    assert raw.array_index is None
    assert raw.xy_um[0].tolist() == [0.0, 50.0]
    assert raw.notes["fractional_array_index"] == 1


def test_obsm_goes_before_array_indices(write_slide, read_slide):
    adata = write_slide(obs={"row": [0, 0, 1, 1, 2, 2], "col": [0, 1, 0, 1, 0, 3]})
    raw = read_slide(keys=ARRAY, technology="ST")
    np.testing.assert_array_equal(raw.xy_um, adata.obsm["spatial"])
    assert raw.array_index[5].tolist() == [2, 3]


def test_labels_and_embedding(write_slide, read_slide):
    region = pd.Categorical(["in situ", None, "fat", "in situ", "fat", None])
    obs = {"region": region, "cluster": [1.0, 2.0, np.nan, 1.0, 2.0, 2.5], "kind": [3, 1, 1, 2, 3, 3]}
    embedding = np.arange(12.0).reshape(6, 2)
    write_slide(obs=obs, obsm={"spatial": np.zeros((6, 2)), "X_vit": embedding})
    raw = read_slide(keys={"niche": "region", "cell_type": "cluster", "embedding": "X_vit"})
    assert raw.labels["niche"].tolist() == ["in situ", None, "fat", "in situ", "fat", None]
    assert raw.labels["cell_type"].tolist() == ["1", "2", None, "1", "2", "2.5"]
    assert raw.embedding.dtype == np.float32
    np.testing.assert_array_equal(raw.embedding, embedding)
    assert read_slide(keys={"niche": "kind"}).labels["niche"].tolist() == ["3", "1", "1", "2", "3", "3"]
    assert read_slide().labels == {}
    assert read_slide().embedding is None


def test_nullable_columns(write_slide, read_slide):
    obs = {"number": pd.array([1, None, 2, 2, None, 3], dtype="Int64"), "flag": [True, False] * 3}
    write_slide(obs=obs)
    raw = read_slide(keys={"niche": "number", "cell_type": "flag"})
    assert raw.labels["niche"].tolist() == ["1", None, "2", "2", None, "3"]
    assert raw.labels["cell_type"].tolist() == ["True", "False"] * 3


def test_files_of_old_anndata_versions(tmp_path, read_slide):
    dense = np.arange(6, dtype=np.float32).reshape(3, 2)
    matrix = sparse.csr_matrix(dense)
    with h5py.File(tmp_path / "A1.h5ad", "w") as file:
        group = file.create_group("X")
        group.attrs["h5sparse_format"] = "csr"
        group.attrs["h5sparse_shape"] = matrix.shape
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        obs = np.array([(b"u0", 1), (b"u1", 0), (b"u2", 1)], dtype=[("index", "S4"), ("region", "i1")])
        file["obs"] = obs
        file["uns/region_categories"] = np.array([b"fat", b"gland"])
        file["var"] = np.array([(b"TP53",), (b"KRT8",)], dtype=[("index", "S8")])
        file["obsm"] = np.array(
            [([0.0, 1.0],), ([2.0, 3.0],), ([4.0, 5.0],)], dtype=[("spatial", "f8", (2,))]
        )
    raw = read_slide(keys={"niche": "region"})
    np.testing.assert_array_equal(raw.counts.toarray(), dense)
    assert raw.labels["niche"].tolist() == ["gland", "fat", "gland"]
    assert (raw.unit_names.tolist(), raw.genes.tolist()) == (["u0", "u1", "u2"], ["TP53", "KRT8"])
    assert raw.xy_um[2].tolist() == [4.0, 5.0]


TABLES = {
    "whole numbers": ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
    "whole numbers without a value": (pd.array([1, None, 3, 4, 5, 6], "Int64"), [1, np.nan, 3, 4, 5, 6]),
}
TEXTS = {
    "objects": np.array(["a", "b"] * 3, dtype=object),
    "text": pd.array(["a", "b"] * 3, dtype="str"),
    "text that may be missing": pd.array(["a", None] * 3, dtype="string"),
    "categories": pd.Categorical(["a", "b"] * 3),
}


@pytest.fixture
def write_table(write_slide):
    """Write a slide whose `obsm["table"]` is a data frame of a column and of numbers."""

    def write(values):
        table = pd.DataFrame({"w": values, "x": np.arange(6.0)}, index=[f"u{i}" for i in range(6)])
        with ad.settings.override(allow_write_nullable_strings=True):
            write_slide(obsm={"spatial": np.zeros((6, 2)), "table": table})

    return write


@pytest.mark.parametrize("kind", TABLES)
def test_a_data_frame_of_numbers_is_an_embedding_however_it_is_encoded(write_table, read_slide, kind):
    written, expected = TABLES[kind]
    write_table(written)
    embedding = read_slide(keys={"embedding": "table"}).embedding
    np.testing.assert_array_equal(embedding, np.column_stack([expected, np.arange(6.0)]).astype(np.float32))


@pytest.mark.parametrize("kind", TEXTS)
def test_a_data_frame_with_text_is_no_embedding_however_it_is_encoded(write_table, read_slide, kind):
    write_table(TEXTS[kind])
    with pytest.raises(DataError, match=r"obsm\['table'\] \(keys.embedding\) must be a table of numbers"):
        read_slide(keys={"embedding": "table"})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"keys": {"spatial": "spatail"}}, r"obsm has no 'spatail' \(keys.spatial\); .*mean 'spatial'"),
        ({"keys": {"niche": "regio"}}, r"obs has no column 'regio' \(keys.niche\); .*mean 'region'"),
        ({"keys": {"cell_type": "type"}}, r"obs has no column 'type' \(keys.cell_type\)"),
        ({"keys": {"embedding": "vit"}}, r"obsm has no 'vit' \(keys.embedding\)"),
        ({"keys": {"embedding": "words"}}, r"obsm\['words'\] \(keys.embedding\) must be a table of numbers"),
        ({"scale": {"um_per_px": "uns:um"}}, r"uns has no 'um' \(scale.um_per_px: .*is image, name, zero"),
        ({"scale": {"um_per_px": "uns:image.um"}}, r"no 'um'\).*there is mpp"),
        ({"scale": {"um_per_px": "uns:name"}}, "must be one number"),
        ({"scale": {"um_per_px": "uns:image"}}, "must be one number"),
        ({"scale": {"um_per_px": "uns:zero"}}, "must be a positive number"),
        ({"keys": {"array_row": "row", "array_col": "col"}}, r"obs has no column 'row' \(keys.array_row"),
        ({"keys": {"array_row": "region", "array_col": "region"}}, "holds array indices, so numbers"),
    ],
)  # fmt: skip
def test_missing_and_wrong_keys(write_slide, read_slide, parts, message):
    obsm = {
        "spatial": np.zeros((6, 2)),
        "words": pd.DataFrame({"w": ["a"] * 6}, index=[f"u{i}" for i in range(6)]),
    }
    write_slide(
        obs={"region": ["fat"] * 6}, uns={"name": "A1", "image": {"mpp": 1.0}, "zero": 0.0}, obsm=obsm
    )
    with pytest.raises(DataError, match=message) as caught:
        read_slide(**parts)
    assert "A1.h5ad: " in str(caught.value)


def test_coordinates_need_two_columns(write_slide, read_slide):
    write_slide(obsm={"spatial": np.zeros((6, 3))})
    with pytest.raises(
        DataError, match=r"must hold x and y of 6 units, shape \(6, 2\); found float64 of shape \(6, 3\)"
    ):
        read_slide()


@pytest.mark.parametrize(
    ("technology", "message"),
    [
        ("Xenium", "lattice of technology 'Xenium' is not known"),
        (None, "technology None"),
        ("Visium", "must be even"),
    ],
)
def test_array_indices_that_cannot_become_um(write_slide, read_slide, technology, message):
    write_slide(obs={"row": [0, 0, 1, 1, 2, 2], "col": [0, 1, 0, 1, 0, 3]}, obsm={})
    with pytest.raises(DataError, match=message):
        read_slide(keys=ARRAY, technology=technology)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "no obs", "indices", "indptr", "shape"])
def test_damaged_files_are_named(write_slide, read_slide, tmp_path, damage):
    path = tmp_path / "A1.h5ad"
    write_slide()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage in ("text", "empty"):
        path.write_text("" if damage == "empty" else "counts")
    else:
        with h5py.File(path, "a") as file:
            if damage == "no obs":
                del file["obs"]
            elif damage == "indices":
                file["X/indices"][0] = 99
            elif damage == "indptr":
                file["X/indptr"][1] = 9999
            else:
                file["X"].attrs["shape"] = (6, 9)
    with pytest.raises(DataError, match=r"A1\.h5ad: "):
        read_slide()


def test_a_folder_is_no_file(tmp_path, read_slide):
    (tmp_path / "A1.h5ad").mkdir()
    with pytest.raises(DataError, match="a folder, not an h5ad file"):
        read_slide()


def test_an_empty_slide_is_an_error(write_slide, read_slide):
    write_slide(n=0, obs={"patient": []})
    with pytest.raises(DataError, match="slide A1 has no units"):
        read_slide()


def test_slides_that_are_not_there(write_slide, read_slide, tmp_path):
    with pytest.raises(DataMissing, match="nothing found below"):
        read_slide()
    write_slide("sec_A1.h5ad")
    with pytest.raises(
        DataError, match=r"no file holds slide 'sec_A2'; .*the files hold sec_A1; did you mean 'sec_A1'"
    ):
        read_slide("sec_A2")
    with pytest.raises(DataError, match="needs `path`"):
        read_slide(path=None)


def test_a_slide_of_two_files_is_an_error(write_slide, read_slide):
    write_slide("one.h5ad", obs={"slide": ["x"] * 6})
    write_slide("two.h5ad", obs={"slide": ["x"] * 6})
    with pytest.raises(DataError, match="slide x stands in two files"):
        read_slide("x")


def test_genes_are_those_of_the_slide(write_slide, tmp_path):
    adata = write_slide()
    config = DatasetSpec(source="h5ad", path="*.h5ad")
    source = open_source(config, load_samples(config, "d", [tmp_path]), [tmp_path])
    assert source.genes("A1") == tuple(adata.var_names)
    assert source.files("A1") == (tmp_path / "A1.h5ad",)


def test_images_are_found_by_slide(write_slide, read_slide, tmp_path):
    adata = write_slide(uns={"mpp": 2.0}, obsm={"spatial": np.ones((6, 2)), "px": np.full((6, 2), 4.0)})
    image = {"path": "img/{slide}.png", "um_per_px": "uns:mpp", "spatial": "px", "mpp": 4.0}
    with pytest.raises(DataError, match=r"slide A1: its image is not there.*restrict `slides`"):
        read_slide(image=image)
    (tmp_path / "img").mkdir()
    (tmp_path / "img/A1.png").write_text("no image")
    with pytest.raises(DataError, match=r"A1\.png: the image cannot be decoded"):
        read_slide(image=image)
    PillowImage.new("RGB", (8, 6)).save(tmp_path / "img/A1.png")
    raw = read_slide(image=image)
    assert (raw.image.path, raw.image.mpp, raw.image.target_mpp) == (tmp_path / "img/A1.png", 2.0, 4.0)
    np.testing.assert_array_equal(raw.xy_px, adata.obsm["px"])
    with pytest.raises(DataError, match=r"obsm has no 'spx' \(image.spatial\)"):
        read_slide(image={**image, "spatial": "spx"})
    assert read_slide().image is None
