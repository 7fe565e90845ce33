from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.distance import cdist

from pytest_stbench.errors import SplitError
from pytest_stbench.preprocess import within_masks

XY = np.stack(np.meshgrid(np.arange(30), np.arange(30)), axis=-1).reshape(-1, 2) * 100.0


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000), share=st.floats(0.1, 0.6), gap=st.sampled_from([0.0, 100.0, 200.0, 350.0])
)
def test_gap_share_and_blocks_hold_in_any_order(seed, share, gap):
    rng = np.random.default_rng(seed)
    xy = XY[rng.random(900) < 0.8] + rng.uniform(-20, 20, 2)
    train, test = within_masks(xy, 500.0, gap, share, seed)
    assert not (train & test).any()
    assert cdist(xy[train], xy[test]).min() >= gap
    assert share <= test.mean() < share + 25 / len(xy) + 0.01
    block = np.unique(np.floor((xy - xy.min(axis=0)) / 500.0), axis=0, return_inverse=True)[1].ravel()
    assert not set(block[test]) & set(block[~test])
    lost = ~train & ~test
    if lost.any():
        assert (cdist(xy[lost], xy[test]).min(axis=1) < gap).all()
    order = rng.permutation(len(xy))
    again = within_masks(xy[order], 500.0, gap, share, seed)
    assert np.array_equal(again[0], train[order])
    assert np.array_equal(again[1], test[order])


def test_the_seed_draws_the_blocks():
    assert not np.array_equal(within_masks(XY, 500, 200, 0.3, 0)[1], within_masks(XY, 500, 200, 0.3, 1)[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block_um": 499.0}, "blocks of 499 um are too small"),
        ({"gap_um": -1.0}, "the gap is -1 um"),
        ({"test_share": 1.0}, "test share is 1"),
        ({"xy_um": XY[:3]}, "200 x 0 um, that is 1 block of"),
        ({"xy_um": XY + np.nan}, "finite coordinates"),
        ({"xy_um": XY[:0]}, "finite coordinates"),
        ({"gap_um": 5000.0}, "leaves no training unit"),
    ],
)
def test_what_cannot_be_split_is_refused(change, message):
    arguments = {"xy_um": XY, "block_um": 500.0, "gap_um": 200.0, "test_share": 0.3, "seed": 0} | change
    with pytest.raises(SplitError, match=message):
        within_masks(**arguments)


def test_one_block_always_trains():
    xy = np.array([[0.0, 0.0], [900.0, 0.0]])
    train, test = within_masks(xy, 500.0, 0.0, 0.99, 0)
    assert train.sum() == test.sum() == 1
