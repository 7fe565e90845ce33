"""Order and names of units in the input of a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix

from pytest_stbench.data.build import _arranged, arrange, build_input, build_train, neutral_names
from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import digest as digest_of
from pytest_stbench.data.later import Later
from pytest_stbench.data.slide import Slide, SlideMeta


def slide_of(xy, counts=None, name="A1"):
    xy = np.asarray(xy, dtype=float).reshape(-1, 2)
    n = len(xy)
    counts = np.arange(2 * n).reshape(n, 2) if counts is None else np.asarray(counts)
    return Slide(
        meta=SlideMeta(slide_id=name),
        unit_names=np.array([f"own{row}" for row in range(n)]),
        genes=np.array(["A", "B"]),
        measured=np.ones(2, bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(float),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=xy,
        xy_px=xy,
    )


def test_units_come_in_rows_of_a_millimetre_by_x_then_y():
    xy = [(5, 2500), (9, 1700), (2, 900), (2, 100), (1, 1099), (7, 1101)]
    # From the topmost unit at 100: the first row reaches to 1100.
    assert arrange(slide_of(xy)).rows.tolist() == [4, 3, 2, 5, 1, 0]


def test_names_count_places():
    found = arrange(slide_of([(0, 0), (1, 0), (2, 0)]))
    assert found.names.tolist() == ["unit0000001", "unit0000002", "unit0000003"]
    assert neutral_names(0).tolist() == []
    own = arrange(slide_of([(2, 0), (1, 0), (0, 0)]), own_names=True)
    assert own.names.tolist() == ["own2", "own1", "own0"]
    assert own.rows.tolist() == [2, 1, 0], "the order is that of places all the same"


@given(seed=st.integers(0, 10**6), n=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_data_decides_nothing(seed, n):
    rng = np.random.default_rng(seed)
    made = slide_of(rng.uniform(0, 3000, (n, 2)))
    moved = made.select(rng.permutation(n))
    one, other = arrange(made), arrange(moved)
    assert made.unit_names[one.rows].tolist() == moved.unit_names[other.rows].tolist()
    values = rng.normal(size=(n, 3))
    assert np.array_equal(one.back(values[one.rows]), values)
    assert np.array_equal(one.names_by_row[one.rows], one.names)


@pytest.mark.parametrize("xy", [np.full((60, 2), np.nan), np.zeros((60, 2)), np.full((60, 2), np.inf)])
def test_without_places_units_are_shuffled_by_what_was_counted(xy):
    made = slide_of(xy)
    found = arrange(made).rows
    assert sorted(found) == list(range(60))
    assert abs(np.corrcoef(found, np.arange(60))[0, 1]) < 0.4
    assert arrange(made).rows.tolist() == found.tolist()
    other = slide_of(xy, counts=np.arange(120).reshape(60, 2) + 1)
    assert arrange(other).rows.tolist() != found.tolist(), "the key is not known from names or places"
    assert arrange(slide_of(xy, name="B1")).rows.tolist() != found.tolist()


def test_units_without_places_come_last_and_those_on_one_place_are_drawn():
    xy = np.array([(np.nan, 1.0), *[(3.0, 3.0)] * 30, (1.0, 1.0), (2.0, np.nan)])
    rows = arrange(slide_of(xy)).rows.tolist()
    assert rows[0] == 31
    assert set(rows[-2:]) == {0, 32}
    assert rows[1:31] != list(range(1, 31))


def test_everything_of_a_training_slide_follows():
    xy = np.array([(30.0, 5.0), (10.0, 5.0), (20.0, 5.0)])
    made = slide_of(xy)
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :, 0] = np.arange(40)
    made = Slide(**{**vars(made), "image": Image.from_array(pixels, mpp=1.0)})
    inside = build_input(made, observed=np.array([1]), with_image=True, with_embedding=False)
    train = build_train(
        made, inside, np.array([[0.0], [1.0], [2.0]]),
        labels=np.array(["a", "b", None], dtype=object), proportions=np.array([[0.0], [0.1], [0.2]]),
    )  # fmt: skip
    found = arrange(made).arranged(train)
    order = [1, 2, 0]
    assert found.units.obs_names.tolist() == ["unit0000001", "unit0000002", "unit0000003"]
    assert found.units.obsm["spatial"].tolist() == xy[order].tolist()
    assert found.units.X.toarray().ravel().tolist() == made.counts.toarray()[order, 1].tolist()
    assert found.target.ravel().tolist() == order
    assert found.labels.tolist() == ["b", None, "a"]
    assert found.proportions.ravel().tolist() == [0.1, 0.2, 0.0]
    assert found.counts.X.toarray().tolist() == made.counts.toarray()[order].tolist()
    assert found.counts.obs_names.tolist() == found.units.obs_names.tolist()
    assert found.image.xy_px.tolist() == xy[order].tolist()
    assert np.array_equal(found.patches(size=4, mpp=1.0), inside.patches(size=4, mpp=1.0)[order])
    assert made.unit_names.tolist() == ["own0", "own1", "own2"], "the slide is as it was"


@pytest.mark.parametrize("kind", [np.int32, np.float32, None])
@pytest.mark.parametrize("n", [0, 1, 40])
def test_units_are_those_of_a_view_and_its_copy(kind, n):
    """In place and by anndata: the same input to the byte, also where others add to it."""
    rng = np.random.default_rng(n)
    rows, names = rng.permutation(n), np.array([f"unit{i}" for i in range(n)], dtype=np.str_)

    def made(*, further=False, column=False):
        draw = np.random.default_rng(1)
        obs = pd.DataFrame(index=pd.Index([f"own{i}" for i in range(n)], dtype=object))
        units = AnnData(obs=obs)
        if kind is not None:
            units = AnnData(csr_matrix(draw.poisson(1, (n, 7)).astype(kind)), obs=obs)
        units.obsm["spatial"] = draw.normal(size=(n, 2))
        units.obsm["embedding"] = draw.normal(size=(n, 3)).astype(np.float32)
        if column:
            units.obs["batch"] = pd.Categorical([str(i % 3) for i in range(n)])
        if further and kind is not None:
            units.layers["raw"] = units.X.copy()
        return units

    for options in ({}, {"column": True}, {"further": True}):
        wanted = made(**options)[rows].copy()
        wanted.obs_names = pd.Index(names.astype(object))
        found = _arranged(made(**options), rows, pd.Index(names.astype(object)))
        assert not found.is_view
        assert digest_of(found) == digest_of(wanted)
        assert found.obs.index.dtype == wanted.obs.index.dtype
        assert found.obs.equals(wanted.obs)


def test_what_is_made_later_is_let_go_with_its_input():
    from pytest_stbench.data import later

    made = Later(list)
    number = made._number
    assert number in later._MAKERS
    assert made() == []
    del made
    assert number not in later._MAKERS
