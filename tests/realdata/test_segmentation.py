"""Masks of CosMx crops and nuclei of Xenium lung: outlines, matching and transcripts agree."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from pytest_stbench.baselines.otsu_watershed import grown
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.metrics import (
    Molecules,
    aji,
    count_error,
    dice,
    doublet_rate,
    pq,
    segmentation_ap,
    transcripts_assigned,
    without_border,
)
from pytest_stbench.spec.model import DatasetSpec

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "cosmx_nsclc").is_dir(), reason="set STBENCH_DATA to the development data"
)
CROPS = ("Lung12_fov2", "Lung12_fov3", "Lung9_Rep1_fov9", "Lung9_Rep1_fov11")
UM_PER_PX = 0.18
WINDOW = (0.0, 0.0, 120.96, 116.64)


def slide_of(source, path, **changes):
    config = DatasetSpec(source=source, path=path, **changes)
    (slide,) = Dataset("d", config, load_samples(config, "d", [DATA]), [DATA]).slides()
    return slide


@pytest.fixture(scope="module", params=CROPS)
def crop(request):
    return slide_of("cosmx", f"cosmx_nsclc/transcripts/{request.param}.parquet")


def masks(slide):
    """The label image and the polygons of the same cells."""
    return [slide.segmentations[name].labels(UM_PER_PX, WINDOW) for name in ("cell_labels", "cell")]


def molecules(slide, um_per_px, window):
    batches = list(slide.transcripts.batches())
    xy = np.stack([np.concatenate([getattr(b, axis) for b in batches]) for axis in ("x_um", "y_um")], axis=1)
    return Molecules(
        xy_px=(xy - window[:2]) / um_per_px,
        gene=np.concatenate([batch.feature for batch in batches]),
        names=slide.transcripts.features,
    )


def test_label_image_and_polygons_are_the_same_cells(crop):
    pair = masks(crop)
    assert dice(*pair).values[0] > 0.999
    found = pq(*pair)
    assert found.values[0] > 0.99
    # One cell of Lung12_fov2 lies within another.
    assert found.extras["fn"][0] == found.extras["fp"][0] == count_error(*pair).values[0] == 0
    assert (segmentation_ap(*pair).values > 0.99).all()
    assert aji(*pair).values[0] > 0.99


def test_cells_at_the_edge_of_a_crop_are_left_out_of_both(crop):
    labels, polygons = masks(crop)
    (inner, n), (other, m) = without_border(labels), without_border(polygons)
    assert 0 < n < len(np.unique(labels)) - 1
    assert abs(n - m) <= 1
    assert pq(inner, other).values[0] > 0.97


def test_matching_of_a_worse_segmentation_is_that_of_a_dense_table(crop):
    truth = masks(crop)[0]
    seeds = np.where(np.indices(truth.shape).sum(axis=0) % 97 < 20, truth, 0)
    worse = grown(np.roll(seeds, 9, axis=1), 1.0, UM_PER_PX)
    n, m = truth.max() + 1, worse.max() + 1
    table = np.bincount(truth.ravel().astype(np.int64) * m + worse.ravel(), minlength=n * m).reshape(n, m)
    areas = table.sum(axis=1)[1:, None], table.sum(axis=0)[None, 1:]
    there = areas[0].ravel() > 0, areas[1].ravel() > 0
    shared = table[1:, 1:][np.ix_(*there)]
    iou = shared / (areas[0][there[0]] + areas[1][:, there[1]] - shared)
    thresholds = (0.1, 0.2, 0.3, 0.5, 0.7)
    expected = []
    for threshold in thresholds:
        gain = (iou >= threshold) + iou / (2 * min(iou.shape))
        tp = (iou[linear_sum_assignment(gain, maximize=True)] >= threshold).sum()
        expected.append(tp / (sum(iou.shape) - tp))
    found = segmentation_ap(truth, worse, thresholds=thresholds)
    np.testing.assert_allclose(found.values, expected)
    assert 0 < found.values[2] < 1


def test_transcripts_in_cells_are_those_the_vendor_assigned(crop):
    pair = masks(crop)
    placed = molecules(crop, UM_PER_PX, WINDOW)
    crops = pd.read_csv(DATA / "cosmx_nsclc" / "crops.csv", index_col="crop").loc[crop.meta.slide_id]
    found = transcripts_assigned(*pair, transcripts=placed)
    assert found.extras["n_transcripts"][0] + found.extras["n_left_out"][0] == crops["n_transcripts"]
    assigned = 1 - crops["n_unassigned"] / crops["n_transcripts"]
    assert found.extras["truth"][0] == pytest.approx(assigned, abs=0.02)
    assert found.values[0] == pytest.approx(assigned, abs=0.02)


def test_one_cell_for_all_holds_every_pair(crop):
    truth = masks(crop)[0]
    placed = molecules(crop, UM_PER_PX, WINDOW)
    pairs = [("EPCAM", "PTPRC"), ("EPCAM", "CD3E"), ("CD3E", "MS4A1")]
    own = doublet_rate(truth, truth, transcripts=placed, pairs=pairs)
    np.testing.assert_array_equal(own.values, own.extras["truth"])
    assert (own.values < 0.5).all()
    merged = doublet_rate(truth, np.ones_like(truth), transcripts=placed, pairs=pairs)
    assert merged.values.tolist() == [1.0] * 3


def test_nuclei_of_xenium_lung():
    slide = slide_of("xenium", "xenium_lung/preview_10k_transcripts")
    nuclei = slide.segmentations["nucleus"]
    placed = molecules(slide, 1.0, (0.0, 0.0))
    (x0, y0), (x1, y1) = placed.xy_px.min(axis=0) - 5, placed.xy_px.max(axis=0) + 5
    window = (float(x0), float(y0), float(x1), float(y1))
    fine, coarse = (nuclei.labels(step, window) for step in (0.25, 0.5))
    height, width = np.minimum(fine.shape, np.multiply(coarse.shape, 2))
    enlarged = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    found = pq(fine[:height, :width], enlarged)
    assert found.extras["rq"][0] == 1
    assert found.extras["sq"][0] > 0.85
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        moved = pq(fine[:height, :width], np.roll(enlarged, shift, axis))
        assert moved.extras["sq"][0] < found.extras["sq"][0], "pixels lie where they should at any size"
    cells = grown(fine, 5.0, 0.25)
    assert dice(fine, cells).values[0] < 0.9
    assert pq(fine, fine).extras["tp"][0] == len(np.unique(fine)) - 1
    placed = molecules(slide, 0.25, window)
    inside = [transcripts_assigned(fine, mask, transcripts=placed).values[0] for mask in (fine, cells)]
    assert 0 < inside[0] < inside[1] < 1
