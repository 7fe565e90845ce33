from __future__ import annotations

import numpy as np
import pytest
import yaml
from scipy.sparse import csr_matrix

from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError
from pytest_stbench.metrics.aggregate import SlideValue
from pytest_stbench.run.cells import Cell, Pool
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.scores.scoring import CellScores
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.spec.validate import load_task
from pytest_stbench.splits.table import Fold, Sample

TASK = {
    "stbench": 1,
    "name": "small",
    "version": 1,
    "family": "imputation",
    "datasets": {
        "sim": {
            "source": "simulated",
            "params": {"patients": 3, "units": 40, "genes": 60, "image": False},
            "technology": "Visium",
            "resolution": "spot",
        }
    },
    "splits": ["lopo"],
    "preprocess": {"filter": {"min_counts": 0, "min_genes": 0}, "genes": {"select": "svg", "n": 5}},
    "imputation": {"hide": {"folds": 3, "fold": 0}},
    "metrics": ["spearman_gene", "rmse"],
}


@pytest.fixture
def make_task(tmp_path):
    """Load the small task with top-level changes; None removes a key."""

    def make(**changes):
        spec = {key: value for key, value in {**TASK, **changes}.items() if value is not None}
        path = tmp_path / "small.stbench.yaml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False))
        return load_task(path, builtin_registry())

    return make


@pytest.fixture
def make_samples():
    """``make_samples("AAB")``: slides A1, A2, B1 of the patients A and B."""

    def make(patients):
        return tuple(
            Sample(slide=f"{patient}{patients[:i].count(patient) + 1}", patient=patient)
            for i, patient in enumerate(patients)
        )

    return make


def build_cell(fold="A", *, test=("A1",), seed=0, seeds=1):
    return Cell(
        dataset="d", variant="", view="d", split="lopo", seed=seed, seed_in_id=seeds > 1,
        fold=Fold(name=fold, train=("Z1",), test=tuple(test)),
    )  # fmt: skip


def build_scores(
    values, *, metric="rmse", undefined=None, flags=(), n_units=10, n_genes=5, seconds=1.0, memory=100.0
):
    """Scores of one cell: a value of `metric` for each slide."""
    return CellScores(
        values={
            metric: {
                slide: SlideValue(
                    value=value,
                    n_total=5,
                    n_valid=5,
                    undefined=dict((undefined or {}).get(slide, {})),
                    flags=tuple(flags),
                )
                for slide, value in values.items()
            }
        },
        n_units=dict.fromkeys(values, n_units),
        n_genes={metric: n_genes},
        seconds=seconds,
        peak_memory_mb=memory,
    )


@pytest.fixture
def make_cell():
    return build_cell


@pytest.fixture
def make_scores():
    return build_scores


@pytest.fixture
def make_pool():
    def make(cells):
        return Pool(dataset="d", variant="", view="d", split="lopo", cells=tuple(cells))

    return make


GENES = np.array([*(f"GEN{chr(65 + i)}" for i in range(12))])


def poisson_slide(name, seed, *, n=36, scale=1.0, genes=GENES):
    """Genes with gradients of different strength over the slide."""
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(n))
    gradient = (np.arange(n) % side) / side
    counts = rng.poisson(scale * np.exp(np.linspace(3, 0, len(genes)) * gradient[:, None] + 1))
    return Slide(
        meta=SlideMeta(slide_id=name, patient_id=name[0], resolution="spot", pitch_um=100.0),
        unit_names=np.array([f"{name}_{i}" for i in range(n)]),
        genes=genes,
        measured=np.ones(len(genes), bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(np.float64),
        n_detected=(counts > 0).sum(axis=1).astype(np.int64),
        xy_um=np.column_stack([np.arange(n) % side, np.arange(n) // side]) * 100.0,
    )


class FakeDataset:
    """A data set in memory, with what folds read of one."""

    def __init__(self, slides):
        self._slides = {slide.meta.slide_id: slide for slide in slides}
        self.genes = next(iter(slides)).genes
        self.checksum = "c"
        self.config = DatasetSpec(source="simulated")

    def slide(self, name):
        if name not in self._slides:
            message = f"no slide {name}"
            raise DataError(message)
        return self._slides[name]

    def close(self):
        pass


@pytest.fixture
def make_slide():
    return poisson_slide


@pytest.fixture
def make_dataset():
    return FakeDataset
