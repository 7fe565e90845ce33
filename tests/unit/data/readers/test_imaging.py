from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.readers.imaging.outlines import LabelImage, Polygons
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.spec.model import DatasetSpec

from .bundles import GENES, write_10x_matrix, write_cosmx, write_merscope, write_xenium


def opened(tmp_path, source, path, **changes):
    config = DatasetSpec(source=source, path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])


def by_name(slide):
    frame = pd.DataFrame(slide.counts.toarray(), index=slide.unit_names, columns=slide.genes)
    return frame.sort_index().sort_index(axis=1)


# -- Xenium ------------------------------------------------------------------------------------


def test_a_xenium_bundle(tmp_path):
    table, cells, counts = write_xenium(tmp_path / "bundles" / "S1")
    dataset = opened(tmp_path, "xenium", "bundles/*")
    (sample,) = dataset.samples
    assert (sample.slide, sample.technology, sample.resolution, sample.panel, sample.patient) == (
        "S1", "Xenium", "cell", "Human Breast", None,
    )  # fmt: skip
    slide = dataset.slide("S1")

    expected = pd.DataFrame(counts[:4].T, index=cells["cell_id"], columns=GENES)
    pd.testing.assert_frame_equal(
        by_name(slide), expected.sort_index().sort_index(axis=1), check_names=False, check_dtype=False
    )
    order = cells.set_index("cell_id").loc[slide.unit_names]
    np.testing.assert_allclose(slide.xy_um, order[["x_centroid", "y_centroid"]])
    np.testing.assert_allclose(slide.measures["cell_area_um2"], order["cell_area"])
    notes = {note: found["S1"] for note, found in dataset.notes.items()}
    assert slide.measures["control_counts"].sum() == counts[4:6].sum() == notes["control_counts"]
    assert notes["control_features"] == 2
    assert (notes["features:unassigned_codeword"], notes["counts:unassigned_codeword"]) == (
        1,
        counts[6].sum(),
    )
    assert set(slide.segmentations) == {"cell", "nucleus"}
    assert dataset.offers == {"transcripts"}
    assert sum(len(batch.x_um) for batch in slide.transcripts.batches()) == len(table)


def test_cells_are_counted_from_transcripts_where_no_matrix_is(tmp_path):
    _, cells, counts = write_xenium(tmp_path / "S1", drop=("cell_feature_matrix.h5", "cells.parquet"))
    dataset = opened(tmp_path, "xenium", "S1")
    slide = dataset.slide("S1")

    expected = pd.DataFrame(counts[:4].T, index=cells["cell_id"], columns=GENES)
    expected = expected[counts.sum(axis=0) > 0]
    pd.testing.assert_frame_equal(
        by_name(slide), expected.sort_index().sort_index(axis=1), check_names=False, check_dtype=False
    )
    notes = {note: found["S1"] for note, found in dataset.notes.items()}
    assert notes["transcripts_read"] == (
        notes["transcripts_low_qv"] + notes["transcripts_unassigned"] + notes["transcripts_kept"]
    )
    no_genes = sum(number for note, number in notes.items() if note.startswith("counts:"))
    assert notes["transcripts_kept"] == no_genes + slide.counts.sum()
    assert notes["counts:unassigned_codeword"] == counts[6].sum()
    near = cells.set_index("cell_id").loc[slide.unit_names, ["x_centroid", "y_centroid"]]
    assert np.abs(slide.xy_um - near).max().max() < 3, "the mean of its transcripts"


def test_a_table_of_transcripts_is_a_slide(tmp_path):
    table, _, _ = write_xenium(tmp_path / "bundle")
    (tmp_path / "transcripts").mkdir()
    plain = table.rename(columns={"x_location": "x", "y_location": "y", "feature_name": "gene"}).drop(
        columns="qv"
    )
    plain.to_parquet(tmp_path / "transcripts" / "A1.parquet")
    plain.to_csv(tmp_path / "transcripts" / "A2.csv.gz", index=False)
    dataset = opened(tmp_path, "xenium", "transcripts/*")
    assert dataset.slide_ids == ("A1", "A2")
    one, two = (dataset.slide(name) for name in dataset.slide_ids)
    pd.testing.assert_frame_equal(by_name(one), by_name(two))
    np.testing.assert_allclose(one.xy_um, two.xy_um, atol=1e-4)
    assert "transcripts_low_qv" not in {k for k, v in dataset.notes.items() if any(v.values())}


def test_labels_of_cells(tmp_path):
    _, cells, _ = write_xenium(tmp_path / "S1")
    slide = opened(tmp_path, "xenium", "S1", keys={"cell_type": "group"}).slide("S1")
    order = cells.set_index("cell_id").loc[slide.unit_names, "group"]
    assert slide.labels["cell_type"].tolist() == [None if pd.isna(g) else g for g in order]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "experiment.xenium").write_text("{"), r"experiment\.xenium: cannot be read as JSON"),
        (
            lambda f: (f / "experiment.xenium").write_text(json.dumps({"pixel_size": 212.5})),
            r"pixel_size is 212\.5 um; a Xenium pixel is 0\.2125",
        ),
        (
            lambda f: (f / "transcripts.parquet").write_bytes((f / "transcripts.parquet").read_bytes()[:900]),
            r"transcripts\.parquet: cannot be read as a table",
        ),
        (
            lambda f: (f / "cell_feature_matrix.h5").write_bytes(b"nothing"),
            r"cell_feature_matrix\.h5: cannot be read as a feature-barcode matrix",
        ),
        (
            lambda f: pd.read_parquet(f / "cells.parquet").iloc[3:].to_parquet(f / "cells.parquet"),
            r"cells\.parquet: lacks 3 cells of cell_feature_matrix\.h5",
        ),
        (
            lambda f: (
                pd.read_parquet(f / "cells.parquet")
                .rename(columns={"x_centroid": "x"})
                .to_parquet(f / "cells.parquet")
            ),
            r"cells\.parquet: no column 'x_centroid'; it has .*did you mean 'y_centroid'",
        ),
    ],
)
def test_a_damaged_bundle_is_told(tmp_path, spoil, message):
    write_xenium(tmp_path / "S1")
    spoil(tmp_path / "S1")
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "xenium", "S1").slide("S1")


def test_what_is_no_bundle_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: not a Xenium bundle: it needs transcripts\.parquet, or"):
        opened(tmp_path, "xenium", "empty")
    with pytest.raises(DataMissing):
        opened(tmp_path, "xenium", "nowhere/*")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="neither a Xenium bundle"):
        opened(tmp_path, "xenium", "notes.txt")


def test_columns_are_found_or_told(tmp_path):
    table, _, _ = write_xenium(tmp_path / "S1")
    table.rename(columns={"feature_name": "genes"}).to_parquet(tmp_path / "A.parquet")
    with pytest.raises(
        DataError, match=r"A\.parquet: no column for the feature .*feature_name, gene.*rename it"
    ):
        opened(tmp_path, "xenium", "A.parquet").slide("A")
    table.assign(x_location="far").to_parquet(tmp_path / "B.parquet")
    with pytest.raises(DataError, match="column x_location holds"):
        opened(tmp_path, "xenium", "B.parquet").slide("B")
    table.assign(cell_id="UNASSIGNED").to_parquet(tmp_path / "C.parquet")
    with pytest.raises(DataError, match=r"slide C has no units.*form units of its transcripts with `bin`"):
        opened(tmp_path, "xenium", "C.parquet").slide("C")


def plain_table(n=600, **changes):
    """Transcripts of some cells, as a plain table."""
    rng = np.random.default_rng(4)
    cell = np.arange(n) % 20
    table = pd.DataFrame(
        {"x": 30.0 * cell + rng.normal(0, 2, n), "y": 40.0 * (cell % 5) + rng.normal(0, 2, n),
         "gene": rng.choice(["EPCAM", "CD3E", "MS4A1"], n), "cell_id": [f"c{c}" for c in cell]}
    )  # fmt: skip
    return table.assign(**changes)


def test_transcripts_without_place_are_left_out_and_counted(tmp_path):
    table = plain_table()
    table.loc[:9, "x"] = np.nan
    table.loc[10:14, "y"] = np.inf
    table.to_parquet(tmp_path / "A.parquet")
    dataset = opened(tmp_path, "xenium", "A.parquet")
    slide = dataset.slide("A")
    assert np.isfinite(slide.xy_um).all()
    assert dataset.notes["transcripts_not_finite"]["A"] == 15
    assert slide.counts.sum() == dataset.notes["transcripts_kept"]["A"] == 585


def test_negative_coordinates_are_coordinates(tmp_path):
    table = plain_table()
    # steps and a shift that binary fractions hold exactly
    table[["x", "y"]] = np.rint(table[["x", "y"]] * 64) / 64
    for name, shift in (("A", 0.0), ("B", -4096.0)):
        table.assign(x=table.x + shift, y=table.y + shift).to_parquet(tmp_path / f"{name}.parquet")
    dataset = opened(tmp_path, "xenium", "*.parquet", bin={"geometry": "tiled", "min_tissue": 0.01})
    one, other = dataset.slide("A"), dataset.slide("B")
    assert other.xy_um.max() < 0
    np.testing.assert_allclose(one.xy_um, other.xy_um + 4096)
    assert (one.counts != other.counts).nnz == 0


@pytest.mark.parametrize(
    ("changes", "rest", "message"),
    [
        ({"gene": None}, {}, "column gene is empty in some rows, so nobody knows what was decoded"),
        ({"x": "12"}, {}, "column x holds text, not numbers; write coordinates in um"),
        ({"cell_id": "UNASSIGNED"}, {}, "slide A has no units; leave it out by `slides`, or form units"),
        ({"x": 3e8}, {"bin": {"geometry": "tiled"}}, "more than a slide of 25 mm x 75 mm: give the scale of"),
        ({}, {"image": {"path": "A.png", "um_per_px": 1}}, "slide A: its image is not there"),
    ],
)
def test_tables_that_say_too_little_are_told(tmp_path, changes, rest, message):
    table = plain_table()
    for column, value in changes.items():
        # one row for what a single row spoils, all rows for what makes a slide empty
        rows = slice(None) if column == "cell_id" else slice(0, 0)
        table[column] = table[column].astype(object) if isinstance(value, str | None) else table[column]
        table.loc[rows, column] = value
        table[column] = table[column].astype(str) if column == "x" and value == "12" else table[column]
    table.to_parquet(tmp_path / "A.parquet")
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "xenium", "A.parquet", **rest).slide("A")


def test_an_empty_table_is_told(tmp_path):
    plain_table().iloc[:0].to_parquet(tmp_path / "A.parquet")
    with pytest.raises(DataError, match="slide A has no units"):
        opened(tmp_path, "xenium", "A.parquet").slide("A")
    with pytest.raises(DataError, match="no transcript is left to bin of 0"):
        opened(tmp_path, "xenium", "A.parquet", bin={"geometry": "visium"}).slide("A")


def test_cells_outside_of_the_image_see_white(tmp_path):
    import PIL.Image

    plain_table().to_parquet(tmp_path / "A.parquet")
    PIL.Image.fromarray(np.full((60, 300, 3), 9, np.uint8)).save(tmp_path / "A.png")
    slide = opened(tmp_path, "xenium", "A.parquet", image={"path": "A.png", "um_per_px": 1.0}).slide("A")
    patches = slide.image.input(slide.xy_px).patches(size=4, mpp=1.0)
    outside = (slide.xy_um > (304, 64)).any(axis=1)
    assert (patches[outside] == 255).all()
    assert (patches[(slide.xy_um < (290, 50)).all(axis=1) & (slide.xy_um > 4).all(axis=1)] == 9).all()


def test_a_readme_among_bundles_is_no_bundle(tmp_path):
    write_xenium(tmp_path / "all" / "S1")
    (tmp_path / "all" / "README.md").write_text("x")
    assert opened(tmp_path, "xenium", "all/*").slide_ids == ("S1",)


def test_transcripts_without_cells_can_still_be_binned(tmp_path):
    table, _, _ = write_xenium(tmp_path / "S1")
    table.assign(cell_id="UNASSIGNED").to_parquet(tmp_path / "C.parquet")
    config = DatasetSpec(source="xenium", path="C.parquet", bin={"geometry": "square", "size_um": 50})
    dataset = Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])
    slide = dataset.slide("C")
    notes = {note: found["C"] for note, found in dataset.notes.items()}
    assert slide.counts.sum() == notes["transcripts_kept"] > 0


def test_slides_of_one_panel_measured_the_same_genes(tmp_path):
    table, _, _ = write_xenium(tmp_path / "S1")
    (tmp_path / "t").mkdir()
    table[table["feature_name"] != "CD3E"].to_parquet(tmp_path / "t" / "A.parquet")
    table[table["feature_name"] != "VIM"].to_parquet(tmp_path / "t" / "B.parquet")

    alike = opened(tmp_path, "xenium", "t/*.parquet", panel="breast")
    assert set(alike.genes) == set(GENES)
    assert by_name(alike.slide("A"))["CD3E"].sum() == 0
    assert by_name(alike.slide("B"))["VIM"].sum() == 0
    unknown = opened(tmp_path, "xenium", "t/*.parquet")
    assert set(unknown.genes) == {"ERBB2", "EPCAM"}, "nobody says that they are of one panel"


def test_two_bundles_of_one_name(tmp_path):
    write_xenium(tmp_path / "a" / "outs")
    write_xenium(tmp_path / "b" / "outs")
    with pytest.raises(DataError, match=r"two bundles are called 'outs'.*name the folders apart"):
        opened(tmp_path, "xenium", "*/outs")


# -- CosMx -------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_cosmx_flat_files(tmp_path, packed):
    matrix, metadata = write_cosmx(tmp_path / "S1", packed=packed)
    dataset = opened(tmp_path, "cosmx", "S1", scale={"um_per_px": 0.12}, keys={"cell_type": "type"})
    slide = dataset.slide("S1")

    rows = {f"{row['fov']}_{row['cell_ID']}": row for row in matrix if row["cell_ID"]}
    assert set(slide.unit_names) == set(rows)
    for name, counts in by_name(slide).iterrows():
        assert {gene: int(n) for gene, n in counts.items()} == {gene: rows[name][gene] for gene in GENES}
    places = {f"{row['fov']}_{row['cell_ID']}": row for row in metadata}
    for name, (x, y) in zip(slide.unit_names, slide.xy_um, strict=True):
        assert x == pytest.approx(places[name]["CenterX_global_px"] * 0.12)
        assert y == pytest.approx(places[name]["CenterY_global_px"] * 0.12)
    assert dataset.notes["background_rows"]["S1"] == 2
    assert slide.meta.technology == "CosMx"
    assert set(slide.labels["cell_type"]) == {"T"}


def test_cosmx_cells_from_transcripts_are_those_of_the_matrix(tmp_path):
    write_cosmx(tmp_path / "whole" / "S1")
    write_cosmx(tmp_path / "counted" / "S1", drop=("Run_exprMat_file.csv",))
    scale = {"um_per_px": 0.12}
    whole = opened(tmp_path, "cosmx", "whole/S1", scale=scale).slide("S1")
    counted = opened(tmp_path, "cosmx", "counted/S1", scale=scale).slide("S1")
    pd.testing.assert_frame_equal(by_name(whole), by_name(counted), check_dtype=False)


def test_cosmx_polygons_cover_the_cells(tmp_path):
    write_cosmx(tmp_path / "S1")
    slide = opened(tmp_path, "cosmx", "S1", scale={"um_per_px": 0.12}).slide("S1")
    cells = slide.segmentations["cell"]
    x, y = slide.xy_um[list(slide.unit_names).index("1_3")]
    image = cells.labels(0.12, (x - 2, y - 2, x + 2, y + 2))
    assert cells.names[image[image.shape[0] // 2, image.shape[1] // 2] - 1] == "1_3"


def test_cosmx_needs_the_size_of_a_pixel(tmp_path):
    write_cosmx(tmp_path / "S1")
    with pytest.raises(DataError, match=r"no file says how large: write `scale: UM_PER_PX`.*0\.12028"):
        opened(tmp_path, "cosmx", "S1")


# -- MERSCOPE ----------------------------------------------------------------------------------


def test_merscope_region(tmp_path):
    matrix, metadata = write_merscope(tmp_path / "R1")
    dataset = opened(tmp_path, "merscope", "R1")
    slide = dataset.slide("R1")
    expected = matrix[list(GENES)].sort_index().sort_index(axis=1)
    pd.testing.assert_frame_equal(by_name(slide), expected, check_names=False, check_dtype=False)
    order = metadata.set_index("EntityID").loc[slide.unit_names]
    np.testing.assert_allclose(slide.xy_um, order[["center_x", "center_y"]])
    np.testing.assert_allclose(slide.measures["volume_um3"], order["volume"])
    x, y = slide.xy_um[4]
    image = slide.segmentations["cell"].labels(0.5, (x - 1, y - 1, x + 1, y + 1))
    assert slide.segmentations["cell"].names[image.max() - 1] == slide.unit_names[4]


def test_merscope_without_a_matrix(tmp_path):
    matrix, _ = write_merscope(tmp_path / "R1", drop=("cell_by_gene.csv",))
    slide = opened(tmp_path, "merscope", "R1").slide("R1")
    expected = matrix[list(GENES)].sort_index().sort_index(axis=1)
    pd.testing.assert_frame_equal(by_name(slide), expected, check_names=False, check_dtype=False)


# -- outlines ----------------------------------------------------------------------------------


def test_a_pixel_belongs_to_the_outline_around_its_centre(tmp_path):
    corners = [(1, 1), (4, 1), (4, 3), (1, 3)]
    frame = pd.DataFrame([("a", *c) for c in corners], columns=["cell_id", "vertex_x", "vertex_y"])
    frame.to_parquet(tmp_path / "p.parquet")
    image = Polygons(tmp_path / "p.parquet", "cell").labels(1.0, (0, 0, 6, 5))
    assert image.tolist() == [
        [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0],
    ]  # fmt: skip


def test_outlines_that_cover_nothing_are_counted(tmp_path):
    rows = [
        ("line", 0, 0),
        ("line", 1, 1),
        ("nan", 0, 0),
        ("nan", np.nan, 1),
        ("nan", 1, 0),
        ("ok", 0, 0),
        ("ok", 9, 0),
        ("ok", 0, 9),
    ]
    pd.DataFrame(rows, columns=["cell_id", "vertex_x", "vertex_y"]).to_parquet(tmp_path / "p.parquet")
    polygons = Polygons(tmp_path / "p.parquet", "nucleus")
    assert polygons.unusable == 2
    assert set(np.unique(polygons.labels(1.0, (0, 0, 10, 10)))) == {0, 3}


def test_a_label_image_is_seen_at_any_resolution(tmp_path):
    source = np.zeros((4, 6), np.uint16)
    source[1:3, 2:5] = 700
    source[0, 0] = 3
    np.savez(tmp_path / "l.npz", labels=source, um_per_px=2.0)
    labels = LabelImage(tmp_path / "l.npz", "cell")
    assert labels.names.tolist() == ["3", "700"]
    np.testing.assert_array_equal(labels.labels(2.0, (0, 0, 12, 8)) == 2, source == 700)
    fine = labels.labels(1.0, (0, 0, 12, 8))
    np.testing.assert_array_equal(fine == 2, np.kron(source == 700, np.ones((2, 2), bool)))
    assert labels.labels(2.0, (-4, -4, 0, 0)).sum() == 0


@pytest.mark.parametrize(
    ("window", "message"),
    [((0, 0, 0, 5), "is empty"), ((0, 0, np.nan, 5), "is empty"), ((0, 0, 1e6, 1e6), "too large")],
)
def test_windows_that_cannot_be(tmp_path, window, message):
    np.savez(tmp_path / "l.npz", labels=np.ones((2, 2), int), um_per_px=1.0)
    with pytest.raises(DataError, match=message):
        LabelImage(tmp_path / "l.npz", "cell").labels(1.0, window)


def test_label_images_that_cannot_be_read(tmp_path):
    np.savez(tmp_path / "l.npz", labels=np.ones((2, 2), int))
    with pytest.raises(DataError, match="size of a pixel is not known"):
        _ = LabelImage(tmp_path / "l.npz", "cell").names
    (tmp_path / "l.png").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read as a label image"):
        _ = LabelImage(tmp_path / "l.png", "cell", 1.0).names


def test_nothing_is_read_before_it_is_asked_for(tmp_path, monkeypatch):
    write_xenium(tmp_path / "S1")
    dataset = opened(tmp_path, "xenium", "S1")
    from pytest_stbench.data.readers import tenx

    monkeypatch.setattr(tenx, "read_matrix", lambda path: pytest.fail("read"))
    assert set(dataset.genes) == set(GENES)
    assert dataset.offers == {"transcripts"}


def test_shape_and_parts_of_a_matrix_must_fit(tmp_path):
    import h5py

    from pytest_stbench.data.readers.tenx import read_matrix

    path = tmp_path / "m.h5"
    write_10x_matrix(path, np.ones((2, 3)), ["A", "B"], ["Gene Expression"] * 2, ["x", "y", "z"])
    assert read_matrix(path).counts.toarray().tolist() == [[1, 1]] * 3
    with h5py.File(path, "a") as file:
        file["matrix/shape"][0] = 5
    with pytest.raises(DataError, match=r"shape .* for 2 features and 3 barcodes"):
        read_matrix(path)


def test_names_of_a_matrix_beyond_ascii(tmp_path):
    from pytest_stbench.data.readers.tenx import read_matrix

    path = tmp_path / "m.h5"
    names = ["TNFβ".encode(), b"IL2"]
    write_10x_matrix(path, np.eye(2), names, ["Gene Expression"] * 2, [b"a-1", b"long-1"])
    found = read_matrix(path)
    assert (found.features.names.tolist(), found.barcodes.tolist()) == (["TNFβ", "IL2"], ["a-1", "long-1"])


@pytest.mark.parametrize(
    ("names", "listed", "expected"),
    [("abc", "abc", [0, 1, 2]), ("ca", "abc", [2, 0]), ("aa", "aa", [0, 1]), ("", "ab", [])],
)
def test_rows_of_cells(tmp_path, names, listed, expected):
    from pytest_stbench.data.readers.imaging.tables import rows_of

    held = np.array(list(listed), dtype=object)
    assert rows_of(np.array(list(names), dtype=np.str_), held, tmp_path / "c.csv", "m").tolist() == expected
    with pytest.raises(DataError, match=r"c\.csv: lacks 1 cells of m, such as 'z'"):
        rows_of(["z"], held, tmp_path / "c.csv", "m")


@pytest.mark.parametrize("vendor", ["cosmx", "merscope"])
@pytest.mark.parametrize("header", ["Unnamed: 0", "", "index"])
def test_row_numbers_of_a_saved_table_are_no_gene(tmp_path, vendor, header):
    """A data frame that was saved with its row numbers has one column more, of large counts."""
    write, name = {
        "cosmx": (write_cosmx, "Run_exprMat_file.csv"),
        "merscope": (write_merscope, "cell_by_gene.csv"),
    }[vendor]
    write(tmp_path / "S1")
    scale = {"scale": {"um_per_px": 0.12}} if vendor == "cosmx" else {}
    before = by_name(opened(tmp_path, vendor, "S1", **scale).slide("S1"))
    table = pd.read_csv(tmp_path / "S1" / name, dtype={"cell": str})
    if vendor == "merscope":
        table = table.rename(columns={table.columns[0]: "cell"})
    table.insert(0, header, np.arange(len(table)))
    table.to_csv(tmp_path / "S1" / name, index=False)
    dataset = opened(tmp_path, vendor, "S1", **scale)
    pd.testing.assert_frame_equal(by_name(dataset.slide("S1")), before)
    assert dataset.notes["row_number_columns"]["S1"] == 1


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("beside", [(), ("cell",)])
def test_the_cell_of_merscope_is_no_gene(tmp_path, place, beside):
    """The matrix may call the cell EntityID, as the other tables do, in any column, or both."""
    write_merscope(tmp_path / "S1")
    before = by_name(opened(tmp_path, "merscope", "S1").slide("S1"))
    table = pd.read_csv(tmp_path / "S1" / "cell_by_gene.csv", dtype={"cell": str})
    cells = table["cell"] if beside else table.pop("cell")
    table.insert(place, "EntityID", cells)
    table.to_csv(tmp_path / "S1" / "cell_by_gene.csv", index=False)
    dataset = opened(tmp_path, "merscope", "S1")
    pd.testing.assert_frame_equal(by_name(dataset.slide("S1")), before)
    assert set(dataset.genes) == set(GENES)


# -- Stereo-seq --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("number", "feature", "scale", "um"),
    [("MIDCount", "geneID", None, 0.5), ("MIDCounts", "geneID", 0.715, 0.715), ("count", "gene", None, 1.0)],
)
def test_a_row_stands_for_as_many_transcripts_as_it_says(tmp_path, ending, number, feature, scale, um):
    rows = pd.DataFrame(
        {feature: ["EPCAM", "VIM", "EPCAM", "CD3E"], "x": [10, 10, 40, 40], "y": [20, 20, 30, 30],
         number: [3, 1, 700, 0], "cell_id": ["a", "a", "b", "b"]}
    )  # fmt: skip
    path = tmp_path / f"S.{ending}"
    rows.to_parquet(path) if ending == "parquet" else rows.to_csv(path, index=False)
    declared = {} if scale is None else {"scale": {"um_per_px": scale}}
    slide = opened(tmp_path, "xenium", path.name, **declared).slide("S")
    assert by_name(slide).loc[["a", "b"], ["EPCAM", "VIM", "CD3E"]].to_numpy().tolist() == [
        [3, 1, 0], [700, 0, 0],
    ]  # fmt: skip
    np.testing.assert_allclose(slide.xy_um, np.array([[10, 20], [40, 30]]) * um)
    assert sum(len(batch.x_um) for batch in slide.transcripts.batches()) == 704
    rows.assign(**{number: [1, 2, -1, 0]}).to_csv(tmp_path / "T.csv", index=False)
    with pytest.raises(DataError, match=rf"T\.csv: column {number} says how many .* found -1"):
        opened(tmp_path, "xenium", "T.csv", **declared).slide("T")


def test_gem_is_read_as_text_of_tabs_below_its_remarks(tmp_path):
    rows = pd.DataFrame(
        {"geneID": ["EPCAM", "VIM"], "x": [10, 40], "y": [20, 30], "MIDCount": [3, 2], "ExonCount": [3, 1]}
    )
    above = "#FileFormat=GEMv0.1\n#Omics=Transcriptomics\n#OffsetX=0\n"
    path = tmp_path / "S.gem.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write(above + rows.to_csv(sep="\t", index=False))
    table = open_transcripts(path)
    assert table.features.tolist() == ["EPCAM", "VIM"]
    (batch,) = table.batches()
    assert batch.x_um.tolist() == [5.0] * 3 + [20.0] * 2
    assert batch.y_um.tolist() == [10.0] * 3 + [15.0] * 2


def test_rows_of_many_transcripts_come_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_stbench.data.readers.transcripts.MOST", 100)
    rows = pd.DataFrame({"gene": "EPCAM", "x": 1.0, "y": 2.0, "count": [90] * 20, "cell_id": "a"})
    rows.to_parquet(tmp_path / "S.parquet")
    slide = opened(tmp_path, "xenium", "S.parquet").slide("S")
    sizes = [len(batch.x_um) for batch in slide.transcripts.batches()]
    assert sum(sizes) == 1_800 == slide.counts.sum()
    assert max(sizes) <= 200


# -- the unit of vendors' coordinates ----------------------------------------------------------


def say_mm(folder, um, name="Run_fov_positions_file.csv"):
    places = np.array([0.0, 5000.0, 12000.0])
    pd.DataFrame(
        {
            "FOV": [1, 2, 3],
            "x_global_px": places,
            "y_global_px": places,
            "x_global_mm": 3 - places * um / 1000,
        }
    ).to_csv(folder / name, index=False)


def say_um2(folder, um):
    path = folder / "Run_metadata_file.csv"
    table = pd.read_csv(path)
    table.assign(**{"Area.um2": table["Area"] * um**2}).to_csv(path, index=False)


@pytest.mark.parametrize("say", [say_mm, say_um2])
def test_files_of_cosmx_say_the_size_of_a_pixel(tmp_path, say):
    write_cosmx(tmp_path / "S1")
    unsaid = opened(tmp_path, "cosmx", "S1", scale={"um_per_px": 0.18})
    say(tmp_path / "S1", 0.18)
    dataset = opened(tmp_path, "cosmx", "S1")
    np.testing.assert_allclose(dataset.slide("S1").xy_um, unsaid.slide("S1").xy_um)
    opened(tmp_path, "cosmx", "S1", scale={"um_per_px": 0.1803}).slide("S1")
    with pytest.raises(DataError, match=r"a pixel is 0\.1203 um by `scale` and 0\.18 um by (x_global|Area)"):
        opened(tmp_path, "cosmx", "S1", scale={"um_per_px": 0.12028}).slide("S1")


def test_two_files_of_cosmx_that_differ(tmp_path):
    write_cosmx(tmp_path / "S1")
    say_mm(tmp_path / "S1", 0.18)
    say_um2(tmp_path / "S1", 0.12)
    with pytest.raises(DataError, match=r"a pixel is 0\.12 um by Area and Area\.um2 of .* and 0\.18 um by"):
        opened(tmp_path, "cosmx", "S1").slide("S1")


@pytest.mark.parametrize("number", [0.2125, 1.2])
@pytest.mark.parametrize(("source", "write"), [("xenium", write_xenium), ("merscope", write_merscope)])
def test_a_scale_for_files_in_um_is_refused(tmp_path, source, write, number):
    write(tmp_path / "S1")
    expected = opened(tmp_path, source, "S1").slide("S1").xy_um
    np.testing.assert_allclose(
        opened(tmp_path, source, "S1", scale={"um_per_px": 1.0}).slide("S1").xy_um, expected
    )
    with pytest.raises(DataError, match=rf"a unit is {number} um by `scale`, and 1 um by the files"):
        opened(tmp_path, source, "S1", scale={"um_per_px": number}).slide("S1")
    table = next((tmp_path / "S1").glob("*transcripts.*"))
    with pytest.raises(DataError, match=rf"a unit is {number} um by `scale`, and 1 um by the files"):
        opened(tmp_path, source, f"S1/{table.name}", scale={"um_per_px": number}).slide(table.stem)
