from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.metrics.autocorrelation import moran_concordance, morans_i
from pytest_stbench.metrics.gene_statistics import moran_statistic, variance_statistic

pytestmark = pytest.mark.filterwarnings("error")
XY = np.argwhere(np.ones((6, 6))) * 100.0
GRAPH = lattice_graph(XY, 100.0)


def slide(seed=0):
    rng = np.random.default_rng(seed)
    return np.sin(XY @ rng.normal(0, 0.01, (2, 12))) + 0.3 * rng.normal(size=(36, 12))


def test_a_statistic_scores_as_the_prediction_it_was_made_of():
    truth, guess = slide(), slide(1)
    stated = moran_statistic(guess, graph=GRAPH)
    for metric in (morans_i, moran_concordance):
        expected = metric(truth, guess, graph=GRAPH)
        np.testing.assert_allclose(metric(truth, stated, graph=GRAPH).values, expected.values)
    np.testing.assert_allclose(variance_statistic(guess).values, guess.var(axis=0))


def test_what_is_not_known_is_nan():
    values = slide()
    values[3, 1] = np.nan
    values[:, 2] = 5.0
    measured = np.arange(12) != 0
    assert np.isnan(moran_statistic(values, graph=GRAPH, measured=measured).values[:4]).tolist() == [
        True, True, True, False,
    ]  # fmt: skip
    assert np.isnan(variance_statistic(values, measured=measured).values[:4]).tolist() == [
        True, True, False, False,
    ]  # fmt: skip
    assert np.isnan(variance_statistic(np.zeros((0, 2))).values).all()
