from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.graph import cell_graph, lattice_graph
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.kernels.moran import morans_i
from pytest_stbench.preprocess import statistics
from pytest_stbench.preprocess.statistics import detection_rate, slide_statistics, unit_graph


def test_statistics_of_a_slide(make_slide, make_counts, monkeypatch):
    monkeypatch.setattr(statistics, "BLOCK_ELEMENTS", 300)
    counts = make_counts(0)
    counts[:, 5] = 0
    counts[:9, 5] = 1
    slide = make_slide(counts, measured=np.arange(12) != 7)
    found = slide_statistics(slide, "log1p_cp10k", 1e4, 0.1)
    values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    expected = morans_i(values, lattice_graph(slide.xy_um, 200.0))
    expected[[5, 7]] = np.nan
    assert found.morans_i == pytest.approx(expected, nan_ok=True)
    assert found.detection[5] == pytest.approx(0.09)
    assert np.isnan(found.detection[7])
    measured = np.flatnonzero(slide.measured)
    assert found.hvg_score[measured] == pytest.approx(standardised_variance(counts[:, measured]))
    assert np.isnan(found.hvg_score[7])


def test_stored_zeros_are_not_detected(make_slide):
    slide = make_slide([[1, 1], [1, 1]])
    slide.counts.data[0] = 0
    assert detection_rate(slide).tolist() == [0.5, 1.0]


def test_cells_have_six_neighbours_spots_a_lattice(make_slide, make_counts):
    cells = make_slide(make_counts(0), resolution="cell")
    assert (unit_graph(cells) != cell_graph(cells.xy_um)).nnz == 0
    spots = make_slide(make_counts(0))
    assert (unit_graph(spots) != lattice_graph(spots.xy_um, 200.0)).nnz == 0


def test_the_cache_knows_units_scale_and_threshold(make_slide, make_counts):
    slide = make_slide(make_counts(0))
    cache = {}
    first = slide_statistics(slide, "log1p_cp10k", 1e4, 0.1, cache)
    assert slide_statistics(slide, "log1p_cp10k", 1e4, 0.1, cache) is first
    half = slide.select(np.arange(100) < 50)
    others = [
        slide_statistics(half, "log1p_cp10k", 1e4, 0.1, cache),
        slide_statistics(slide, "log1p", None, 0.1, cache),
        slide_statistics(slide, "log1p_median", 30.0, 0.1, cache),
        slide_statistics(slide, "log1p_cp10k", 1e4, 0.5, cache),
    ]
    assert all(other is not first for other in others)
    assert len(cache) == 5
