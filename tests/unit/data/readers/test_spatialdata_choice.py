"""What a store says of itself: names of units, unit of its system, and which of several elements is meant."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("zarr")

from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.propose.from_reader import choices
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

from . import stores
from .stores import COUNTS, GENES, NAMES, PX, XY, to

pytestmark = pytest.mark.filterwarnings(
    "ignore:zarr v3 autosharding:UserWarning",
    "ignore:(.*)This setting will be removed in 0.14:DeprecationWarning",
)
BARCODES = [f"BC{i}-1" for i in range(len(XY))]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    stores.write_store(folder / "S.zarr", zarr_format=2)
    return folder


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made / "S.zarr", tmp_path / "S.zarr")


def opened(folder, path="S.zarr", **changes):
    config = DatasetSpec(source="spatialdata", path=path, **{"scale": {"um_per_px": PX}, **changes})
    return Dataset("d", config, load_samples(config, "d", [folder]), [folder])


def edit(path, change):
    attributes = json.loads((path / ".zattrs").read_text())
    change(attributes)
    (path / ".zattrs").write_text(json.dumps(attributes))


def retable(store, name="table", *, index=None, keys=None, **columns):
    """Give a table of the store, or a copy of the first of another `name`, other names, columns and keys."""
    import anndata
    import zarr

    path = store / "tables" / name
    if name != "table":
        shutil.copytree(store / "tables/table", path)
    obs = zarr.open_group(str(path / "obs"), mode="a")
    if index is not None:
        anndata.io.write_elem(obs, "_index", np.array(index, dtype=object))
    for column, values in columns.items():
        anndata.io.write_elem(obs, column, values)
    edit(path / "obs", lambda said: said.update({"column-order": [*{*said["column-order"], *columns}]}))
    edit(path, lambda said: said.update(keys or {}))


def place(store, *transformations, kinds=("shapes", "points")):
    for kind in kinds:
        for element in (store / kind).iterdir():
            if element.is_dir():
                edit(element, lambda attributes: attributes.update(coordinateTransformations=transformations))


def without_images(store):
    shutil.rmtree(store / "images")
    return store


def plain(path, **uns):
    """Write an AnnData as zarr: a table without elements."""
    import anndata

    data = anndata.AnnData(
        COUNTS.astype(np.float32), obs=pd.DataFrame(index=BARCODES), var=pd.DataFrame(index=list(GENES)),
        obsm={"spatial": XY / 0.35}, uns=uns,
    )  # fmt: skip
    data.write_zarr(path)


@pytest.mark.parametrize(
    "uns",
    [
        {"um_per_px": 0.35},
        {"spatial": {"lib": {"scalefactors": {"microns_per_pixel": 0.35}}}},
        {"mpp": np.array([0.35]), "spatial": {"is_single": True}},
    ],
)
def test_an_anndata_says_its_unit_as_a_file_does(tmp_path, uns):
    plain(tmp_path / "S.zarr", **uns)
    np.testing.assert_allclose(opened(tmp_path, scale=None).slide("S").xy_um, XY, atol=1e-9)
    with pytest.raises(DataError, match=r"is 0\.35 um by .* and 0\.5 um by `scale`: correct `scale`"):
        opened(tmp_path, scale={"um_per_px": 0.5}).slide("S")


def test_an_anndata_without_unit(tmp_path):
    plain(tmp_path / "S.zarr", um_per_px="unknown", spatial={"lib": {"images": {}}})
    with pytest.raises(DataError, match=r"places in obsm\['spatial'\] have no unit of length"):
        opened(tmp_path, scale=None).slide("S")


def test_units_bear_the_names_of_the_index_and_stand_at_their_instances(store):
    """Label tables of Loupe and Explorer name barcodes and cells, not rows."""
    number = np.arange(len(XY))[::-1]
    retable(store, index=BARCODES, number=number, keys={"instance_key": "number"})
    path = store / "shapes/cell_boundaries/shapes.parquet"
    pd.read_parquet(path).set_axis(number, axis=0).to_parquet(path)
    labels = store.parent / "S.csv"
    labels.write_text("Barcode,Annotation\n" + "\n".join(f"{name},region {name}" for name in BARCODES))
    dataset = opened(store.parent, labels={"path": "{slide}.csv", "niche": "Annotation"})
    slide = dataset.slide("S")
    assert slide.unit_names.tolist() == BARCODES
    np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
    assert slide.labels["niche"].tolist() == [f"region {name}" for name in BARCODES]
    assert dataset.notes["label_rows_without_unit"] == {"S": 0}
    # outlines and transcripts bear the names of units
    assert slide.segmentations["cell"].names.tolist() == BARCODES


def test_transcripts_that_call_cells_otherwise_bear_the_names_of_units(store):
    retable(store, index=BARCODES)
    slide = opened(store.parent).slide("S")
    cells = np.concatenate([batch.cell for batch in slide.transcripts.batches(cells=True)])
    assert set(cells) == {"", *BARCODES}


def test_spots_off_tissue_are_left_out_and_counted(store):
    retable(store, in_tissue=np.array([1, 0, 1, 1, 0]))
    dataset = opened(store.parent)
    assert dataset.slide("S").unit_names.tolist() == [NAMES[0], NAMES[2], NAMES[3]]
    assert dataset.notes["barcodes_not_under_tissue"] == {"S": 2}


def test_a_repeated_instance_is_no_place(store):
    path = store / "shapes/cell_boundaries/shapes.parquet"
    pd.read_parquet(path).set_axis([NAMES[1], *NAMES[1:]], axis=0).to_parquet(path)
    with pytest.raises(DataError, match="1 instances have the id of another, such as 'aaac-1'"):
        opened(store.parent).slide("S")


class TestSystem:
    def test_the_only_one(self, store):
        place(without_images(store), to("xy", "sample1", type="scale", scale=[4.0, 4.0]))
        np.testing.assert_allclose(opened(store.parent).slide("S").xy_um, XY)

    def test_of_several_that_in_which_units_are_as_written(self, store):
        place(
            without_images(store),
            to("xy", "sample1_hires", type="scale", scale=[0.25, 0.25]),
            to("xy", "sample1", type="identity"),
        )
        slide = opened(store.parent, scale={"um_per_px": 1.0}).slide("S")
        np.testing.assert_allclose(slide.xy_um, XY)

    def test_one_must_be_named_where_nothing_tells_them_apart(self, store):
        both = [to("xy", name, type="scale", scale=[2.0, 2.0]) for name in ("a", "b")]
        place(without_images(store), *both)
        message = r"2 coordinate systems, a, b; write `params: \{coordinates: a\}`"
        with pytest.raises(DataError, match=message):
            opened(store.parent).slide("S")
        assert opened(store.parent, params={"coordinates": "b"}).slide("S").n_units == len(XY)


class TestScale:
    def test_elements_of_xenium_are_in_um(self, store):
        """Its readers scale um to pixels, so the transformation is the size of a pixel."""
        edit(store, lambda attributes: attributes.update(spatialdata_io_reader="xenium"))
        dataset = opened(store.parent, scale=None)
        np.testing.assert_allclose(dataset.slide("S").xy_um, XY)
        assert dataset.slide("S").meta.technology == "Xenium"

    def test_so_they_are_in_stores_that_do_not_name_the_reader(self, store):
        table = stores.molecules().assign(transcript_id=1, overlaps_nucleus=0)
        shutil.rmtree(store / "points/transcripts")
        as_px = [to("xy", type="scale", scale=[4.0, 4.0])]
        stores.write_points(store / "points/transcripts", table, as_px, zarr_format=2)
        np.testing.assert_allclose(opened(store.parent, scale=None).slide("S").xy_um, XY)

    def test_a_contradiction_is_an_error_with_both_figures(self, store):
        edit(store, lambda attributes: attributes.update(spatialdata_io_reader="xenium"))
        message = (
            "is 0.25 um by the transformation of points/transcripts, which is in um and 0.5 um by `scale`"
        )
        with pytest.raises(DataError, match=message):
            opened(store.parent, scale={"um_per_px": 0.5}).slide("S")
        within = opened(store.parent, scale={"um_per_px": 0.26}).slide("S")
        np.testing.assert_allclose(within.xy_um, XY * 0.26 / PX)

    def test_microns_are_um(self, store):
        place(without_images(store), to("xy", "microns", type="identity"))
        np.testing.assert_allclose(opened(store.parent, scale=None).slide("S").xy_um, XY)

    def test_spots_of_visium_by_their_lattice(self, store):
        """The pitch is 100 um where circles have the size of its spots; pixels are whole."""
        import anndata
        import zarr

        um_per_px, turn = 0.37, 0.02
        rows, halves = (axis.ravel() for axis in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
        index = np.column_stack([rows, 2 * halves + rows % 2])
        um = np.column_stack([index[:, 1] * 50.0, index[:, 0] * 50 * np.sqrt(3)])
        turned = um @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        px = np.round(turned / um_per_px)
        names = [f"B{i}-1" for i in range(len(px))]
        without_images(store)
        shutil.rmtree(store / "points")
        obs = pd.DataFrame({"region": "spots", "spot": names, "array_row": rows, "array_col": index[:, 1]})
        obs.index = names
        data = anndata.AnnData(np.ones((len(px), 2), np.float32), obs=obs, var=pd.DataFrame(index=["A", "B"]))
        said = json.loads((store / "tables/table/.zattrs").read_text())
        shutil.rmtree(store / "tables/table")
        anndata.io.write_elem(zarr.open_group(str(store / "tables"), mode="a"), "table", data)
        said |= {"region": "spots", "region_key": "region", "instance_key": "spot"}
        edit(store / "tables/table", lambda new: new.update({**said, **new}))
        circles = [stores.point(x, y) for x, y in px]
        identity = [to("xy", "S", type="identity")]
        for diameter in (65.0, 55.0, 20.0):
            radius = diameter / um_per_px / 2
            stores.write_shapes(
                store / "shapes/spots", circles, names, identity, zarr_format=2, radius=radius
            )
            if diameter == 20.0:
                with pytest.raises(DataError, match="nothing in the store tells it"):
                    opened(store.parent, scale=None).slide("S")
                continue
            slide = opened(store.parent, scale=None).slide("S")
            found = slide.xy_um[1, 0] / px[1, 0]
            assert found == pytest.approx(um_per_px, rel=5e-4), diameter


class TestSeveral:
    def test_regions_beside_each_other_are_one_slide(self, store):
        """As spatialdata-io writes CosMx: cells are numbered anew in every field, with points of its own."""
        without_images(store)
        shutil.rmtree(store / "shapes")
        shutil.rmtree(store / "labels")
        shutil.rmtree(store / "points")
        number = [1, 2, 1, 2, 3]
        fields = {"1": [0, 1], "2": [2, 3, 4]}
        as_px = to("xy", type="scale", scale=[4.0, 4.0])
        stores.write_group(store / "shapes", zarr_format=2)
        for field, rows in fields.items():
            squares = [stores.square(*XY[row]) for row in rows]
            ids = [number[row] for row in rows]
            stores.write_shapes(store / f"shapes/{field}_labels", squares, ids, [as_px], zarr_format=2)
            table = stores.molecules()
            table = table[table["cell_id"].isin([NAMES[row] for row in rows])]
            table = table.assign(cell_id=table["cell_id"].map(dict(zip(NAMES, number, strict=True))))
            stores.write_points(store / f"points/{field}_points", table, [as_px], zarr_format=2, parts=1)
        regions = {"region": ["1_labels", "2_labels"], "region_key": "fov_labels"}
        of_cell = pd.Categorical(["1_labels", "1_labels", "2_labels", "2_labels", "2_labels"])
        names = [f"{n}_{f}" for n, f in zip(number, "11222", strict=True)]
        retable(store, index=names, keys=regions, fov_labels=of_cell, cell_id=np.array(number))
        with pytest.raises(DataError, match=r"annotates 2 elements, .* `params: \{region: \"\*\"\}`"):
            opened(store.parent)
        slide = opened(store.parent, params={"region": "*"}).slide("S")
        assert slide.unit_names.tolist() == ["1_1", "2_1", "1_2", "2_2", "3_2"]
        np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
        cells = np.concatenate([batch.cell for batch in slide.transcripts.batches(cells=True)])
        assert [(cells == unit).sum() for unit in slide.unit_names] == COUNTS.sum(axis=1).tolist()
        assert slide.segmentations["cell"].names.tolist() == slide.unit_names.tolist()
        drawn = slide.segmentations["cell"].labels(PX, (0, 0, stores.WIDTH * PX, stores.HEIGHT * PX))
        np.testing.assert_array_equal(drawn > 0, stores.label_image() > 0)
        assert choices([store], {})[0]["region"] == "*"
        one = opened(store.parent, params={"region": "2_labels"}).slide("S")
        assert one.unit_names.tolist() == ["1_2", "2_2", "3_2"]

    def test_check_and_new_say_which_table_they_take(self, store, monkeypatch):
        monkeypatch.chdir(store.parent)
        monkeypatch.setattr("pytest_stbench.cli.new.MAX_BYTES", 0)
        retable(store, "other")
        done = CliRunner().invoke(main, ["new", "mine", "--data", "S.zarr"])
        assert done.exit_code == 0, done.output
        said = "2 tables (other, table): table is taken; --set params.table=NAME takes another"
        assert said in " ".join(done.output.split())
        assert "params: {table: table}" in (store.parent / "mine.stbench.yaml").read_text()
        arguments = ["new", "yours", "--data", "S.zarr", "--set", "params.table=other"]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        assert "params: {table: other}" in (store.parent / "yours.stbench.yaml").read_text()
        arguments = ["check", "S.zarr", "--select", "duplicate_units", "--set", f"um_per_px={PX}"]
        done = CliRunner().invoke(main, arguments)
        assert said in " ".join(done.output.split())
        assert done.exit_code == 0, done.output
        done = CliRunner().invoke(main, [*arguments, "--set", "params.table=tabel"])
        assert "params.table is 'tabel'" in done.output
        assert "did you mean 'table'" in done.output

    def test_the_finest_of_several_images(self, store):
        pixels = stores.picture()[:, ::4, ::4]
        coarse = [to("cyx", type="scale", scale=[1.0, 4.0, 4.0])]
        stores.write_pyramid(
            store / "images/he_low", [pixels], "cyx", coarse, zarr_format=2,
            omero={"channels": [{"label": label} for label in "rgb"]},
        )  # fmt: skip
        with pytest.raises(DataError, match="2 images of r, g and b, he, he_low"):
            opened(store.parent)
        assert choices([store], {})[0] == {"image": "he"}

    def test_names_that_differ_between_stores_by_what_stands_before(self, store):
        """Readers put the name of the slide before those of its elements."""
        other = store.parent / "T.zarr"
        shutil.copytree(store, other)
        for path, slide in ((store, "s"), (other, "t")):
            for name in ("hires_image", "lowres_image"):
                shutil.copytree(path / "images/he", path / f"images/{slide}_{name}")
            shutil.rmtree(path / "images/he")
            edit(
                path / f"images/{slide}_lowres_image",
                lambda attributes: attributes["multiscales"][0].update(
                    coordinateTransformations=[to("cyx", type="scale", scale=[1.0, 2.0, 2.0])]
                ),
            )
        params, _ = choices([store, other], {})
        assert params == {"image": "*_hires_image"}
        dataset = opened(store.parent, "*.zarr", params=params)
        assert [slide.image.mpp for slide in dataset.slides()] == [0.5, 0.5]


class TestOldFormats:
    def test_a_table_that_stands_alone(self, store):
        """Before version 0.1 of spatialdata: ``table/table``."""
        (store / "tables").rename(store / "table")
        assert opened(store.parent).slide("S").unit_names.tolist() == list(NAMES)

    def test_levels_that_are_called_by_numbers(self, store):
        for place_of in (0, 1):
            (store / f"images/he/s{place_of}").rename(store / f"images/he/{place_of}")

        def change(attributes):
            for level, dataset in enumerate(attributes["multiscales"][0]["datasets"]):
                dataset["path"] = str(level)

        edit(store / "images/he", change)
        assert opened(store.parent).slide("S").image.mpp == pytest.approx(0.5)

    @pytest.mark.parametrize("kind", ["polygons", "circles"])
    def test_shapes_as_arrays(self, store, kind):
        """Format 0.1: coordinates, offsets and index."""
        folder = store / "shapes/cell_boundaries"
        (folder / "shapes.parquet").unlink()
        half = stores.SIDE / 2
        ring = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half
        polygon = kind == "polygons"
        arrays = {"coords": np.concatenate([xy + ring for xy in XY]) if polygon else XY}
        if polygon:
            arrays |= {"offset0": np.arange(0, 26, 5), "offset1": np.arange(6)}
        else:
            arrays["radius"] = np.full(len(XY), half)
        for name, values in {**arrays, "Index": np.arange(len(XY))}.items():
            stores.write_array(folder / name, np.asarray(values), zarr_format=2)
        geos = {"name": "POLYGON", "type": 3} if polygon else {"name": "POINT", "type": 0}
        edit(folder, lambda attributes: attributes["spatialdata_attrs"].update(geos=geos, version="0.1"))
        retable(store, number=np.arange(len(XY)), keys={"instance_key": "number"})
        slide = opened(store.parent).slide("S")
        np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
        assert ("cell" in slide.segmentations) is True  # the labels, or the polygons themselves


def test_an_image_with_alpha_lies_on_white(store):
    pixels = np.concatenate([stores.picture(), np.full((1, stores.HEIGHT, stores.WIDTH), 255, np.uint8)])
    pixels[3, :10] = 0
    shutil.rmtree(store / "images/he")
    stores.write_pyramid(
        store / "images/he", [pixels], "cyx", [to("cyx", type="identity")], zarr_format=2,
        omero={"channels": [{"label": label} for label in "rgba"]},
    )  # fmt: skip
    found = opened(store.parent).slide("S").image.pixels()
    assert (found[:10] == 255).all()
    np.testing.assert_array_equal(found[10:], np.moveaxis(pixels[:3, 10:], 0, -1))


def test_labels_of_four_channels_are_no_picture(store):
    edit(store / "images/he", lambda attributes: attributes["omero"].update(channels=[{"label": "DAPI"}] * 3))
    assert opened(store.parent).slide("S").image is None


@pytest.mark.parametrize("zarr_format", stores.FORMATS)
def test_an_anndata_in_zarr_is_its_own_table(tmp_path, zarr_format):
    import anndata
    import zarr

    data = anndata.AnnData(
        COUNTS.astype(np.float32), obs=pd.DataFrame({"kind": list("TBTBB")}, index=list(NAMES)),
        var=pd.DataFrame(index=list(GENES)), obsm={"spatial": XY / PX},
    )  # fmt: skip
    known = {"zarr_write_format": zarr_format} if "zarr_write_format" in dir(anndata.settings) else {}
    asked = {"zarr_format": zarr_format} if len(stores.FORMATS) > 1 else {}
    with anndata.settings.override(**known):
        anndata.io.write_elem(zarr.open_group(str(tmp_path / "A.zarr"), mode="a", **asked), "/", data)
    slide = opened(tmp_path, "A.zarr", keys={"cell_type": "kind"}).slide("A")
    assert slide.unit_names.tolist() == list(NAMES)
    expected = dict(zip(GENES, COUNTS.T.tolist(), strict=True))
    found = dict(zip(slide.genes.tolist(), slide.counts.toarray().T.tolist(), strict=True))
    assert found == {gene: expected[gene] for gene in found}
    assert len(found) == len(GENES) - 1, "all but the control"
    np.testing.assert_allclose(slide.xy_um, XY)
    assert slide.labels["cell_type"].tolist() == list("TBTBB")
    with pytest.raises(DataError, match=r"A\.zarr: .* write `scale: UM_PER_UNIT`"):
        opened(tmp_path, "A.zarr", scale=None).slide("A")


def test_bins_are_chosen_by_their_name(store):
    """Of the tables of Visium HD the 16 um one is taken, as of its folders, wherever it stands."""
    for name in ("square_002um", "square_016um", "square_008um"):
        retable(store, name)
    shutil.rmtree(store / "tables/table")
    params, notes = choices([store], {})
    assert params["table"] == "square_016um"
    assert [note for note in notes if "3 tables" in note and "--set params.table=NAME takes another" in note]
    assert choices([store], {"table": "square_008um"})[0]["table"] == "square_008um"
    with pytest.raises(DataError, match=r"3 tables.*params: \{table: square_002um\}"):
        opened(store.parent)
    shutil.rmtree(store / "tables/square_016um")
    assert choices([store], {})[0]["table"] == "square_002um"


@pytest.mark.parametrize("index", ["cell", "cell_id", None])
def test_geometry_as_nested_lists_with_an_index(store, index):
    """GeoArrow, as geopandas writes it: the index is a column of its own, and may be the only other one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = store / "shapes/cell_boundaries"
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * stores.SIDE / 2
    rings = [[[{"x": float(x), "y": float(y)} for x, y in corners + place]] for place in XY]
    kind = pa.list_(pa.list_(pa.struct([("x", pa.float64()), ("y", pa.float64())])))
    frame = pa.Table.from_pandas(pd.DataFrame(index=pd.Index(NAMES, name=index)))
    geo = {"version": "1.0.0", "primary_column": "geometry",
           "columns": {"geometry": {"encoding": "polygon", "geometry_types": ["Polygon"]}}}  # fmt: skip
    table = pa.table({"geometry": pa.array(rings, kind), frame.schema.names[0]: frame.column(0)})
    said = {**(frame.schema.metadata or {}), b"geo": json.dumps(geo).encode()}
    pq.write_table(table.replace_schema_metadata(said), folder / "shapes.parquet")
    slide = opened(store.parent).slide("S")
    np.testing.assert_allclose(slide.xy_um, XY, atol=1e-9)
    assert slide.segmentations["cell"].names.tolist() == list(NAMES)


@pytest.mark.parametrize("source", ["xenium", "cosmx", "merscope", "hest", "h5ad", "visium"])
def test_settings_that_a_reader_has_not(source, tmp_path):
    config = DatasetSpec(source=source, path="S1", params={"tabel": "x"})
    with pytest.raises(DataError, match=f"params.tabel: unknown; source {source} (has no|knows bin)"):
        load_samples(config, "d", [tmp_path])
