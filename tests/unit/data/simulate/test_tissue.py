from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.data.simulate.tissue import MARGIN_UM, Fields, draw_lattice, draw_tissue
from pytest_stbench.kernels.streams import stream


@settings(deadline=None, max_examples=30)
@given(n_units=st.integers(20, 600), seed=st.integers(0, 10_000))
def test_lattice_holds_exactly_the_units_asked_for(n_units, seed):
    lattice = draw_lattice(stream(seed, "lattice"), n_units)
    row, column = lattice.array_index.T
    assert lattice.xy_um.shape == (n_units, 2)
    assert len(set(zip(row, column, strict=True))) == n_units
    assert ((row + column) % 2 == 0).all()
    assert lattice.array_index.min() >= 0
    steps = lattice.xy_um - lattice.xy_um[0]
    expected = (lattice.array_index - lattice.array_index[0])[:, ::-1] * [50.0, 50 * np.sqrt(3)]
    np.testing.assert_allclose(steps, expected, atol=1e-6)
    assert (lattice.xy_um >= MARGIN_UM - 1e-6).all()
    assert (lattice.xy_um <= np.array(lattice.size_um) - MARGIN_UM + 1e-6).all()
    assert (lattice.outline.depth(lattice.xy_um) < 1).all()


def test_outline_is_irregular():
    extents = {tuple(np.round(draw_lattice(stream(seed, "lattice"), 180).size_um)) for seed in range(10)}
    assert len(extents) > 3


def test_fields_have_the_covariance_they_claim():
    rng = stream(0, "fields")
    near, far = np.array([[0.0, 0.0], [200.0, 0.0]]), np.array([[0.0, 0.0], [800.0, 0.0]])
    fields = [Fields.draw(rng, n=20, length_um=200.0) for _ in range(300)]
    for place, expected in ((near, np.exp(-0.5)), (far, np.exp(-8.0))):
        values = np.concatenate([field.at(place) for field in fields], axis=1)
        np.testing.assert_allclose(values.var(axis=1), 1.0, atol=0.1)
        np.testing.assert_allclose(values.mean(axis=1), 0.0, atol=0.1)
        assert abs((values[0] * values[1]).mean() - expected) < 0.1


def test_field_at_a_place_does_not_depend_on_the_other_places():
    field = Fields.draw(stream(0, "f"), n=3, length_um=150.0)
    xy = stream(0, "xy").uniform((50, 2)) * 1000
    np.testing.assert_allclose(field.at(xy)[7:9], field.at(xy[7:9]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("slide", ["P01S1", "P04S1"])
def test_latent_variables_stay_in_range(slide):
    tissue = draw_tissue(0, slide, 180)
    state = tissue.at(tissue.lattice.xy_um)
    np.testing.assert_allclose(state.niches.sum(axis=1), 1.0)
    assert (state.niches >= 0).all()
    assert ((state.cellularity > 0) & (state.cellularity <= 1.2)).all()
    assert (np.abs(state.polarity) < 1).all()


def test_every_niche_occurs_in_a_cohort():
    tissues = [draw_tissue(0, f"P0{number}S1", 180) for number in range(1, 7)]
    names = {name for tissue in tissues for name in tissue.at(tissue.lattice.xy_um).niche_names()}
    assert names == {"tumour", "stroma", "immune", "adipose"}
