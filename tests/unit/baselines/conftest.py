from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide, TruthSlide
from pytest_stbench.data.slide import SlideMeta


class FakeImage:
    """Patches from memory, with the interface of an input image."""

    identity = None

    def __init__(self, patches, mpp):
        self.stored = patches
        self.mpp = mpp
        self.asked = []

    def patches(self, size, mpp, units=None):
        self.asked.append((size, mpp, units))
        return self.stored if units is None else self.stored[units]

    def batches(self, size, mpp, batch):
        for start in range(0, len(self.stored), batch):
            units = np.arange(start, min(start + batch, len(self.stored)))
            yield units, self.patches(size, mpp, units)


class Cohort:
    """Slides whose targets follow observed genes, an embedding and coordinates with known noise."""

    def __init__(self, patients=("a", "a", "b", "c"), n=64, n_observed=6, n_targets=4, seed=0):
        rng = np.random.default_rng(seed)
        self.task = TaskInfo(
            name="t",
            family="imputation",
            genes=tuple(f"T{j}" for j in range(n_targets)),
            observed_genes=tuple(f"O{j}" for j in range(n_observed)),
            normalise="log1p_median",
            target_sum=100.0,
            seed=0,
            resolution="spot",
        )
        weights = rng.normal(size=(n_observed, n_targets))
        self.train = []
        for number, patient in enumerate(patients):
            side = int(np.sqrt(n))
            xy = np.column_stack([np.arange(n) % side, np.arange(n) // side]) * 200.0
            counts = rng.poisson(rng.lognormal(1.5, 0.7, (n, n_observed)))
            signal = np.log1p(counts) @ weights
            target = signal + rng.normal(0, 0.3, (n, n_targets)) + number
            units = AnnData(csr_matrix(counts.astype(np.float32)))
            units.obs_names = [f"{number}_{i}" for i in range(n)]
            units.var_names = list(self.task.observed_genes)
            units.obsm["spatial"] = xy
            units.obsm["embedding"] = (
                signal @ rng.normal(size=(n_targets, 20)) + rng.normal(size=(n, 20))
            ).astype(np.float32)
            meta = SlideMeta(slide_id=f"s{number}", patient_id=patient, resolution="spot", pitch_um=200.0)
            self.train.append(
                TrainSlide(units=units, meta=meta, target=target.astype(np.float32), make_counts=units.copy)
            )

    def given(self, number):
        slide = self.train[number]
        return ModelSlide(units=slide.units.copy(), meta=slide.meta, image=slide.image)

    def truth(self, number, libsize=None):
        slide = self.train[number]
        if libsize is None:
            libsize = np.asarray(slide.units.X.sum(axis=1)).ravel() + 1.0
        return TruthSlide(input=self.given(number), values=slide.target.astype(np.float64), libsize=libsize)


@pytest.fixture
def cohort():
    return Cohort()


@pytest.fixture
def make_cohort():
    return Cohort


@pytest.fixture
def fake_image():
    return FakeImage
