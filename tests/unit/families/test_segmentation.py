"""Tiles of a slide, what a model is shown of them, and what its masks are scored against."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, replace

import numpy as np
import pytest
import shapely
from scipy.sparse import csr_matrix

from pytest_stbench.data.areas import areas_of
from pytest_stbench.data.image import Image
from pytest_stbench.data.region import cut
from pytest_stbench.data.slide import Slide, SlideMeta, TranscriptBatch
from pytest_stbench.errors import DataError
from pytest_stbench.families.question import FamilySettings
from pytest_stbench.families.segmentation.ask import SegmentationQuestion
from pytest_stbench.families.segmentation.declare import Segmentation
from pytest_stbench.families.segmentation.tiles import region_of, tiles_of
from pytest_stbench.metrics import doublet_rate, pq, transcripts_assigned
from pytest_stbench.metrics.catalogue import METRICS
from pytest_stbench.models.contract import ContractError

MPP = 0.5
CORNER_UM = (10.0, 20.0)
"""Where the image begins."""
RECORDS = {record.name: record for record in METRICS}
SQUARE = np.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])
NAMES = np.array(["EPCAM", "PTPRC", "NegPrb1"])


@dataclass(frozen=True)
class Squares:
    """Cells of 4 um on a grid of 8 um."""

    xy_um: np.ndarray
    kind: str = "cell"

    @property
    def names(self):
        return np.arange(len(self.xy_um)).astype(str)

    def labels(self, um_per_px, window_um):
        squares = shapely.polygons([SQUARE + xy for xy in self.xy_um])
        return areas_of([(squares, np.arange(len(squares)))], len(squares))[0].labels(um_per_px, window_um)


@dataclass(frozen=True)
class Few:
    """Three transcripts in the first cell, one of low quality and one control beside them."""

    features = NAMES
    kinds = np.array(["gene", "gene", "negative_control_probe"])

    def batches(self, *, cells=False):
        x, y = np.array(CORNER_UM) + 6.0
        for genes, qv in (([0, 1], [30, 30]), ([0, 1, 2], [20, 19, 40])):
            n = len(genes)
            yield TranscriptBatch(
                x_um=np.full(n, x),
                y_um=np.full(n, y),
                feature=np.array(genes, np.int32),
                qv=np.array(qv, np.float32),
            )


def slide_of(width=100, height=60, step=8.0, **changes):
    x, y = np.arange(6.0, width * MPP - 3, step), np.arange(6.0, height * MPP - 3, step)
    xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    n = len(xy)
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    made = Slide(
        meta=SlideMeta(slide_id="s1", resolution="cell"),
        unit_names=np.arange(n).astype(str),
        genes=NAMES[:2],
        measured=np.ones(2, bool),
        counts=csr_matrix((n, 2), dtype=np.int64),
        libsize=np.zeros(n),
        n_detected=np.zeros(n, np.int64),
        xy_um=xy + CORNER_UM,
        xy_px=xy / MPP,
        image=Image.from_array(pixels, mpp=MPP),
        segmentations={"cell": Squares(xy + CORNER_UM), "nucleus": Squares(xy + CORNER_UM, "nucleus")},
        transcripts=Few(),
    )
    return replace(made, **changes)


def block(**settings):
    return Segmentation(**{"tile_px": 64, **settings})


def question(**settings):
    return SegmentationQuestion(FamilySettings(own=block(**settings)))


@dataclass(frozen=True)
class Fold:
    test: tuple
    train: tuple = ()


def score(name, truth, predicted):
    record = RECORDS[name]
    (arms,) = truth.arms(record, predicted)
    function = {"pq": pq, "doublet_rate": doublet_rate, "transcripts_assigned": transcripts_assigned}[name]
    return function(arms.truth, arms.prediction, **{key: make() for key, make in arms.offered.items()})


def test_tiles_cover_the_image_and_lie_where_the_outlines_do():
    slide = slide_of()
    tiles = tiles_of(slide, block())
    assert [tile.start for tile in tiles] == [(0, 0), (0, 36)]
    assert {tile.shape for tile in tiles} == {(60, 64)}, "a slide lower than a tile has lower tiles"
    assert tiles[1].origin_um == (10 + 36 * MPP, 20)
    assert tiles[1].window_um == (28.0, 20.0, 60.0, 50.0)
    region = region_of(slide, tiles[1], "cell")
    np.testing.assert_array_equal(region.image, slide.image.pixels()[:60, 36:100])
    assert (region.shape, region.mpp, region.kind) == ((60, 64), MPP, "cell")
    assert region.window_um == tiles[1].window_um


@pytest.mark.parametrize(("image_mpp", "expected"), [(0.15, 0.2125), (0.3, 0.3), (2.0, 0.5)])
def test_resolution_is_that_of_the_image_within_limits(image_mpp, expected):
    slide = slide_of()
    image = Image.from_array(slide.image.pixels(), mpp=image_mpp)
    tiles = tiles_of(replace(slide, image=image, xy_px=(slide.xy_um - CORNER_UM) / image_mpp), block())
    assert {tile.mpp for tile in tiles} == {expected}


def test_regions_of_another_resolution_are_resampled():
    pixels = np.repeat(np.repeat(np.arange(20, dtype=np.uint8).reshape(4, 5), 8, axis=0), 8, axis=1)
    pixels = np.stack([pixels * 10] * 3, axis=2)
    found = cut(pixels, 8.0, (1, 2), (3, 3))
    np.testing.assert_array_equal(found[1, 1], pixels[2 * 8 + 4, 3 * 8 + 4])
    half = cut(pixels, 0.5, (16, 32), (16, 16))
    assert half.shape == (16, 16, 3)
    np.testing.assert_array_equal(half[8, 8], pixels[12, 20])
    copy = cut(pixels, 1.0, (0, 0), (4, 4))
    copy[:] = 0
    assert cut(pixels, 1.0, (0, 8), (4, 4)).max() == 10


def test_tiles_without_units_are_not_asked_and_many_are_thinned():
    slide = slide_of(width=400, height=400)
    assert len(tiles_of(slide, block(max_tiles=None))) == 49
    assert len(tiles_of(slide, block())) == 32
    corner = slide.select(np.flatnonzero((slide.xy_um < [40.0, 50.0]).all(axis=1)))
    assert [tile.start for tile in tiles_of(corner, block())] == [(0, 0)]
    few = tiles_of(slide, block(max_tiles=3))
    assert [tile.start for tile in few] == [(0, 0), (192, 192), (336, 336)]


def test_what_cannot_be_tiled_is_refused():
    slide = slide_of()
    with pytest.raises(DataError, match="s1 has no image"):
        tiles_of(replace(slide, image=None), block())
    with pytest.raises(DataError, match="no pixel coordinates"):
        tiles_of(replace(slide, xy_px=None), block())
    with pytest.raises(DataError, match=r"differ by up to .* must not be turned, mirrored"):
        tiles_of(replace(slide, xy_px=slide.xy_px[:, ::-1]), block())
    with pytest.raises(DataError, match="no unit lies in its image"):
        tiles_of(replace(slide, xy_um=slide.xy_um + 1e4, xy_px=slide.xy_px + 1e4 / MPP), block())


def test_a_model_is_asked_tile_by_tile_and_sees_no_units():
    asked = question()
    slide = slide_of()
    fold = Fold(test=(slide,))
    requests = asked.requests(fold)
    assert [request.key for request in requests] == ["s1+tile0", "s1+tile1"]
    given = asked.given(requests[0], fold)
    assert given.n_units == 0
    assert given.image.shape == (60, 100, 3)
    assert set(given.units.obsm) == {"spatial"}

    class Model:
        def segment(self, slide, region):
            assert slide is given
            return np.full(region.shape, 3, np.uint16)

    raw = asked.ask(Model(), given, requests[1], None)
    mask = asked.accept(raw, requests[1], fold, "Model")
    assert mask.dtype == np.int32
    assert mask.shape == (60, 64)
    with pytest.raises(ContractError, match=r"Model: expected shape \(60, 64\)"):
        asked.accept(raw[:-1], requests[1], fold, "Model")


def test_training_slides_come_with_tiles_and_masks():
    asked = question(object="nucleus")
    slide = slide_of()
    tiles = list(asked.lessons(slide, None)["make_tiles"]())
    assert [region.kind for region, _ in tiles] == ["nucleus", "nucleus"]
    for region, mask in tiles:
        assert mask.shape == region.shape
        np.testing.assert_array_equal(mask, slide.segmentations["nucleus"].labels(MPP, region.window_um))


def test_the_truth_itself_is_perfect_and_cut_cells_are_left_out():
    asked = question()
    slide = slide_of()
    truth = asked.truth(slide, None)
    predicted = {
        request.key: slide.segmentations["cell"].labels(MPP, request.detail.window_um)
        for request in asked.requests(Fold(test=(slide,)))
    }
    assert score("pq", truth, predicted).values.tolist() == [1.0]
    # The cell at 30 um is cut by the right edge of the first tile, that at 46 by none of the second.
    whole = sum(len(np.unique(mask)) - 1 for mask in truth.masks)
    assert truth.n_ignored > 0
    assert truth.n_units == whole - truth.n_ignored
    missed = dict(predicted)
    for key, mask in predicted.items():
        missed[key] = mask.copy()
    missed["s1+tile0"][8:18, 8:18] = 0
    found = score("pq", truth, missed)
    assert found.extras["fn"][0] == 1
    assert found.extras["tp"][0] == truth.n_units - 1
    assert score("pq", truth, predicted).values.tolist() == [1.0], "another prediction, another score"


def test_transcripts_of_good_quality_are_caught():
    asked = question()
    slide = slide_of()
    truth = asked.truth(slide, None)
    nothing = {key: np.zeros(tile.shape, np.int32) for key, tile in truth.tiles.items()}
    found = score("transcripts_assigned", truth, nothing)
    assert found.values[0] == 0
    assert found.extras["truth"][0] == 1
    assert found.extras["n_transcripts"][0] == 3
    caught = {**nothing, "s1+tile0": np.ones((60, 64), np.int32)}
    found = score("doublet_rate", truth, caught)
    assert found.values[0] == 1
    assert found.labels[0] == "EPCAM+PTPRC"
    bare = asked.truth(replace(slide, transcripts=None), None)
    assert score("transcripts_assigned", bare, nothing).reasons.tolist() == ["too_few_units"]


def test_masks_leave_memory_with_their_truth():
    """What metrics may ask for knows the truth: were it kept there, both would wait for the collector."""
    truth = question().truth(slide_of(), None)
    nothing = {key: np.zeros(tile.shape, np.int32) for key, tile in truth.tiles.items()}
    score("transcripts_assigned", truth, nothing)
    score("pq", truth, nothing)
    gone = weakref.ref(truth)
    gc.disable()
    try:
        del truth
        assert gone() is None
    finally:
        gc.enable()


def test_outlines_are_chosen_by_name_and_kind():
    xy = np.empty((0, 2))
    silver = slide_of(segmentations={"vendor": Squares(xy), "nucleus": Squares(xy, "nucleus")})
    assert question().outlines(silver) is silver.segmentations["vendor"]
    assert question(truth="vendor").outlines(silver) is silver.segmentations["vendor"]
    assert question(object="nucleus").outlines(silver) is silver.segmentations["nucleus"]
    with pytest.raises(DataError, match=r"has the outlines vendor \(cell\), nucleus \(nucleus\), not 'hand'"):
        question(truth="hand").outlines(silver)
    with pytest.raises(DataError, match="has the outlines none, not any of kind cell"):
        question().truth(slide_of(segmentations={}), None)


def test_a_slide_on_both_sides_is_refused():
    slide = slide_of()
    with pytest.raises(DataError, match="slide s1 is in training and test: tiles cannot be parted"):
        question().requests(Fold(test=(slide,), train=(slide,)))
