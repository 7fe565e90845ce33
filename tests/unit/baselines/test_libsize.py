from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.linalg import lstsq

from pytest_stbench.baselines.libsize import Libsize, spline_basis
from pytest_stbench.errors import ModelError

QUANTILES = [0.05, 0.275, 0.5, 0.725, 0.95]


def natural_splines(x, knots):
    """Cardinal natural splines through the knots, continued as straight lines: the same space."""
    columns = []
    for unit in np.eye(len(knots)):
        spline = CubicSpline(knots, unit, bc_type="natural")
        inside = spline(np.clip(x, knots[0], knots[-1]))
        below, above = np.minimum(x - knots[0], 0), np.maximum(x - knots[-1], 0)
        columns.append(inside + below * spline(knots[0], 1) + above * spline(knots[-1], 1))
    return np.column_stack(columns)


def truths(cohort, seed=0):
    rng = np.random.default_rng(seed)
    return [cohort.truth(i, libsize=rng.lognormal(8, 0.8, 64)) for i in range(4)]


def test_is_least_squares_on_natural_splines(cohort):
    train = truths(cohort)
    model = Libsize()
    model.fit(train[:3], cohort.task)
    depth = np.log(np.concatenate([slide.libsize for slide in train[:3]]))
    knots = np.quantile(depth, QUANTILES)
    assert model.knots == pytest.approx(knots)
    coef = lstsq(natural_splines(depth, knots), np.concatenate([slide.values for slide in train[:3]]))[0]
    expected = natural_splines(np.log(train[3].libsize), knots) @ coef
    assert model.predict(train[3]) == pytest.approx(expected, abs=1e-4)
    assert model.predict(train[3]).dtype == np.float32


def test_linear_variant_is_a_line(cohort):
    train = truths(cohort)
    model = Libsize("linear")
    model.fit(train[:3], cohort.task)
    depth = np.log(np.concatenate([slide.libsize for slide in train[:3]]))
    values = np.concatenate([slide.values for slide in train[:3]])
    lines = np.polyfit(depth, values, 1)
    expected = np.log(train[3].libsize)[:, None] * lines[0] + lines[1]
    assert model.predict(train[3]) == pytest.approx(expected, abs=1e-4)
    assert model.config["curve"] == "linear"


def test_basis_has_four_columns_and_straight_ends():
    knots = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    x = np.array([-3.0, -2.0, -1.0, 5.0, 6.0, 7.0])
    basis = spline_basis(x, knots)
    assert basis.shape == (6, 4)
    assert (basis[:3, 1:] == 0).all()
    assert np.diff(basis[3:], n=2, axis=0) == pytest.approx(0.0, abs=1e-12)
    # One knot inside of the first: ((2.5)^3 - (0)..)/16 at x = 2.5 for the first inner knot.
    assert spline_basis(np.array([2.5]), knots)[0, 1] == pytest.approx(2.5**3 / 16)


@pytest.mark.parametrize("sizes", [[100.0], [100.0, 200.0], [0.0, 5.0], [0.0]])
def test_few_different_library_sizes(cohort, sizes, recwarn):
    train = [cohort.truth(i, libsize=np.resize(sizes, 64)) for i in range(2)]
    model = Libsize()
    model.fit(train, cohort.task)
    found = model.predict(train[0])
    assert np.isfinite(found).all()
    if len(sizes) == 1:
        mean = np.concatenate([slide.values for slide in train]).mean(axis=0)
        assert found == pytest.approx(np.tile(mean, (64, 1)), rel=1e-4)
    assert not recwarn.list


def test_genes_missing_on_a_slide(cohort):
    train = truths(cohort)
    holes = train[0].values.copy()
    holes[:, 0] = np.nan
    model, without = Libsize(), Libsize()
    model.fit([replace(train[0], values=holes), *train[1:]], cohort.task)
    without.knots = model.knots
    assert np.isfinite(model.predict(train[0])).all()
    depth = np.log(np.concatenate([slide.libsize for slide in train[1:]]))
    values = np.concatenate([slide.values[:, 0] for slide in train[1:]])
    coef = lstsq(natural_splines(depth, model.knots), values)[0]
    assert model.predict(train[0])[:, 0] == pytest.approx(
        natural_splines(np.log(train[0].libsize), model.knots) @ coef, abs=1e-4
    )


def test_order_of_calls(cohort):
    with pytest.raises(ModelError, match="before it was fitted"):
        Libsize().predict(cohort.truth(0))
    with pytest.raises(ModelError, match="at least one training unit"):
        Libsize().fit([], cohort.task)
