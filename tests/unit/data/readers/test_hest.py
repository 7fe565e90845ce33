from __future__ import annotations

import csv
import json
import pickle

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.gene_lists import read_gene_list
from pytest_stbench.data.images.tile_cache import TILES
from pytest_stbench.data.input_image import InputImage
from pytest_stbench.data.readers.mosaic import Mosaic
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, SplitError
from pytest_stbench.spec.model import DatasetSpec, SplitSpec
from pytest_stbench.splits.catalogue import SPLITS
from pytest_stbench.splits.designs import make_folds
from pytest_stbench.splits.table import Sample


def write_slide(path, seed=0):
    rng = np.random.default_rng(seed)
    xy = np.array([(200 * x, 200 * y) for x in range(5) for y in range(4)], float)
    path.parent.mkdir(parents=True, exist_ok=True)
    anndata.AnnData(
        csr_matrix(rng.poisson(3, (20, 3)).astype(np.float32)),
        obs=pd.DataFrame(index=[f"{i}x1" for i in range(20)]),
        var=pd.DataFrame(index=["ERBB2", "VIM", "CD3E"]),
        obsm={"spatial": xy},
    ).write_h5ad(path)


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def hest(tmp_path):
    """Three samples of a HEST-1k folder: two of one patient, one whose patient nobody knows."""
    folder = tmp_path / "hest"
    rows = []
    for number, (name, patient) in enumerate((("TENX1", "P 1"), ("TENX2", "P 1"), ("NCBI3", ""))):
        write_slide(folder / "st" / f"{name}.h5ad", number)
        rows.append(
            {"id": name, "dataset_title": "Study", "patient": patient, "organ": "Breast",
             "disease_state": "Cancer",
             "st_technology": "Visium" if number else "Spatial Transcriptomics", "pixel_size_um": 0.7,
             "preservation_method": "FFPE", "study_link": "https://x.y/1"}
        )  # fmt: skip
    write_rows(folder / "HEST_v1_1_0.csv", rows)
    (folder / "metadata").mkdir()
    (folder / "metadata" / "TENX1.json").write_text(json.dumps({"pixel_size_um_estimated": 0.5}))
    return tmp_path


def opened(root, path="hest", **changes):
    config = DatasetSpec(source="hest", path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [root]), [root])


def test_samples_come_from_the_metadata(hest):
    samples = {sample.slide: sample for sample in opened(hest).samples}
    assert samples["TENX1"].patient == samples["TENX2"].patient == "Study:P 1"
    assert samples["NCBI3"].patient is None
    assert (samples["TENX1"].technology, samples["TENX2"].technology) == ("ST", "Visium")
    assert samples["TENX1"].resolution == "spot"
    assert (samples["TENX2"].organ, samples["TENX2"].preservation) == ("Breast", "FFPE")
    assert samples["TENX2"].accession == "https://x.y/1"
    assert samples["TENX2"].corpus == "HEST-1k"


def test_pixels_become_um_by_each_slides_own_size(hest):
    dataset = opened(hest)
    assert dataset.slide("TENX1").xy_um.max() == pytest.approx(800 * 0.5), "the file of the sample goes first"
    assert dataset.slide("TENX2").xy_um.max() == pytest.approx(800 * 0.7)
    assert opened(hest, scale={"um_per_px": 1.5}).slide("TENX1").xy_um.max() == pytest.approx(1200)
    assert dataset.checksum != opened(hest, scale={"um_per_px": 1.5}).checksum


def test_published_splits_become_folds(tmp_path):
    task = tmp_path / "IDC"
    for number, name in enumerate("ABC"):
        write_slide(task / "adata" / f"{name}.h5ad", number)
    for k, test in enumerate("AB"):
        write_rows(task / "splits" / f"train_{k}.csv", [{"sample_id": n, "x": 1} for n in "ABC" if n != test])
        write_rows(task / "splits" / f"test_{k}.csv", [{"sample_id": test, "x": 1}])
    dataset = opened(tmp_path, "IDC", scale={"um_per_px": 0.5})
    split = SplitSpec(name="fixed", params={"columns": ["hest_fold_0", "hest_fold_1"]})
    folds = make_folds(split, dataset.samples, SPLITS)
    assert [(f.name, f.train, f.test) for f in folds] == [
        ("hest_fold_0", ("B", "C"), ("A",)),
        ("hest_fold_1", ("A", "C"), ("B",)),
    ]
    write_rows(task / "splits" / "test_0.csv", [{"sample_id": "B", "x": 1}])
    with pytest.raises(DataError, match="sample B stands in train and in test"):
        opened(tmp_path, "IDC", scale={"um_per_px": 0.5})


def test_a_slide_may_take_no_part_in_a_fold():
    samples = [Sample(slide=n, extra={"f": w}) for n, w in (("A", "train"), ("B", "test"), ("C", ""))]
    (fold,) = make_folds(SplitSpec(name="fixed", params={"columns": ["f"]}), samples, SPLITS)
    assert (fold.name, fold.train, fold.test) == ("f", ("A",), ("B",))
    with pytest.raises(SplitError, match="columns must be a list"):
        make_folds(SplitSpec(name="fixed", params={"columns": "f"}), samples, SPLITS)
    with pytest.raises(SplitError, match="no column 'g'"):
        make_folds(SplitSpec(name="fixed", params={"columns": ["g"]}), samples, SPLITS)


def test_the_genes_of_a_task(tmp_path):
    path = tmp_path / "var_50genes.json"
    path.write_text(json.dumps({"genes": ["A", "B", "A"]}))
    assert read_gene_list(path) == ("A", "B")
    path.write_text('["C"]')
    assert read_gene_list(path) == ("C",)
    for text in ("{", '{"other": []}', '{"genes": [1]}', "[]"):
        path.write_text(text)
        with pytest.raises(DataError, match=r"var_50genes\.json"):
            read_gene_list(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "HEST_v1_1_0.csv").unlink(),
            r"slide NCBI3: the size of a pixel is in no metadata/NCBI3\.json",
        ),
        (lambda f: (f / "metadata" / "TENX1.json").write_text("{"), r"TENX1\.json: cannot be read as JSON"),
        (
            lambda f: (f / "metadata" / "TENX1.json").write_text('{"pixel_size_um_estimated": 500}'),
            "TENX1: pixel_size_um_estimated is 500 um",
        ),
        (lambda f: (f / "HEST_v1_1_0.csv").write_text("a,b\n1,2\n"), "no column 'id'"),
        (lambda f: [p.unlink() for p in (f / "st").iterdir()], "no h5ad file in adata/ or st/"),
    ],
)
def test_damage_is_told(hest, spoil, message):
    spoil(hest / "hest")
    with pytest.raises(DataError, match=message):
        for _ in opened(hest).slides():
            pass


def test_one_folder_is_read(hest):
    with pytest.raises(DataError, match="source hest reads one folder"):
        opened(hest, "hest/st/*.h5ad")


# -- patches -----------------------------------------------------------------------------------

SIZE = 16
"""Side of a patch in pixels of 0.5 um; the published ones have 224."""


def write_patches(folder, name, um_per_px, *, units=18, shift=0.0, **changes):
    """Patches of different colours around the first `units` units, as HEST writes them."""
    names = [f"{i}x1" for i in range(units)]
    xy = np.array([(200 * x, 200 * y) for x in range(5) for y in range(4)], float)[:units]
    parts = {
        "img": np.random.default_rng(3).integers(0, 255, (units, SIZE, SIZE, 3), dtype=np.uint8),
        "coords": np.rint(xy + shift - SIZE * 0.5 / 2 / um_per_px).astype(np.int64),
        "barcode": np.array([[n.encode()] for n in names]),
        **changes,
    }
    (folder / "patches").mkdir(exist_ok=True)
    with h5py.File(folder / "patches" / f"{name}.h5", "w") as file:
        for key, values in parts.items():
            if values is not None:
                file[key] = values
    return parts["img"]


@pytest.fixture
def patched(hest):
    folder = hest / "hest"
    pixels = {name: write_patches(folder, name, size) for name, size in
              (("TENX1", 0.5), ("TENX2", 0.7), ("NCBI3", 0.7))}  # fmt: skip
    return hest, pixels


def test_patches_are_given_as_they_are(patched):
    root, pixels = patched
    dataset = opened(root)
    assert dataset.offers == {"image"}
    for name in pixels:
        slide = dataset.slide(name)
        found = slide.image.input(slide.xy_px).patches(size=SIZE, mpp=0.5)
        np.testing.assert_array_equal(found[:18], pixels[name])
        assert (found[18:] == 255).all(), "units without a patch see white"
        assert dataset.notes["units_without_patch"][name] == 2
    # pixels of 0.5 and 0.7 um: a pitch of 200 pixels is 100 and 140 um
    assert dataset.slide("TENX1").xy_px[4, 0] - dataset.slide("TENX1").xy_px[0, 0] == 200
    assert dataset.slide("TENX2").xy_px[4, 0] - dataset.slide("TENX2").xy_px[0, 0] == 280


def test_patches_are_not_read_before_they_are_asked_for(patched):
    root, _ = patched
    slide = opened(root).slide("TENX2")
    (root / "hest" / "patches" / "TENX2.h5").unlink()
    with pytest.raises(DataError, match=r"TENX2\.h5: cannot be read as patches"):
        slide.image.pixels()


def test_patches_of_some_slides_are_no_image(patched):
    root, _ = patched
    (root / "hest" / "patches" / "TENX2.h5").unlink()
    assert opened(root).offers == set()
    assert opened(root).slide("TENX1").image is None
    assert opened(root, slides=("TENX1", "NCBI3")).offers == {"image"}


def test_a_number_as_scale_places_patches(patched):
    root, pixels = patched
    slide = opened(root, slides=("TENX1",), scale={"um_per_px": 0.5}).slide("TENX1")
    np.testing.assert_array_equal(
        slide.image.input(slide.xy_px).patches(size=SIZE, mpp=0.5)[:18], pixels["TENX1"]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"barcode": None}, "without img and coords and barcode"),
        ({"barcode": np.array([[b"other"]] * 18)}, "no patch is of a unit of the slide: barcodes are"),
        ({"barcode": np.array([[b"0x1"]] * 3)}, "3 barcodes"),
        ({"img": np.zeros((18, SIZE, SIZE), np.uint8)}, r"found uint8 of shape \(18, 16, 16\)"),
        ({"coords": np.full((18, 2), np.nan)}, "coords are not all finite numbers"),
        ({"shift": 900.0}, r"units lie -446 and -446 um .* not in their middles"),
        ({"coords": np.array([(0, 0)] * 17 + [(10**6, 10**6)])}, "not in their middles: the patches are not"),
    ],
)  # fmt: skip
def test_bad_patches(patched, changes, message):
    root, _ = patched
    write_patches(root / "hest", "TENX1", 0.5, **changes)
    with pytest.raises(DataError, match=message):
        opened(root).slide("TENX1")


def test_too_large_to_put_together(patched):
    root, _ = patched
    path = root / "hest" / "patches" / "TENX1.h5"
    with h5py.File(path, "r+") as file:
        file["coords"][17] = 10**7
    with pytest.raises(DataError, match="too many to put together: declare the whole-slide image as `image`"):
        opened(root).slide("TENX1")


def enlarged(folder, um_per_px, size, shown_um, side=None):
    """Patches that show `shown_um` um in `size` pixels, a dark disc of a third of that in the middle."""
    xy = np.array([(200 * x, 200 * y) for x in range(5) for y in range(4)], float)
    y, x = np.mgrid[:size, :size] + 0.5
    dark = np.hypot(x - size / 2, y - size / 2) < size / 6
    img = np.where(dark[None, ..., None], 60, 240).astype(np.uint8)
    write_patches(
        folder, "TENX1", um_per_px, units=20,
        img=np.broadcast_to(img, (20, size, size, 3)),
        coords=np.floor(xy + 0.3 - shown_um / um_per_px / 2).astype(np.int64),
    )  # fmt: skip
    if side is not None:
        with h5py.File(folder / "patches" / "TENX1.h5", "r+") as file:
            file["img"].attrs["patch_size_src"] = side
    return shown_um / 3


@pytest.mark.parametrize(
    ("size", "shown_um", "side"),
    [(224, 112, None), (256, 112, None), (256, 112, 224), (112, 112, None), (256, 128, 256), (224, 90, None)],
)
def test_what_a_patch_shows_is_said_by_the_file(hest, size, shown_um, side):
    disc = enlarged(hest / "hest", 0.5, size, shown_um, side)
    slide = opened(hest, slides=("TENX1",)).slide("TENX1")
    assert slide.image.mpp == pytest.approx(shown_um / size, rel=0.012)
    if side is not None or shown_um == size / 2:
        assert slide.image.mpp == shown_um / size, "exact where the file says it, and as published"
    # of another slide nothing lies in the patch: the pitch is 100 um
    patch = slide.image.input(slide.xy_px).patches(size=100, mpp=0.5)[7]
    across = 2 * np.sqrt((patch.mean(axis=-1) < 150).sum() * 0.25 / np.pi)
    assert across == pytest.approx(disc, rel=0.03)


def test_a_side_that_the_corners_contradict(hest):
    enlarged(hest / "hest", 0.5, 256, 112, side=256)
    with pytest.raises(DataError, match=r"shows 128 um by its attribute patch_size_src and 11\d.* um by its"):
        opened(hest, slides=("TENX1",)).slide("TENX1")


def test_only_the_patches_of_a_place_are_read(patched, monkeypatch):
    root, pixels = patched
    slide = opened(root).slide("TENX1")
    given = slide.image.input(slide.xy_px)
    assert given.in_parts
    read = []
    real = Mosaic._tile
    monkeypatch.setattr(Mosaic, "_tile", lambda self, file, *at: read.append(at) or real(self, file, *at))
    TILES.forget()
    np.testing.assert_array_equal(given.patches(size=SIZE, mpp=0.5, units=[3]), pixels["TENX1"][3:4])
    assert 1 <= len(set(read)) <= 4
    whole = given.array
    np.testing.assert_array_equal(whole, by_pasting(root / "hest" / "patches" / "TENX1.h5", 0.5))


def by_pasting(path, um_per_px):
    """The image of patches of 0.5 um, one after the other."""
    with h5py.File(path) as file:
        corners = np.rint((file["coords"][()] - file["coords"][()].min(axis=0)) * um_per_px / 0.5).astype(int)
        width, height = corners.max(axis=0) + SIZE
        canvas = np.full((height, width, 3), 255, np.uint8)
        for patch, (x, y) in zip(file["img"][()], corners, strict=True):
            canvas[y : y + SIZE, x : x + SIZE] = patch
    return canvas


def test_patches_can_be_asked_for_in_a_process_of_its_own(patched, in_child):
    root, pixels = patched
    slide = opened(root).slide("TENX1")
    given = slide.image.input(slide.xy_px)
    found = in_child("spawn", InputImage.patches, given, SIZE, 0.5)
    np.testing.assert_array_equal(found[:18], pixels["TENX1"])
    assert str(root).encode() not in pickle.dumps(given)
    with h5py.File(root / "hest" / "patches" / "TENX1.h5", "r+") as file:
        del file["img"]
    fresh = slide.image.input(slide.xy_px)
    with pytest.raises(DataError) as caught:
        fresh.patches(size=SIZE, mpp=0.5)
    assert "TENX1" not in str(caught.value)
    assert caught.value.__context__ is None
