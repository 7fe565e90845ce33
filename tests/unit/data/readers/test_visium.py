from __future__ import annotations

import json

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.propose.detect import detect
from pytest_stbench.data.propose.for_check import DataOptions, describe_files
from pytest_stbench.data.propose.from_reader import propose_by_reader
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

from .bundles import write_10x_matrix

UM_PER_PX = 0.4
NAMES = ("ERBB2", "VIM", "ERBB2", "CD3E.1-antibody", "NegControlProbe_1")
TYPES = ("Gene Expression",) * 3 + ("Antibody Capture", "Gene Expression")


def lattice(rows=8, columns=10):
    index = np.array([(r, 2 * c + r % 2) for r in range(rows) for c in range(columns)])
    um = np.column_stack([index[:, 1] * 50.0, index[:, 0] * 100 * np.sqrt(3) / 2])
    return index, um


def write_outs(folder, version=2, *, seed=0):
    """Write what Space Ranger writes for spots: list without header in version 1, with one later."""
    (folder / "spatial").mkdir(parents=True)
    index, um = lattice()
    rng = np.random.default_rng(seed)
    barcodes = [f"AACG{i:04d}-1" for i in range(len(index))]
    inside = rng.random(len(index)) < 0.8
    counts = rng.poisson(4, (len(NAMES), int(inside.sum())))
    kept = [name for name, there in zip(barcodes, inside, strict=True) if there]
    write_10x_matrix(folder / "filtered_feature_bc_matrix.h5", counts, NAMES, TYPES, kept)
    pixels = (um + 300) / UM_PER_PX
    table = pd.DataFrame(
        {
            "barcode": barcodes, "in_tissue": inside.astype(int), "array_row": index[:, 0],
            "array_col": index[:, 1], "pxl_row_in_fullres": pixels[:, 1], "pxl_col_in_fullres": pixels[:, 0],
        }
    )  # fmt: skip
    if version == 1:
        table.to_csv(folder / "spatial" / "tissue_positions_list.csv", header=False, index=False)
    else:
        table.to_csv(folder / "spatial" / "tissue_positions.csv", index=False)
    scales = {
        "spot_diameter_fullres": (65 if version == 1 else 55) / UM_PER_PX,
        "tissue_hires_scalef": 0.1,
        "tissue_lowres_scalef": 0.03,
        "fiducial_diameter_fullres": 200,
    }
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(scales))
    PIL.Image.fromarray(np.full((200, 300, 3), 200, np.uint8)).save(
        folder / "spatial" / "tissue_hires_image.png"
    )
    return dict(zip(kept, counts.T, strict=True)), dict(zip(barcodes, um + 300, strict=True))


def write_hd(folder, size=16, *, mpp=0.25, table="tissue_positions.parquet", inner=None, **factors):
    """Write one bin size of Visium HD; `factors` are scale factors, None for those to leave out."""
    inner = inner or folder / "binned_outputs" / f"square_{size:03d}um"
    (inner / "spatial").mkdir(parents=True)
    index = np.array([(r, c) for r in range(6) for c in range(7)])
    barcodes = [f"s_{size:03d}um_{r:05d}_{c:05d}-1" for r, c in index]
    counts = np.random.default_rng(1).poisson(2, (2, len(index)))
    write_10x_matrix(
        inner / "filtered_feature_bc_matrix.h5", counts, ["A", "B"], ["Gene Expression"] * 2, barcodes
    )
    pixels = index[:, ::-1] * size / 0.25
    places = pd.DataFrame(
        {
            "barcode": barcodes, "in_tissue": 1, "array_row": index[:, 0], "array_col": index[:, 1],
            "pxl_row_in_fullres": pixels[:, 1], "pxl_col_in_fullres": pixels[:, 0],
        }
    )  # fmt: skip
    if table.endswith(".parquet"):
        places.to_parquet(inner / "spatial" / table)
    else:
        places.to_csv(inner / "spatial" / table, index=False)
    scales = {
        "bin_size_um": float(size), "microns_per_pixel": mpp, "tissue_hires_scalef": 0.2,
        "spot_diameter_fullres": size / 0.25, **factors,
    }  # fmt: skip
    known = {key: value for key, value in scales.items() if value is not None}
    (inner / "spatial" / "scalefactors_json.json").write_text(json.dumps(known))
    return counts


def opened(tmp_path, path, **changes):
    config = DatasetSpec(source="visium", path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("path", ["runs/*/outs", "runs/*"])
def test_an_output_folder(tmp_path, version, path):
    counts, places = write_outs(tmp_path / "runs" / "B1" / "outs", version)
    dataset = opened(tmp_path, path)
    (sample,) = dataset.samples
    assert (sample.slide, sample.technology, sample.resolution) == ("B1", "Visium", "spot")
    slide = dataset.slide("B1")

    assert slide.genes.tolist() == ["ERBB2", "VIM"]
    assert set(slide.unit_names) == set(counts)
    for name, row, xy in zip(slide.unit_names, slide.counts.toarray(), slide.xy_um, strict=True):
        assert row.tolist() == [counts[name][0] + counts[name][2], counts[name][1]]
        np.testing.assert_allclose(xy, places[name], rtol=1e-6)
    assert slide.meta.pitch_um == 100
    notes = {note: found["B1"] for note, found in dataset.notes.items()}
    assert (notes["features:antibody"], notes["features:negative_control_probe"]) == (1, 1)
    assert notes["duplicate_symbols_summed"] == 1
    assert notes["spots_without_counts"] == 0


def test_the_image_of_space_ranger_stands_in(tmp_path):
    write_outs(tmp_path / "B1")
    dataset = opened(tmp_path, "B1")
    assert dataset.offers == {"image"}
    slide = dataset.slide("B1")
    assert slide.image.mpp == pytest.approx(UM_PER_PX / 0.1)
    np.testing.assert_allclose(slide.xy_px * slide.image.mpp, slide.xy_um)


def test_a_declared_image_goes_first(tmp_path):
    write_outs(tmp_path / "B1")
    PIL.Image.fromarray(np.full((50, 50, 3), 9, np.uint8)).save(tmp_path / "B1.png")
    slide = opened(tmp_path, "B1", image={"path": "{slide}.png", "um_per_px": 2.0}).slide("B1")
    assert slide.image.mpp == 2.0
    np.testing.assert_allclose(slide.xy_px * 2.0, slide.xy_um)
    with pytest.raises(DataError, match="slide B1: its image is not there"):
        opened(tmp_path, "B1", image={"path": "{slide}.tif", "um_per_px": 2.0}).slide("B1")


@pytest.mark.parametrize(("bin_name", "size"), [(None, 16), ("square_008um", 8)])
def test_hd_bins(tmp_path, bin_name, size):
    write_hd(tmp_path / "H1", 16)
    counts = write_hd(tmp_path / "H1", 8) if size == 8 else None
    dataset = opened(tmp_path, "H1", params={} if bin_name is None else {"bin": bin_name})
    slide = dataset.slide("H1")
    assert (slide.meta.technology, slide.meta.resolution, slide.meta.pitch_um) == ("Visium HD", "bin", size)
    assert slide.xy_um[:, 0].max() == pytest.approx(6 * size)
    if counts is not None:
        np.testing.assert_array_equal(slide.counts.toarray(), counts.T)


def test_bins_that_are_not_there(tmp_path):
    write_hd(tmp_path / "H1", 8)
    with pytest.raises(DataError, match=r"no bins 'square_016um'; there are square_008um; set `params"):
        opened(tmp_path, "H1")


@pytest.mark.parametrize("table", ["tissue_positions.csv", "tissue_positions_list.csv"])
@pytest.mark.parametrize("size", [2, 8, 16])
def test_hd_bins_are_not_known_by_an_ending(tmp_path, size, table):
    write_hd(tmp_path / "H1", size, table=table)
    (sample,) = opened(tmp_path, "H1", params={"bin": f"square_{size:03d}um"}).samples
    assert (sample.technology, sample.resolution) == ("Visium HD", "bin")
    slide = opened(tmp_path, f"H1/binned_outputs/square_{size:03d}um").slide(f"square_{size:03d}um")
    assert (slide.meta.pitch_um, slide.xy_um[:, 0].max()) == (size, pytest.approx(6 * size))
    # the folder is called otherwise, or the factors do not say the size of the bins
    write_hd(None, size, table=table, inner=tmp_path / "binned")
    assert opened(tmp_path, "binned").slide("binned").meta.pitch_um == size
    write_hd(tmp_path / "H2", size, table=table, bin_size_um=None)
    silent = opened(tmp_path, "H2", params={"bin": f"square_{size:03d}um"})
    assert (silent.slide("H2").meta.pitch_um, silent.slide("H2").meta.technology) == (size, "Visium HD")


def test_spots_in_parquet_are_spots(tmp_path):
    _, places = write_outs(tmp_path / "B1")
    path = tmp_path / "B1" / "spatial" / "tissue_positions.csv"
    pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
    path.unlink()
    slide = opened(tmp_path, "B1").slide("B1")
    assert (slide.meta.technology, slide.meta.resolution, slide.meta.pitch_um) == ("Visium", "spot", 100)
    np.testing.assert_allclose(slide.xy_um, [places[name] for name in slide.unit_names], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mpp": 0.5}, r"a pixel is 0\.5 um by microns_per_pixel, and 0\.25 um by the pitch of bins, 16 um"),
        ({"bin_size_um": 8.0}, "bin_size_um is 8, and the folder is called square_016um"),
        ({"mpp": None}, "microns_per_pixel is None, expected a positive number"),
    ],
)
def test_hd_scales_that_contradict_each_other(tmp_path, changes, message):
    write_hd(tmp_path / "H1", **changes)
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "H1").slide("H1")


@pytest.mark.parametrize("um_per_px", [0.7, 1.9, 3.37])
@pytest.mark.parametrize("turned", [0.0, 0.3])
def test_whole_pixels_do_not_move_the_scale(tmp_path, um_per_px, turned):
    """The median distance of neighbours in whole pixels is up to 0.3 % off."""
    write_outs(tmp_path / "B1")
    index, um = lattice(78, 64)
    turn = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    pixels = np.rint(um @ turn.T / um_per_px + 900).astype(int)
    barcodes = [f"AACG{i:04d}-1" for i in range(len(index))]
    pd.DataFrame(
        {
            "barcode": barcodes, "in_tissue": 1, "array_row": index[:, 0], "array_col": index[:, 1],
            "pxl_row_in_fullres": pixels[:, 1], "pxl_col_in_fullres": pixels[:, 0],
        }
    ).to_csv(tmp_path / "B1" / "spatial" / "tissue_positions.csv", index=False)  # fmt: skip
    path = tmp_path / "B1" / "spatial" / "scalefactors_json.json"
    path.write_text(json.dumps({"spot_diameter_fullres": 55 / um_per_px, "tissue_hires_scalef": 0.1}))
    slide = opened(tmp_path, "B1").slide("B1")
    assert slide.image.mpp * 0.1 == pytest.approx(um_per_px, rel=1e-4)


# -- cells of Space Ranger 4 -------------------------------------------------------------------

MPP = 0.2737
SIDE = 40


def polygon(x, y, side):
    ring = [[float(x + a * side / 2), float(y + b * side / 2)] for a, b in
            ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]  # fmt: skip
    return {"type": "Polygon", "coordinates": [ring]}


def write_cells(outs, n=12, *, outlined=None, hires=True):
    """Write segmented_outputs as Space Ranger 4 does: barcodes in the matrix, numbers in the outlines."""
    folder = outs / "segmented_outputs"
    (folder / "spatial").mkdir(parents=True)
    counts = np.random.default_rng(2).poisson(3, (3, n))
    barcodes = [f"cellid_{i:09d}-1" for i in range(1, n + 1)]
    types = ["Gene Expression"] * 3
    write_10x_matrix(folder / "filtered_feature_cell_matrix.h5", counts, ["A", "B", "C"], types, barcodes)
    xy = np.column_stack([100.0 * np.arange(n) + 500, 60.0 * np.arange(n) + 300])
    numbers = range(n + 1) if outlined is None else outlined  # one more than the filtered matrix has

    def write(name, side):
        features = [
            {"type": "Feature", "properties": {"cell_id": i + 1}, "geometry": polygon(*xy[i % n], side)}
            for i in numbers
        ]
        (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    write("cell_segmentations.geojson", SIDE)
    write("nucleus_segmentations.geojson", SIDE / 2)
    factors = {"microns_per_pixel": MPP, "tissue_hires_scalef": 0.12, "regist_target_img_scalef": 0.12}
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    if hires:
        PIL.Image.fromarray(np.full((200, 300, 3), 200, np.uint8)).save(
            folder / "spatial" / "tissue_hires_image.png"
        )
    return counts, xy


@pytest.mark.parametrize("beside", [False, True])
def test_cells_of_space_ranger_4(tmp_path, beside):
    counts, xy = write_cells(tmp_path / "H1" / "outs")
    if beside:
        write_hd(tmp_path / "H1" / "outs")
        assert opened(tmp_path, "H1").slide("H1").meta.resolution == "bin"
    dataset = opened(tmp_path, "H1", params={"bin": "segmented_outputs"} if beside else {})
    slide = dataset.slide("H1")
    assert (slide.meta.technology, slide.meta.resolution) == ("Visium HD", "cell")
    assert slide.meta.pitch_um is None
    assert slide.unit_names.tolist() == [f"cellid_{i:09d}-1" for i in range(1, 13)]
    np.testing.assert_array_equal(slide.counts.toarray(), counts.T)
    np.testing.assert_allclose(slide.xy_um, xy * MPP)
    np.testing.assert_allclose(slide.measures["cell_area_um2"], (SIDE * MPP) ** 2)
    np.testing.assert_allclose(slide.xy_px * slide.image.mpp, slide.xy_um)
    for kind in ("cell", "nucleus"):
        outlines = slide.segmentations[kind]
        assert outlines.names[:12].tolist() == outlines.owners[:12].tolist() == slide.unit_names.tolist()
        assert outlines.names[12] == "cellid_000000013-1", "not in the matrix, and called alike"
        side = SIDE * MPP / (1 if kind == "cell" else 2)
        np.testing.assert_allclose(outlines.areas.um2, side**2)
    assert dataset.notes["cells_without_outline"]["H1"] == 0
    image = slide.segmentations["cell"].labels(0.5, (xy[3, 0] * MPP - 1, xy[3, 1] * MPP - 1, 230, 140))
    assert image[1, 1] == 4


def test_cells_by_their_folder_and_of_several_runs(tmp_path):
    for name in ("R1", "R2"):
        write_cells(tmp_path / name / "outs")
        write_hd(tmp_path / name / "outs", 8)
    one = opened(tmp_path, "R1/outs/segmented_outputs")
    assert [sample.slide for sample in one.samples] == ["segmented_outputs"]
    assert [sample.slide for sample in opened(tmp_path, "*/outs/segmented_outputs").samples] == ["R1", "R2"]
    bins = opened(tmp_path, "*/outs/binned_outputs/square_008um")
    assert [(sample.slide, sample.resolution) for sample in bins.samples] == [("R1", "bin"), ("R2", "bin")]


def test_the_same_is_proposed_and_checked(tmp_path):
    """What is there is known by its files, and what else is there is said."""
    for name in ("R1", "R2"):
        write_cells(tmp_path / "cells" / name / "outs")
        write_hd(tmp_path / "bins" / name / "outs", 16, table="tissue_positions.csv")
        write_cells(tmp_path / "bins" / name / "outs")
    for folder, params, unit in (
        ("cells", {}, "cell"), ("bins", {}, "bin"), ("bins", {"bin": "segmented_outputs"}, "cell"),
    ):  # fmt: skip
        said = DataOptions(keys={"params": params} if params else {})
        found = describe_files(str(tmp_path / folder), said)
        proposal = propose_by_reader(
            detect(folder, tmp_path), tmp_path, patient_from_name=False, params=params
        )
        for config, resolution in ((found.config.model_dump(), found.config.resolution),
                                   (proposal.dataset, proposal.resolution)):  # fmt: skip
            assert (config["technology"], resolution) == ("Visium HD", unit)
        assert {sample.slide for sample in found.samples} == {"R1", "R2"}
        told = [note for note in (*found.notes, *proposal.notes) if "--set params.bin=NAME" in note]
        assert len(told) == (2 if folder == "bins" and not params else 0)


@pytest.mark.parametrize("name", ["GSM1_filtered_feature_bc_matrix.h5", "raw_feature_bc_matrix.h5"])
def test_what_is_read_is_found(tmp_path, name):
    """Repositories put an accession before the names of files."""
    outs = tmp_path / "R1" / "outs"
    write_outs(outs, 2)
    (outs / "filtered_feature_bc_matrix.h5").rename(outs / name)
    found = detect("R1", tmp_path)
    assert (found.source, found.pattern) == ("visium", "R1/outs")
    (slide,) = opened(tmp_path, found.pattern).slides()
    assert slide.libsize.sum() > 0


def test_cells_without_outline_have_no_place(tmp_path):
    write_cells(tmp_path / "H1", outlined=range(10))
    dataset = opened(tmp_path, "H1")
    slide = dataset.slide("H1")
    assert np.flatnonzero(np.isnan(slide.xy_um).any(axis=1)).tolist() == [10, 11]
    assert dataset.notes["cells_without_outline"]["H1"] == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "cell_segmentations.geojson").unlink(), r"it lacks cell_segmentations\.geojson"),
        (lambda f: (f / "cell_segmentations.geojson").write_text("{"), "cannot be read as GeoJSON"),
        (
            lambda f: (f / "cell_segmentations.geojson").write_text(
                json.dumps({"type": "FeatureCollection", "features": [
                    {"type": "Feature", "properties": {"cell_id": 900}, "geometry": polygon(0, 0, 2)}
                ]})
            ),
            "none of its 1 outlines is of a cell in filtered_feature_cell_matrix",
        ),
        (
            lambda f: (f / "spatial" / "scalefactors_json.json").write_text("{}"),
            "microns_per_pixel is None, expected a positive number",
        ),
    ],
)  # fmt: skip
def test_damaged_cells_are_told(tmp_path, spoil, message):
    write_cells(tmp_path / "H1")
    spoil(tmp_path / "H1" / "segmented_outputs")
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "H1").slide("H1")


def spoil_scale(folder):
    path = folder / "spatial" / "scalefactors_json.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "spot_diameter_fullres": 40.0}))


def spoil_positions(folder):
    path = folder / "spatial" / "tissue_positions.csv"
    pd.read_csv(path).rename(columns={"in_tissue": "tissue"}).to_csv(path, index=False)


def nothing_inside(folder):
    path = folder / "spatial" / "tissue_positions.csv"
    pd.read_csv(path).assign(in_tissue=0).to_csv(path, index=False)


def other_barcodes(folder):
    path = folder / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(path)
    table.assign(barcode="X" + table["barcode"]).to_csv(path, index=False)


def truncate(folder):
    path = folder / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_scale, r"a spot of 40 pixels is 55 um, so a pixel is 1\.38 um.* it is 0\.4 um: the two"),
        (spoil_positions, r"tissue_positions\.csv: no column 'in_tissue'.*did you mean 'tissue'"),
        (nothing_inside, "no spot is under tissue"),
        (other_barcodes, "none of its .* barcodes under tissue is in filtered_feature_bc_matrix"),
        (truncate, "cannot be read as a feature-barcode matrix"),
        (lambda f: (f / "spatial" / "scalefactors_json.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "spatial" / "tissue_positions.csv").unlink(), "it lacks spatial/tissue_positions"),
    ],
)
def test_damaged_folders_are_told(tmp_path, spoil, message):
    write_outs(tmp_path / "B1")
    spoil(tmp_path / "B1")
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "B1").slide("B1")


def test_names_must_differ(tmp_path):
    write_outs(tmp_path / "a" / "B1" / "outs")
    write_outs(tmp_path / "b" / "B1" / "outs")
    with pytest.raises(DataError, match="two folders are slide 'B1'"):
        opened(tmp_path, "*/B1/outs")


@pytest.mark.parametrize("words", [("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("1.0", "0.0")])
def test_spots_off_tissue_by_any_word(tmp_path, words):
    counts, _ = write_outs(tmp_path / "B1")
    path = tmp_path / "B1" / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(path)
    table.assign(in_tissue=np.where(table["in_tissue"] == 1, *words)).to_csv(path, index=False)
    assert set(opened(tmp_path, "B1").slide("B1").unit_names) == set(counts)
    table.assign(in_tissue="maybe").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"tissue_positions\.csv: in_tissue: maybe"):
        opened(tmp_path, "B1").slide("B1")
