from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.baselines import shuffled, shuffled_genes


def test_units_move_together_and_the_input_stays():
    prediction = np.arange(40.0).reshape(20, 2)
    before = prediction.copy()
    found = shuffled(prediction, seed=0)
    assert np.array_equal(prediction, before)
    assert not np.array_equal(found, prediction)
    assert np.array_equal(found[np.argsort(found[:, 0])], prediction)
    assert np.array_equal(shuffled(prediction, seed=0), found)
    assert not np.array_equal(shuffled(prediction, seed=1), found)


def test_each_gene_on_its_own_breaks_correlations():
    x = np.random.default_rng(0).normal(size=500)
    prediction = np.column_stack([x, x]).astype(np.float32)
    assert np.corrcoef(shuffled(prediction, seed=0).T)[0, 1] == pytest.approx(1.0)
    apart = shuffled_genes(prediction, seed=0)
    assert abs(np.corrcoef(apart.T)[0, 1]) < 0.2
    assert np.sort(apart, axis=0) == pytest.approx(np.sort(prediction, axis=0))
    assert apart.dtype == np.float32


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_shuffle(n):
    assert shuffled(np.ones((n, 3)), seed=0).shape == (n, 3)
