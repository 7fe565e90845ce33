from __future__ import annotations

import json

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from pytest_stbench.data.dataset import Dataset
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


def write_hd(folder, size=16):
    """Write one bin size of Visium HD."""
    inner = folder / "binned_outputs" / f"square_{size:03d}um"
    (inner / "spatial").mkdir(parents=True)
    index = np.array([(r, c) for r in range(6) for c in range(7)])
    barcodes = [f"s_{size:03d}um_{r:05d}_{c:05d}-1" for r, c in index]
    counts = np.random.default_rng(1).poisson(2, (2, len(index)))
    write_10x_matrix(
        inner / "filtered_feature_bc_matrix.h5", counts, ["A", "B"], ["Gene Expression"] * 2, barcodes
    )
    pixels = index[:, ::-1] * size / 0.25
    pd.DataFrame(
        {
            "barcode": barcodes, "in_tissue": 1, "array_row": index[:, 0], "array_col": index[:, 1],
            "pxl_row_in_fullres": pixels[:, 1], "pxl_col_in_fullres": pixels[:, 0],
        }
    ).to_parquet(inner / "spatial" / "tissue_positions.parquet")  # fmt: skip
    scales = {"bin_size_um": float(size), "microns_per_pixel": 0.25, "tissue_hires_scalef": 0.2}
    (inner / "spatial" / "scalefactors_json.json").write_text(json.dumps(scales))
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
        (spoil_scale, r"a spot of 40 pixels is 55 um, so a pixel is 1\.38 um.* it is 0\.4 um: the two files"),
        (spoil_positions, r"tissue_positions\.csv: no column 'in_tissue'.*did you mean 'tissue'"),
        (nothing_inside, "no spot is under tissue"),
        (other_barcodes, "none of its .* barcodes under tissue is in filtered_feature_bc_matrix"),
        (truncate, "no readable feature-barcode matrix"),
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
