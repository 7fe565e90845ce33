from __future__ import annotations

import builtins
import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import MultiPolygon, Polygon

pytest.importorskip("zarr")

from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.images.tile_cache import TILES
from pytest_stbench.data.input_image import InputImage
from pytest_stbench.data.readers.spatialdata import images
from pytest_stbench.data.readers.spatialdata.frame import affine_to, matrix_of, transformed, unit_of
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.spec.validate import load_task

from . import stores
from .stores import COUNTS, GENES, NAMES, PX, XY, to

FORMATS = stores.FORMATS
pytestmark = pytest.mark.filterwarnings("ignore:zarr v3 autosharding:UserWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    for zarr_format in FORMATS:
        stores.write_store(folder / f"S{zarr_format}.zarr", zarr_format=zarr_format)
    return folder


@pytest.fixture
def store(made, tmp_path):
    """A store of one's own to spoil."""
    return shutil.copytree(made / "S2.zarr", tmp_path / "S2.zarr")


def opened(folder, path="S2.zarr", **changes):
    config = DatasetSpec(source="spatialdata", path=path, **{"scale": {"um_per_px": PX}, **changes})
    return Dataset("d", config, load_samples(config, "d", [folder]), [folder])


def edit(path, change):
    """Change the attributes of a group of format 2."""
    attributes = json.loads((path / ".zattrs").read_text())
    change(attributes)
    (path / ".zattrs").write_text(json.dumps(attributes))


def annotate(store, **keys):
    """Let the table of a store annotate something else."""
    edit(store / "tables/table", lambda attributes: attributes.update(keys))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_store(made, zarr_format):
    dataset = opened(made, f"S{zarr_format}.zarr", keys={"cell_type": "kind"})
    slide = dataset.slide(f"S{zarr_format}")
    assert slide.unit_names.tolist() == list(NAMES)
    assert set(slide.genes) == set(GENES[:4])
    columns = [GENES.index(gene) for gene in slide.genes]
    np.testing.assert_array_equal(slide.counts.toarray(), COUNTS[:, columns])
    np.testing.assert_array_equal(slide.measures["control_counts"], COUNTS[:, 4])
    np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
    assert slide.labels["cell_type"].tolist() == ["T", "B", "T", "B", "B"]
    assert set(slide.segmentations) == {"cell", "nucleus"}
    assert dataset.offers == {"image", "transcripts"}
    table = stores.molecules()
    batches = list(slide.transcripts.batches(cells=True))
    found = np.concatenate([np.column_stack([batch.x_um, batch.y_um]) for batch in batches])
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(table[["x", "y"]], axis=0))
    names = np.concatenate([slide.transcripts.features[batch.feature] for batch in batches])
    assert sorted(names) == sorted(table["feature_name"])
    assert slide.transcripts.features[slide.transcripts.kinds != "gene"].tolist() == [GENES[4]]
    cells = np.concatenate([batch.cell for batch in batches])
    assert (cells == "").sum() == 5
    drawn = slide.segmentations["cell"].labels(PX, (0, 0, stores.WIDTH * PX, stores.HEIGHT * PX))
    np.testing.assert_array_equal(drawn > 0, stores.label_image() > 0)
    assert slide.segmentations["nucleus"].names.tolist() == list(NAMES)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_the_image_is_read_at_half_a_micrometre(made, zarr_format):
    slide = opened(made, f"S{zarr_format}.zarr").slide(f"S{zarr_format}")
    assert slide.image.mpp == pytest.approx(0.5)
    np.testing.assert_array_equal(slide.image.pixels(), np.moveaxis(stores.picture()[:, ::2, ::2], 0, -1))
    np.testing.assert_allclose(slide.xy_px, XY / 0.5)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_large_images_are_read_chunk_by_chunk(made, zarr_format, monkeypatch, in_child):
    name = f"S{zarr_format}"
    whole = opened(made, f"{name}.zarr").slide(name)
    monkeypatch.setattr(images, "SMALL_BYTES", 0)
    slide = opened(made, f"{name}.zarr").slide(name)
    given, expected = (one.image.input(one.xy_px) for one in (slide, whole))
    assert (given.in_parts, expected.in_parts) == (True, False)
    np.testing.assert_array_equal(slide.image.pixels(), whole.image.pixels())
    np.testing.assert_array_equal(given.patches(9, 0.5), expected.patches(9, 0.5))
    assert np.abs(given.patches(9, 0.7).astype(int) - expected.patches(9, 0.7)).max() <= 2
    np.testing.assert_array_equal(in_child("spawn", InputImage.patches, given, 9, 0.5), given.patches(9, 0.5))
    assert name.encode() not in pickle.dumps(given)


def test_a_damaged_chunk_names_its_store_to_nobody(made, monkeypatch, tmp_path):
    monkeypatch.setattr(images, "SMALL_BYTES", 0)
    store = shutil.copytree(made / "S2.zarr", tmp_path / "TELLTALE" / "S2.zarr")
    slide = opened(store.parent, "S2.zarr").slide("S2")
    given = slide.image.input(slide.xy_px)
    for chunk in (store / "images/he/s1").rglob("0"):
        if chunk.is_file():
            kept = chunk.stat()
            chunk.write_bytes(bytes(kept.st_size))
    TILES.forget()
    with pytest.raises(DataError) as caught:
        given.patches(9, 0.5)
    assert "TELLTALE" not in str(caught.value)
    assert caught.value.__context__ is None


def test_coarse_images_are_read_at_their_finest(made):
    slide = opened(made, scale={"um_per_px": 3.0}).slide("S2")
    assert slide.image.mpp == pytest.approx(3.0)
    np.testing.assert_array_equal(slide.image.pixels(), np.moveaxis(stores.picture(), 0, -1))


def test_nothing_is_read_for_genes(made, monkeypatch):
    import anndata.io

    read = []
    real = anndata.io.read_elem
    monkeypatch.setattr(anndata.io, "read_elem", lambda node: read.append(node.name) or real(node))
    dataset = opened(made)
    assert set(dataset.genes) == set(GENES[:4])
    assert {name.rpartition("/")[2] for name in read} == {"_index"}


def test_units_of_labels_are_placed_by_their_pixels(store):
    annotate(store, region="cell_labels", region_key="in_labels", instance_key="label")
    slide = opened(store.parent).slide("S2")
    assert slide.unit_names.tolist() == ["1", "2", "3", "4", "5"]
    np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
    window = (4.0, 4.0, 40.0, 36.0)
    image = stores.label_image()[16:144, 16:160]
    np.testing.assert_array_equal(slide.segmentations["cell"].labels(PX, window), image)
    assert slide.segmentations["cell"].labels(0.5, (-50, -50, -20, -20)).max() == 0


def test_circles_place_spots_and_outline_nothing(store):
    as_px = [to("xy", type="scale", scale=[4.0, 4.0])]
    circles = [stores.point(x, y) for x, y in XY]
    stores.write_shapes(store / "shapes/spots", circles, NAMES, as_px, zarr_format=2, radius=27.5)
    annotate(store, region="spots", region_key="in_spots")
    slide = opened(store.parent).slide("S2")
    np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
    # the circles outline nothing; polygons with the name that spatialdata-io gives to cells do
    window = (0, 0, stores.WIDTH * PX, stores.HEIGHT * PX)
    assert (slide.segmentations["cell"].labels(PX, window) > 0).sum() == (stores.label_image() > 0).sum()
    with pytest.raises(DataError, match="circles, which are spots"):
        opened(store.parent, params={"cells": "spots"}).slide("S2").segmentations["cell"].labels(
            1.0, (0, 0, 9, 9)
        )


def test_a_store_without_table_has_the_cells_its_transcripts_name(store):
    shutil.rmtree(store / "tables")
    slide = opened(store.parent).slide("S2")
    columns = [GENES.index(gene) for gene in slide.genes]
    order = [NAMES.index(name) for name in slide.unit_names]
    np.testing.assert_array_equal(slide.counts.toarray(), COUNTS[order][:, columns])


def test_a_table_of_no_element_has_places_in_obsm(store):
    edit(store / "tables/table", lambda attributes: attributes.pop("region"))
    slide = opened(store.parent).slide("S2")
    np.testing.assert_allclose(slide.xy_um, XY)
    assert slide.unit_names.tolist() == ["0", "1", "2", "3", "4"]


def test_counts_of_a_layer(made):
    slide = opened(made, keys={"counts": "doubled"}).slide("S2")
    assert slide.counts.sum() == 2 * COUNTS[:, :4].sum()


def test_a_unit_of_length_goes_without_scale(store):
    micro = [to("xy", unit="micrometer", type="identity")]
    for element in ("shapes/cell_boundaries", "shapes/nucleus_boundaries", "points/transcripts"):
        edit(store / element, lambda attributes: attributes.update(coordinateTransformations=micro))
    shutil.rmtree(store / "images")
    np.testing.assert_allclose(opened(store.parent, scale=None).slide("S2").xy_um, XY, atol=1e-9)


def test_another_coordinate_system(store):
    both = [to("xy", type="identity"), to("xy", "half", type="scale", scale=[0.5, 0.5])]
    for element in ("shapes/cell_boundaries", "points/transcripts"):
        edit(store / element, lambda attributes: attributes.update(coordinateTransformations=both))
    shutil.rmtree(store / "images")
    slide = opened(store.parent, scale={"um_per_px": 1.0}, params={"coordinates": "half"}).slide("S2")
    np.testing.assert_allclose(slide.xy_um, XY / 2, atol=1e-9)
    with pytest.raises(DataError, match=r"not placed in coordinate system 'hal'; did you mean 'half'"):
        opened(store.parent, params={"coordinates": "hal"}).slide("S2")


def test_a_rotated_image_is_read_where_it_lies(store):
    turned = to("cyx", type="affine", affine=[[1, 0, 0, 0], [0, 0, 1, 7], [0, -1, 0, 5]])
    edit(
        store / "images/he",
        lambda attributes: attributes["multiscales"][0].update(coordinateTransformations=[turned]),
    )
    slide = opened(store.parent).slide("S2")
    # output y = x + 7 and output x = 5 - y, in pixels of 0.25 um
    y, x = 5 - XY[:, 0] / PX, XY[:, 1] / PX - 7
    np.testing.assert_allclose(slide.xy_px, np.column_stack([x, y]) / 2)
    assert slide.image.mpp == pytest.approx(0.5)


def test_a_store_without_unit_is_proposed_as_a_task(store, monkeypatch):
    monkeypatch.chdir(store.parent)
    done = CliRunner().invoke(main, ["new", "mine", "--data", "S2.zarr"])
    assert done.exit_code == 0, done.output
    assert "this file runs when `scale` is filled in" in done.output
    assert "not found: scale: um per unit of the coordinate system, which nothing" in done.output
    config = load_task(store.parent / "mine.stbench.yaml", builtin_registry()).spec.datasets["mine"]
    assert (config.source, config.path) == ("spatialdata", "S2.zarr")


class TestTransformations:
    XY = np.array([[1.0, 2.0], [-3.0, 0.5]])

    @pytest.mark.parametrize(
        ("axes", "transformation", "x", "y"),
        [
            ("xy", {"type": "identity"}, lambda x, y: x, lambda x, y: y),
            ("cyx", {"type": "scale", "scale": [1, 3, 2]}, lambda x, y: 2 * x, lambda x, y: 3 * y),
            ("yx", {"type": "translation", "translation": [5, -1]}, lambda x, y: x - 1, lambda x, y: y + 5),
            (
                "cyx",
                {"type": "affine", "affine": [[1, 0, 0, 0], [0, 5, 4, 6], [0, 2, 1, 3]]},
                lambda x, y: x + 2 * y + 3,
                lambda x, y: 4 * x + 5 * y + 6,
            ),
            ("xy", {"type": "mapAxis", "mapAxis": {"x": "y", "y": "x"}}, lambda x, y: y, lambda x, y: x),
            (
                "xy",
                {
                    "type": "sequence",
                    "transformations": [
                        to("xy", type="translation", translation=[1, 1]),
                        to("xy", type="scale", scale=[2, 4]),
                    ],
                },
                lambda x, y: 2 * (x + 1),
                lambda x, y: 4 * (y + 1),
            ),
            (
                "cyx",
                {
                    "type": "byDimension",
                    "transformations": [
                        {"type": "scale", "scale": [2], "input": {"axes": [{"name": "x"}]}},
                        {"type": "translation", "translation": [9], "input": {"axes": [{"name": "y"}]}},
                    ],
                },
                lambda x, y: 2 * x,
                lambda x, y: y + 9,
            ),
        ],
    )
    def test_kinds(self, axes, transformation, x, y):
        found = transformed(matrix_of(transformation, list(axes)), self.XY)
        np.testing.assert_allclose(found, np.column_stack([x(*self.XY.T), y(*self.XY.T)]))

    @pytest.mark.parametrize(
        ("unit", "um"), [("unit", None), ("micrometer", 1.0), ("nanometer", 1e-3), ("millimeter", 1e3)]
    )
    def test_units(self, unit, um):
        assert unit_of([to("xy", unit=unit, type="identity")], "global") == um

    def test_a_system_that_is_called_like_a_unit(self):
        assert unit_of([to("xy", "Microns", type="identity")], "Microns") == 1.0

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            ({"type": "rotation"}, "type 'rotation', known are affine"),
            ({"type": "scale", "scale": [1, 2, 3]}, "scale of 3 numbers for the axes x, y"),
            ({"type": "affine", "affine": [[1, 2], [3, 4]]}, r"affine of shape \(2, 2\)"),
            ({"type": "scale", "scale": [0, 1]}, "cannot be inverted"),
            ({"type": "scale"}, "damaged"),
            ({}, "damaged"),
        ],
    )
    def test_broken(self, broken, message):
        with pytest.raises(DataError, match=message):
            affine_to([to("xy", **broken)], "global", "xy", "here")


class TestBadStores:
    def test_no_unit_and_no_scale(self, store):
        with pytest.raises(DataError, match=r"'global' has no unit of length, .* write `scale: UM_PER_UNIT`"):
            opened(store.parent, scale=None).slide("S2")

    def test_no_store(self, tmp_path):
        (tmp_path / "empty.zarr").mkdir()
        with pytest.raises(DataError, match="not a SpatialData store"):
            opened(tmp_path, "*.zarr")
        stores.write_group(tmp_path / "empty.zarr", zarr_format=2)
        with pytest.raises(DataError, match="no element in images, labels"):
            opened(tmp_path, "*.zarr")

    def test_images_alone(self, store):
        for kind in ("tables", "points"):
            shutil.rmtree(store / kind)
        with pytest.raises(DataError, match="neither a table nor points"):
            opened(store.parent)

    def test_several_tables(self, store):
        shutil.copytree(store / "tables/table", store / "tables/other")
        with pytest.raises(DataError, match=r"2 tables, other, table; write `params: \{table: other\}`"):
            opened(store.parent)
        assert opened(store.parent, params={"table": "table"}).slide("S2").n_units == len(XY)
        with pytest.raises(DataError, match=r"params.table is 'tabel'.*did you mean 'table'"):
            opened(store.parent, params={"table": "tabel"})

    def test_several_regions(self, store):
        annotate(store, region=["cell_boundaries", "nucleus_boundaries"])
        with pytest.raises(DataError, match="annotates 2 elements, cell_boundaries, nucleus_boundaries"):
            opened(store.parent).slide("S2")
        taken = opened(store.parent, params={"region": "cell_boundaries"})
        assert taken.slide("S2").n_units == len(XY)

    def test_unknown_parameter(self, store):
        with pytest.raises(DataError, match=r"params\.tabel: unknown; did you mean 'table'"):
            opened(store.parent, params={"tabel": "x"})

    def test_units_without_place(self, store):
        annotate(store, instance_key="lost")
        with pytest.raises(DataError, match="1 units, such as 'gone-1', are not in 'cell_boundaries'"):
            opened(store.parent).slide("S2")

    def test_region_that_is_not_there(self, store):
        annotate(store, region="lost")
        with pytest.raises(DataError, match="annotates 'lost', which the store has not; its shapes"):
            opened(store.parent)

    def test_points_without_feature(self, store):
        edit(store / "points/transcripts", lambda attributes: attributes.pop("spatialdata_attrs"))
        assert opened(store.parent).offers == {"image"}
        with pytest.raises(DataError, match="name no `feature_key`"):
            opened(store.parent, params={"points": "transcripts"}).slide("S2")
        shutil.rmtree(store / "tables")
        with pytest.raises(DataError, match="neither a table nor points with a feature_key"):
            opened(store.parent)

    def test_renamed_column(self, store):
        shutil.rmtree(store / "points/transcripts")
        renamed = stores.molecules().rename(columns={"feature_name": "feature_nam"})
        as_px = [to("xy", type="scale", scale=[4.0, 4.0])]
        stores.write_points(store / "points/transcripts", renamed, as_px, zarr_format=2)
        with pytest.raises(DataError, match=r"no column for the feature.*did you mean 'feature_nam'"):
            opened(store.parent).slide("S2")

    @pytest.mark.parametrize(
        "file", ["points/transcripts/points.parquet/part.0.parquet", "shapes/cell_boundaries/shapes.parquet"]
    )
    def test_truncated_parquet(self, store, file):
        path = store / file
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(DataError, match="cannot be read as a table"):
            opened(store.parent).slide("S2").transcripts.features  # noqa: B018 - reading is what is tested

    def test_truncated_chunk(self, store):
        chunk = store / "images/he/s1/0/0/0"
        chunk.write_bytes(chunk.read_bytes()[:100])
        slide = opened(store.parent).slide("S2")
        with pytest.raises(DataError, match="cannot be read as zarr"):
            slide.image.pixels()

    def test_damaged_attributes(self, store):
        (store / "shapes/cell_boundaries/.zattrs").write_text("{")
        with pytest.raises(DataError, match="cannot be read as zarr"):
            opened(store.parent).slide("S2")
        (store / "shapes/cell_boundaries/.zattrs").write_text("{}")
        with pytest.raises(DataError, match="no axes with transformations"):
            opened(store.parent).slide("S2")

    def test_no_image_of_three_channels(self, store):
        shutil.rmtree(store / "images/he")
        stores.write_pyramid(
            store / "images/if", [stores.picture()[:1]], "cyx", [to("cyx", type="identity")], zarr_format=2
        )
        assert opened(store.parent).slide("S2").image is None
        with pytest.raises(DataError, match=r"is \(3, y, x\) uint8, found uint8 of shape \(1, 160, 240\)"):
            opened(store.parent, params={"image": "if"}).slide("S2")

    def test_stretched_image(self, store):
        flat = to("cyx", type="scale", scale=[1, 1, 2])
        edit(
            store / "images/he",
            lambda attributes: attributes["multiscales"][0].update(coordinateTransformations=[flat]),
        )
        with pytest.raises(DataError, match="models see square pixels"):
            opened(store.parent).slide("S2")

    def test_without_zarr(self, store, monkeypatch):
        real = builtins.__import__

        def without(name, *arguments, **named):
            if name == "zarr":
                message = "No module named 'zarr'"
                raise ModuleNotFoundError(message)
            return real(name, *arguments, **named)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(DataError, match=r"pip install 'pytest-stbench\[spatialdata\]'"):
            opened(store.parent)


def reshape(store, change):
    """Rewrite the polygons of a store."""
    path = store / "shapes/cell_boundaries/shapes.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def test_units_are_placed_by_all_that_their_outline_covers(store):
    """The body with a hole and a piece: label image and place are of the same geometry."""
    body = Polygon([(0, 0), (20, 0), (20, 10), (0, 10)], [[(2, 2), (8, 2), (8, 8), (2, 8)]])
    shape = MultiPolygon([Polygon([(30, 0), (40, 0), (40, 10), (30, 10)]), body])
    line = Polygon([(4, 4), (8, 8), (12, 12)])
    wkb = shapely.to_wkb([shape, line])
    reshape(store, lambda table: table.assign(geometry=[*wkb, *table["geometry"][2:]]))
    dataset = opened(store.parent)
    slide = dataset.slide("S2")
    row = {name: at for at, name in enumerate(slide.unit_names.tolist())}
    np.testing.assert_allclose(slide.xy_um[row[NAMES[0]]], shape.centroid.coords[0])
    np.testing.assert_allclose(slide.xy_um[row[NAMES[1]]], (8, 8))
    cells = slide.segmentations["cell"]
    drawn = cells.labels(PX, (0, 0, 40, 10)) == 1
    assert drawn.sum() * PX**2 == pytest.approx(shape.area, rel=0.02)
    assert (
        dataset.notes["cell_outlines_in_parts"]["S2"] == dataset.notes["cell_outlines_with_holes"]["S2"] == 1
    )
    assert dataset.notes["cell_outlines_without_area"]["S2"] == 1


@pytest.mark.parametrize("ids", [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
def test_the_table_says_whether_points_have_a_cell_0(store, ids):
    reshape(store, lambda table: table.set_axis(ids, axis=0))
    annotate(store, instance_key="number")
    import anndata.io
    import zarr

    obs = zarr.open_group(store / "tables/table/obs", mode="a")
    anndata.io.write_elem(obs, "number", np.array(ids))
    obs.attrs["column-order"] = [*obs.attrs["column-order"], "number"]
    number = dict(zip(NAMES, ids, strict=True))
    for part in (store / "points/transcripts/points.parquet").glob("*.parquet"):
        table = pd.read_parquet(part)
        table["cell_id"] = table["cell_id"].map(number).fillna(0 if 0 not in ids else -1).astype("int64")
        table.to_parquet(part)
    slide = opened(store.parent).slide("S2")
    assert slide.unit_names.tolist() == list(map(str, ids))
    cells = np.concatenate([batch.cell for batch in slide.transcripts.batches(cells=True)])
    assert set(cells) == {"", *map(str, ids)}
    assert (cells == "").sum() == 5
    assert slide.segmentations["cell"].names.tolist() == list(map(str, ids))


@pytest.mark.parametrize("said", [[1, 0, 1, 1, 0], [True, False, True, True, False], list("10110")])
def test_units_off_tissue_are_left_out_and_counted(store, said):
    import anndata.io
    import zarr

    obs = zarr.open_group(str(store / "tables/table/obs"), mode="a")
    anndata.io.write_elem(obs, "in_tissue", pd.Series(said).to_numpy())
    obs.attrs["column-order"] = [*obs.attrs["column-order"], "in_tissue"]
    dataset = opened(store.parent)
    slide = dataset.slide("S2")
    assert slide.unit_names.tolist() == [NAMES[i] for i in (0, 2, 3)]
    np.testing.assert_allclose(slide.xy_um, XY[[0, 2, 3]], atol=1e-9)
    columns = [GENES.index(gene) for gene in slide.genes]
    np.testing.assert_array_equal(slide.counts.toarray(), COUNTS[[0, 2, 3]][:, columns])
    assert dataset.notes["barcodes_not_under_tissue"]["S2"] == 2
    assert dataset.notes["units_of_other_regions"]["S2"] == 0


@pytest.mark.parametrize(
    ("drop", "scale", "pixel"),
    [((), PX, PX), ((), 0.5, 0.5), (("labels",), PX, PX), (("labels",), 1.0, 0.2125)],
)
def test_a_matrix_places_the_image_of_a_store_of_xenium(store, drop, scale, pixel):
    import PIL.Image

    for kind in drop:
        shutil.rmtree(store / kind)
    PIL.Image.fromarray(np.full((40, 50, 3), 9, np.uint8)).save(store.parent / "he.png")
    (store.parent / "m.csv").write_text("0,-2,30\n2,0,-10\n0,0,1\n")
    image = {"path": "he.png", "alignment": "m.csv"}
    where = {"image": image, "scale": {"um_per_px": scale}}
    slide = opened(store.parent, technology="Xenium", **where).slide("S2")
    assert slide.image.mpp == pytest.approx(2 * pixel), "pixels are those of the store, not a constant"
    x, y = XY.T / PX * scale / pixel
    np.testing.assert_allclose(slide.xy_px, np.column_stack([(y + 10) / 2, (30 - x) / 2]))
    with pytest.raises(DataError, match=r"only slides of Xenium and MERSCOPE are placed by a matrix"):
        opened(store.parent, image=image, technology="Visium").slide("S2")


def test_cells_that_nobody_names_are_counted_from_their_outlines(store):
    shutil.rmtree(store / "tables")
    for part in (store / "points/transcripts/points.parquet").glob("*.parquet"):
        pd.read_parquet(part).drop(columns="cell_id").to_parquet(part)
    table = stores.molecules()
    dataset = opened(store.parent, scale={"um_per_px": PX})
    slide = dataset.slide("S2")
    half = stores.SIDE / 2
    outlines = {name: shapely.box(*(xy - half), *(xy + half)) for name, xy in zip(NAMES, XY, strict=True)}
    expected = np.zeros((len(NAMES), len(slide.genes)), int)
    for row, name in enumerate(slide.unit_names.tolist()):
        within = shapely.contains_xy(outlines[name], table[["x", "y"]].to_numpy(np.float64))
        for column, gene in enumerate(slide.genes.tolist()):
            expected[row, column] = (within & (table["feature_name"] == gene)).sum()
    assert expected.sum() > 0
    np.testing.assert_array_equal(slide.counts.toarray(), expected)
    assert dataset.notes["cells_counted_from_outlines"]["S2"] == len(NAMES)
    assert dataset.notes["transcripts_unassigned"]["S2"] == 5
