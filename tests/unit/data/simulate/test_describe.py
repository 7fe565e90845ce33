from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.data.simulate.describe import describe
from pytest_stbench.errors import DataError


@pytest.fixture
def opened(simulated_config):
    def make(**params):
        config = simulated_config(image=False, **params)
        return Dataset("sim", config, load_samples(config, "sim", ()), ())

    return make


def test_against_dense_numbers(opened):
    """One slide at a time, with plain loops and sums."""
    dataset = opened(patients=3, units=100, genes=60)
    found = describe(dataset)
    slides = list(dataset.slides())
    totals = [slide.counts.toarray().sum(axis=1) for slide in slides]
    assert (found.slides, found.patients, found.units, found.genes) == (3, 3, 100, 60)
    assert found.depth_50 == np.median([np.median(t) for t in totals])
    assert found.depth_90 == pytest.approx(np.median([np.quantile(t, 0.9) for t in totals]))
    assert found.depth_sd == pytest.approx(np.median([np.log(t).std() for t in totals]))
    zeros = [(slide.counts.toarray() == 0).mean() for slide in slides]
    assert found.zero_share == pytest.approx(np.median(zeros))
    values = [np.log1p(s.counts.toarray() / t[:, None] * 100) for s, t in zip(slides, totals, strict=True)]
    pooled = np.concatenate(values)
    between = [
        sum(len(v) * (v[:, g].mean() - pooled[:, g].mean()) ** 2 for v in values)
        / (len(pooled) * pooled[:, g].var())
        for g in range(60)
        if (pooled[:, g] > 0).mean() >= 0.1
    ]
    assert found.patient_share == pytest.approx(np.median(between))
    means = []
    for slide, value in zip(slides, values, strict=True):
        away = np.linalg.norm(slide.xy_um[:, None] - slide.xy_um[None], axis=2)
        near = (away > 0) & (away < 150)
        z = value - value.mean(axis=0)
        moran = len(z) / near.sum() * (z * (near @ z)).sum(axis=0) / (z**2).sum(axis=0)
        kept = (value > 0).mean(axis=0) >= 0.1
        means.append((np.median(moran[kept]), np.sort(moran[kept])[-50:].mean()))
    assert (found.moran, found.moran_top) == pytest.approx(tuple(np.median(means, axis=0)))


def test_one_patient_has_no_share(opened):
    assert math.isnan(describe(opened(patients=1, units=60, genes=60)).patient_share)


def test_cells(opened):
    found = describe(opened(resolution="cell", patients=2, units=800))
    assert 100 < found.depth_50 < 250
    assert 0.5 < found.zero_share < 0.9
    assert found.moran_top > 0.1 > found.moran > 0


def test_panels_without_a_common_gene(opened, monkeypatch):
    dataset = opened(patients=2, units=60, genes=60)
    monkeypatch.setattr(Dataset, "genes", np.array([], dtype=np.str_))
    with pytest.raises(DataError, match=r"datasets\.sim: its slides have no gene in common"):
        describe(dataset)


def test_slides_without_counts(opened):
    with pytest.raises(DataError, match="no unit of slide P01S1 has counts; leave it out by `slides`"):
        describe(opened(patients=2, units=60, genes=60, defects={"empty_units": 1}))


def test_units_without_places_have_no_moran(opened):
    found = describe(opened(patients=2, units=60, genes=60, defects={"missing_coords": 1}))
    assert math.isnan(found.moran)
    assert found.depth_50 > 0
