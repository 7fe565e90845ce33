"""Matching of instances beside its peers.

``dense`` is the algorithm of ``cellpose.metrics.average_precision``: a table of all instances
against all others and an assignment over the whole of it for each
threshold. ``cellpose`` itself takes part where it is installed. Nothing is asserted about time:
compare the rows of a group.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix

from pytest_stbench.kernels.label_overlap import _by_hash, by_runs, overlaps as table_of
from pytest_stbench.kernels.matching import matched_pairs
from pytest_stbench.metrics import pq, segmentation_ap

SIZES = {"px": (512, 2_048, 4_096)}
STEP = 29
"""Pixels between two cells."""
THRESHOLDS = (0.5, 0.75, 0.9)


@pytest.fixture(scope="module")
def scene(px):
    """Round cells on a jittered lattice, outlined twice; the second time every tenth is missed."""
    along = px // STEP
    step = px / along
    rng = np.random.default_rng(0)
    sites = (np.stack(np.meshgrid(np.arange(along), np.arange(along)), axis=-1).reshape(-1, 2) + 0.5) * step
    return drawn(rng, sites, step, px), drawn(rng, sites[rng.random(len(sites)) > 0.1], step, px)


def drawn(rng, sites, step, side):
    labels = np.zeros((side, side), np.int32)
    reach = int(0.5 * step) + 1
    offset = np.stack(np.mgrid[-reach : reach + 1, -reach : reach + 1], axis=-1).reshape(-1, 2)
    centres = np.round(sites + rng.normal(0, 0.08 * step, sites.shape)).astype(int)
    radii = rng.uniform(0.35, 0.48, len(sites)) * step
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True), start=1):
        rows, columns = (centre + offset[np.hypot(*offset.T) <= radius]).clip(0, side - 1).T
        labels[rows, columns] = number
    return labels


def dense_table(truth, prediction):
    ones = np.ones(truth.size, dtype=int)
    shape = truth.max() + 1, prediction.max() + 1
    return csr_matrix((ones, (truth.ravel(), prediction.ravel())), shape=shape).toarray()


def dense_ap(truth, prediction, thresholds):
    table = dense_table(truth, prediction)
    areas = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    iou = (table / np.maximum(areas[0] + areas[1] - table, 1))[1:, 1:]
    found = []
    for threshold in thresholds:
        costs = -(iou >= threshold).astype(float) - iou / (2 * min(iou.shape))
        tp = (iou[linear_sum_assignment(costs)] >= threshold).sum()
        found.append(tp / (sum(iou.shape) - tp))
    return np.array(found)


def ours(truth, prediction, thresholds):
    return segmentation_ap(truth, prediction, thresholds=thresholds).values


def ours_numpy(truth, prediction, thresholds):
    from pytest_stbench.kernels import label_overlap

    compiled = label_overlap._by_hash
    label_overlap._by_hash = by_runs
    try:
        return ours(truth, prediction, thresholds)
    finally:
        label_overlap._by_hash = compiled


def run(benchmark, function, *arguments, rounds):
    return benchmark.pedantic(function, arguments, rounds=rounds, warmup_rounds=rounds > 1)


@pytest.mark.parametrize("contestant", [ours, ours_numpy], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="average precision")
def test_ap_ours(benchmark, scene, contestant):
    found = run(benchmark, contestant, *scene, THRESHOLDS, rounds=5)
    table = table_of(*scene)
    for threshold, value in zip(THRESHOLDS, found, strict=True):
        tp = len(matched_pairs(table, threshold))
        assert value == tp / (len(table.true_ids) + len(table.predicted_ids) - tp)


@pytest.mark.benchmark(group="average precision")
def test_ap_dense(benchmark, scene, px):
    if px > 2_048:
        pytest.skip("a table of 20,000 cells against 18,000 takes gigabytes")
    found = run(benchmark, dense_ap, *scene, THRESHOLDS, rounds=1)
    assert found.tolist() == ours(*scene, THRESHOLDS).tolist()


@pytest.mark.benchmark(group="average precision")
def test_ap_cellpose(benchmark, scene):
    pytest.importorskip("cellpose")
    metrics = importlib.import_module("cellpose.metrics")

    def peer():
        return metrics.average_precision(*scene, threshold=list(THRESHOLDS))[0]

    found = run(benchmark, peer, rounds=1)
    np.testing.assert_allclose(found, ours(*scene, THRESHOLDS), atol=1e-6)


@pytest.mark.parametrize("contestant", [_by_hash, by_runs, dense_table], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="overlap table")
def test_overlap_table(benchmark, scene, contestant):
    flat = [image.ravel() for image in scene]
    run(benchmark, contestant, *flat, rounds=5)


@pytest.mark.benchmark(group="panoptic quality")
def test_pq(benchmark, scene):
    found = run(benchmark, pq, *scene, rounds=5)
    assert found.values[0] == pytest.approx(found.extras["sq"][0] * found.extras["rq"][0])
