from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2hed

from pytest_stbench.baselines.otsu_watershed import OtsuWatershed, grown, nuclear_stain, nuclei
from pytest_stbench.baselines.voronoi_nuclei import VoronoiNuclei
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.region import Region, tile_starts
from pytest_stbench.data.samples import load_samples
from pytest_stbench.families.segmentation.declare import Segmentation
from pytest_stbench.families.segmentation.tiles import region_of, tiles_of
from pytest_stbench.index import own
from pytest_stbench.metrics import pq
from pytest_stbench.registry import Family
from pytest_stbench.spec.model import DatasetSpec

MPP = 0.5
CENTRES_UM = [(10.0, 10.0), (30.0, 12.0), (20.0, 40.0), (27.5, 40.0), (47.0, 30.0)]
RADIUS_UM = 4.0


def discs(side_um=64.0, mpp=MPP):
    """Round nuclei as labels; the third and fourth touch."""
    side = round(side_um / mpp)
    y, x = (np.indices((side, side)) + 0.5) * mpp
    labels = np.zeros((side, side), np.int32)
    for number, (cx, cy) in enumerate(CENTRES_UM, start=1):
        labels[np.hypot(x - cx, y - cy) <= RADIUS_UM] = number
    return labels


def stained(labels, noise=3):
    """H&E: blue-violet nuclei on pink."""
    image = np.where(labels[..., None] > 0, [96, 62, 140], [232, 180, 208]).astype(float)
    return (image + np.random.default_rng(0).normal(0, noise, image.shape)).clip(0, 255).astype(np.uint8)


def region(image, kind="nucleus", mpp=MPP):
    return Region(origin_um=(0.0, 0.0), mpp=mpp, kind=kind, image=image)


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_nuclei_are_found_and_touching_ones_are_parted(mpp):
    labels = discs(mpp=mpp)
    found = OtsuWatershed().segment(None, region(stained(labels), mpp=mpp))
    assert found.dtype == np.int32
    assert found.shape == labels.shape
    score = pq(labels, found)
    assert score.extras["tp"][0] == len(CENTRES_UM)
    assert score.extras["fp"][0] == 0
    assert score.values[0] > 0.8


def test_a_single_channel_is_read_as_bright_nuclei():
    labels = discs()
    grey = np.where(labels > 0, 180, 20).astype(np.uint8)
    for image in (grey, grey[..., None], np.stack([grey] * 3, axis=2)):
        found = nuclei(image, MPP)
        assert pq(labels, found).extras["tp"][0] == len(CENTRES_UM)


def test_cells_are_nuclei_and_what_is_near():
    image = stained(discs())
    found, cells = (OtsuWatershed().segment(None, region(image, kind)) for kind in ("nucleus", "cell"))
    voronoi = VoronoiNuclei().segment(None, region(image, "cell"))
    assert (cells[found > 0] == found[found > 0]).all()
    assert (voronoi[cells > 0] == cells[cells > 0]).all()
    alone = found[round(30 / MPP), round(47 / MPP)]
    widths = [(mask == alone).any(axis=0).sum() * MPP for mask in (found, cells, voronoi)]
    assert widths[1] - widths[0] == pytest.approx(10, abs=1)
    assert widths[2] - widths[0] == pytest.approx(20, abs=1)
    assert (VoronoiNuclei().segment(None, region(image)) == found).all()
    assert OtsuWatershed().config["expansion_um"] == 5
    assert VoronoiNuclei().config["expansion_um"] == 10


def test_grown_instances_meet_halfway():
    line = np.zeros((1, 11), np.int32)
    line[0, 0], line[0, 10] = 4, 9
    met = grown(line, 10, 1.0)[0]
    assert met[:5].tolist() == [4] * 5
    assert met[6:].tolist() == [9] * 5
    assert grown(line, 2, 1.0)[0].tolist() == [4, 4, 4, 0, 0, 0, 0, 0, 9, 9, 9]
    assert grown(line, 2, 2.0)[0].tolist() == [4, 4, 0, 0, 0, 0, 0, 0, 0, 9, 9]
    assert not grown(np.zeros((3, 3), np.int32), 5, 1.0).any()


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.filterwarnings("error")
def test_a_tile_without_contrast_has_no_nuclei(value):
    for image in (np.full((40, 50, 3), value, np.uint8), np.full((40, 50), value, np.uint8)):
        assert not nuclei(image, MPP).any()
    noise = 250 + np.random.default_rng(0).integers(0, 4, (60, 60, 3)).astype(np.uint8)
    assert not nuclei(noise, MPP).any()


def test_specks_are_no_nuclei():
    labels = discs()
    image = stained(labels, noise=0)
    image[60:62, 60:62] = [96, 62, 140]
    assert nuclei(image, MPP).max() == len(CENTRES_UM)


def test_haematoxylin_is_that_of_scikit_image():
    image = np.random.default_rng(0).integers(60, 256, (20, 30, 3)).astype(np.uint8)
    # scikit-image cuts negative densities at 0 and scales density by ln 10 / ln(1e6).
    theirs = rgb2hed(image)[..., 0]
    ours = nuclear_stain(image)
    positive = (theirs > 0) & (ours > 0)
    ratio = theirs[positive] / ours[positive]
    assert positive.any()
    assert ratio.max() / ratio.min() < 1.1


def test_tiles_cover_a_slide():
    assert tile_starts(2048, 1024) == [0, 1024]
    assert tile_starts(2500, 1024) == [0, 1024, 1476]
    assert tile_starts(1025, 1024) == [0, 1]
    assert tile_starts(1024, 1024) == tile_starts(300, 1024) == [0]
    for length in range(1, 40):
        starts = tile_starts(length, 7)
        covered = {pixel for start in starts for pixel in range(start, start + min(7, length))}
        assert covered == set(range(length))
    with pytest.raises(ValueError, match="0 pixels cannot be cut into tiles of 4"):
        tile_starts(0, 4)


def test_a_region_says_where_it_lies():
    tile = Region(origin_um=(10.0, 20.0), mpp=0.5, kind="cell", image=np.zeros((40, 60, 3), np.uint8))
    assert tile.shape == (40, 60)
    assert tile.window_um == (10.0, 20.0, 40.0, 40.0)


def test_the_simple_baseline_outlines_whole_cells_better_than_the_trivial_one():
    params = {"resolution": "cell", "patients": 2, "units": 200, "genes": 60, "seed": 0}
    spec = DatasetSpec(source="simulated", params=params, technology="Xenium", organ="breast")
    dataset = Dataset("sim", spec, load_samples(spec, "sim", []), [])
    slide = next(iter(dataset.slides()))
    tiles = tiles_of(slide, Segmentation(object="cell", tile_px=512, max_tiles=2))
    truth = [slide.segmentations["cell"].labels(tile.mpp, tile.window_um) for tile in tiles]
    regions = [region_of(slide, tile, "cell") for tile in tiles]
    models = {"voronoi_nuclei": VoronoiNuclei(), "otsu_watershed": OtsuWatershed()}
    value = {
        name: pq(truth, [model.segment(None, region) for region in regions]).values[0]
        for name, model in models.items()
    }
    family = next(family for family in own(Family) if family.name == "segmentation")
    (simple,) = family.simple
    assert value[simple] > value[family.trivial] + 0.05
