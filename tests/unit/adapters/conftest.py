"""Slides and tasks that adapters are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from pytest_stbench.data.input_image import InputImage
from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide
from pytest_stbench.data.later import Made
from pytest_stbench.data.reference import Reference
from pytest_stbench.data.slide import SlideMeta

OBSERVED = tuple(f"Obs{i}" for i in range(8))
HIDDEN = ("HID1", "hid2")
GENES = (*OBSERVED, *HIDDEN, "ELSE1")


def told(task, atlas):
    """Return the task as it is where it hands out an atlas."""
    return replace(task, reference=Reference(Made(atlas)))


def table(counts, names, genes, spatial):
    found = AnnData(csr_matrix(counts), pd.DataFrame(index=names), pd.DataFrame(index=list(genes)))
    found.obsm["spatial"] = spatial
    found.var["measured"] = True
    return found


class Make:
    """Makes slides of the same two kinds of units, whose genes follow from each other."""

    OBSERVED, HIDDEN, GENES = OBSERVED, HIDDEN, GENES
    told, table = staticmethod(told), staticmethod(table)

    def __init__(self, rng):
        self.rng = rng

    def slide(self, name, patient, n=30, *, genes=GENES, observed=OBSERVED, empty=(), labels=None):
        kind = np.arange(n) % 2
        counts = self.rng.poisson(np.where((kind[:, None] + np.arange(len(genes))) % 2, 8.0, 1.0)).astype(
            np.int32
        )
        counts[list(empty)] = 0
        names = [f"unit{i}" for i in range(n)]
        spatial = self.rng.uniform(0, 900, (n, 2))
        whole = table(counts, names, genes, spatial)
        units = table(counts[:, [genes.index(gene) for gene in observed]], names, observed, spatial)
        size = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        columns = [genes.index(gene) if gene in genes else -1 for gene in HIDDEN]
        target = np.log1p(1e4 * counts[:, columns] / size).astype(np.float32)
        target[:, [column < 0 for column in columns]] = np.nan
        if labels is None:
            labels = np.where(kind, "odd", "even").astype(object)
        pixels = np.tile((np.arange(900) // 4).astype(np.uint8)[:, None, None], (1, 900, 3))
        image = InputImage(pixels, spatial, um_per_px=1.0)
        meta = SlideMeta(slide_id=name, patient_id=patient)
        return TrainSlide(
            units=units, meta=meta, target=target, make_counts=lambda: whole, labels=labels, image=image
        )

    @staticmethod
    def asked(slide):
        """The slide as it is asked for: without what it teaches."""
        return ModelSlide(units=slide.units, meta=slide.meta, image=slide.image)

    @staticmethod
    def task(**changes):
        given = {
            "name": "t", "family": "imputation", "genes": HIDDEN, "observed_genes": OBSERVED,
            "normalise": "log1p_cp10k", "target_sum": 1e4, "seed": 0, "resolution": "spot", **changes,
        }  # fmt: skip
        return TaskInfo(**given)


@pytest.fixture
def make():
    return Make(np.random.default_rng(0))


@pytest.fixture
def train(make):
    return [make.slide("s1", "p1"), make.slide("s2", None)]
