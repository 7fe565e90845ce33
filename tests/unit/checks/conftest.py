"""Small slides and data sets made from raw arrays, clean unless a test spoils them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Fold, Sample


@dataclass
class FakeDataset:
    """The part of a data set that checks look at."""

    config: DatasetSpec
    samples: tuple = ()
    read: tuple = ()
    panels: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    name: str = "toy"

    def slides(self):
        return iter(self.read)


def _symbols(n):
    return np.array([f"GENE{i}" for i in range(n)])


@pytest.fixture
def make_slide():
    """Return a maker of clean ST slides: 200 um lattice, integer counts of uneven depth."""

    def make(slide_id="S1", *, seed=0, side=20, n_genes=120, pitch=200.0, counts=None, xy=None, **meta):
        rng = np.random.default_rng(seed)
        n = side * side
        if counts is None:
            depth = rng.lognormal(np.log(4000), 0.4, size=n)
            share = rng.dirichlet(np.full(n_genes, 0.5))
            counts = rng.poisson(depth[:, None] * share[None, :])
        counts = np.asarray(counts)
        if xy is None:
            rows, columns = np.divmod(np.arange(n), side)
            xy = np.column_stack([columns, rows])[: len(counts)] * pitch + rng.normal(
                0, 0.02 * pitch, (len(counts), 2)
            )
        matrix = sparse.csr_matrix(counts)
        with np.errstate(invalid="ignore"):
            totals = np.asarray(counts, dtype=float).sum(axis=1)
        return Slide(
            meta=SlideMeta(
                slide_id=slide_id, technology="ST", resolution=meta.pop("resolution", "spot"), **meta
            ),
            unit_names=np.array([f"{i}x{slide_id}" for i in range(len(counts))], dtype=str),
            genes=_symbols(counts.shape[1]),
            measured=np.ones(counts.shape[1], dtype=bool),
            counts=matrix,
            libsize=totals,
            n_detected=np.asarray((counts != 0).sum(axis=1)).ravel(),
            xy_um=np.asarray(xy),
        )

    return make


@pytest.fixture
def make_dataset():
    """Return a maker of data sets from slides, panels or samples."""

    def make(slides=(), *, panels=None, samples=None, notes=None, name="toy", **config):
        slides = tuple(slides)
        return FakeDataset(
            config=DatasetSpec(source="h5ad", **config),
            samples=tuple(samples)
            if samples is not None
            else tuple(Sample(slide=s.meta.slide_id, patient=s.meta.slide_id) for s in slides),
            read=slides,
            panels=dict(panels) if panels is not None else {s.meta.slide_id: tuple(s.genes) for s in slides},
            notes=notes or {},
            name=name,
        )

    return make


@pytest.fixture
def simulated():
    """Return a maker of simulated cohorts: its data set, and one fold for each patient."""

    def make(*, defects=None, bin_=None, technology="Visium", niche="niche", cell_type=None, **params):
        params |= {"defects": defects} if defects else {}
        spec = DatasetSpec(
            source="simulated", params=params, technology=technology, organ="breast", bin=bin_,
            keys={"niche": niche, "cell_type": cell_type},
        )  # fmt: skip
        samples = load_samples(spec, "sim", [])
        patients = dict.fromkeys(sample.patient for sample in samples)
        folds = [
            Fold(
                name=str(patient),
                train=tuple(s.slide for s in samples if s.patient != patient),
                test=tuple(s.slide for s in samples if s.patient == patient),
            )
            for patient in patients
        ]
        return Dataset("sim", spec, samples, []), folds

    return make


@pytest.fixture
def shuffled():
    """Return a function that permutes the units of a slide."""

    def shuffle(slide, seed=1):
        return slide.select(np.random.default_rng(seed).permutation(slide.n_units))

    return shuffle


@pytest.fixture
def spoil():
    """Return a function that replaces fields of a slide."""
    return replace
