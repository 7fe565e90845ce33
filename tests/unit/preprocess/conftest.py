from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.slide import Slide, SlideMeta


def build_slide(
    counts, *, slide="s1", patient="p1", genes=None, measured=None, libsize=None, resolution="spot", side=None
):
    counts = np.asarray(counts)
    n, g = counts.shape
    side = side or int(np.ceil(np.sqrt(n)))
    xy = np.column_stack([np.arange(n) % side, np.arange(n) // side]) * 200.0
    return Slide(
        meta=SlideMeta(slide_id=slide, patient_id=patient, resolution=resolution, pitch_um=200.0),
        unit_names=np.array([f"{slide}_{i}" for i in range(n)], dtype=np.str_),
        genes=np.array(genes if genes is not None else [f"G{j:03d}" for j in range(g)], dtype=np.str_),
        measured=np.ones(g, bool) if measured is None else np.asarray(measured, bool),
        counts=csr_matrix(counts),
        libsize=np.asarray(counts.sum(axis=1) if libsize is None else libsize, dtype=np.float64),
        n_detected=(counts > 0).sum(axis=1).astype(np.int64),
        xy_um=xy,
    )


def patterned_counts(seed, n=100, g=12, noise=2.0):
    """Counts whose first genes follow a gradient over the slide, the later the less."""
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(n))
    gradient = (np.arange(n) % side) / side
    strength = np.linspace(3, 0, g)
    return rng.poisson(np.exp(strength * gradient[:, None] + np.log(noise)))


@pytest.fixture
def make_slide():
    return build_slide


@pytest.fixture
def make_counts():
    return patterned_counts


@pytest.fixture
def cohort():
    return [build_slide(patterned_counts(i), slide=f"s{i}", patient=f"p{i // 2}") for i in range(4)]
