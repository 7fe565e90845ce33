from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.slide import TranscriptBatch
from pytest_stbench.spec.model import BinSpec


@dataclass
class Molecules:
    """Transcripts in memory, in batches of a given size."""

    x: np.ndarray
    y: np.ndarray
    feature: np.ndarray
    qv: np.ndarray | None = None
    features: np.ndarray = field(default_factory=lambda: np.array(["A", "B", "NegControlProbe_1"]))
    kinds: np.ndarray = field(default_factory=lambda: np.array(["gene", "gene", "negative_control_probe"]))
    batch: int = 997

    def batches(self, *, cells=False):
        for start in range(0, len(self.x), self.batch):
            part = slice(start, start + self.batch)
            yield TranscriptBatch(
                x_um=np.asarray(self.x[part], float),
                y_um=np.asarray(self.y[part], float),
                feature=np.asarray(self.feature[part], np.int32),
                qv=None if self.qv is None else np.asarray(self.qv[part], np.float32),
            )


@dataclass
class Source:
    """A source of one slide that is already there."""

    slide: RawSlide
    offered: frozenset = frozenset({"image", "embedding", "transcripts"})

    def genes(self, slide_id):
        return tuple(self.slide.genes.tolist())

    def read(self, slide_id):
        return self.slide

    def offers(self):
        return self.offered

    def files(self, slide_id):
        return ()

    def fingerprint(self):
        return "memory/1"


@pytest.fixture
def molecules():
    return Molecules


@pytest.fixture
def source():
    return Source


@pytest.fixture
def uniform():
    """Transcripts of all fates on a rectangle of 600 x 450 um."""

    def draw(n=30_000, seed=0, corner=(0.0, 0.0), **parts):
        rng = np.random.default_rng(seed)
        x, y = corner[0] + rng.uniform(0, 600, n), corner[1] + rng.uniform(0, 450, n)
        x[rng.random(n) < 0.01] = np.nan
        feature = rng.choice(3, n, p=[0.6, 0.3, 0.1])
        return Molecules(x, y, feature, rng.uniform(0, 60, n).astype(np.float32), **parts)

    return draw


@pytest.fixture
def cells():
    """A slide of cells with counts of two genes."""

    def make(xy, **parts):
        xy = np.asarray(xy, float)
        counts = np.arange(2 * len(xy)).reshape(len(xy), 2).astype(np.int32)
        return RawSlide(
            slide_id="s",
            unit_names=np.array([f"c{i}" for i in range(len(xy))], dtype=np.str_),
            genes=np.array(["A", "B"]),
            counts=csr_matrix(counts),
            xy_um=xy,
            **parts,
        )

    return make


@pytest.fixture
def spec():
    def make(geometry="visium", **parts):
        return BinSpec(geometry=geometry, **parts)

    return make
