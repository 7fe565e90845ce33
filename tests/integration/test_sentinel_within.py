"""A fold within a slide: nothing that a training slide holds, or makes later, reaches the test region."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.image import Image
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.run.folding import fold_sides
from pytest_stbench.splits.table import Fold

from .test_sentinel_of_names import FAMILIES, GENES, fold_of, text_of
from .walker import everything

SIDE, PITCH = 30, 100.0
WORD, NUMBER = "BEYOND", 7_654_321
BLOCKS = {"block_um": 500.0, "gap_um": 200.0, "test_share": 0.3}
WITHIN = Fold(name="A1", train=("A1",), test=("A1",), within=True, seed=0, params=BLOCKS)


class Transcripts:
    """Molecules of the whole section, as readers give them."""

    features = np.array([f"{WORD}_GENE"])
    kinds = np.array(["gene"])

    def __init__(self, names):
        self.names = names


@pytest.fixture(scope="module")
def parts():
    """Both parts of a slide whose test part holds a word and a number that stand nowhere else."""
    rng = np.random.default_rng(0)
    n = SIDE**2
    xy = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2) * PITCH + 50
    labels = np.array(["immune", "stroma", "tumour"], dtype=object)[rng.integers(0, 3, n)]
    made = Slide(
        meta=SlideMeta(slide_id="A1", patient_id="A", resolution="spot"),
        unit_names=np.array([f"spot{place}" for place in range(n)]),
        genes=GENES,
        measured=np.ones(len(GENES), bool),
        counts=csr_matrix(rng.poisson(3, (n, len(GENES)))),
        libsize=np.full(n, 100.0),
        n_detected=np.full(n, 3),
        xy_um=xy,
        xy_px=xy / 50,
        image=Image.from_array(np.zeros((64, 64, 3), np.uint8), mpp=50.0),
        embedding=rng.normal(size=(n, 3)).astype(np.float32),
        labels={"niche": labels, "cell_type": labels},
        measures={"cells": np.full(n, 5.0), "type:T cell": rng.uniform(0, 1, n)},
    )
    (_,), (test,) = fold_sides(WITHIN, lambda _: made)
    beyond = np.isin(made.unit_names, test.unit_names)
    names = made.unit_names.astype(object)
    names[beyond] = [f"{WORD}{name}" for name in names[beyond]]
    counts = made.counts.toarray()
    counts[beyond] = NUMBER
    spoilt = replace(
        made,
        unit_names=names.astype(str),
        counts=csr_matrix(counts),
        transcripts=Transcripts(names.astype(str)),
        segmentations={"cell": Transcripts(names.astype(str))},
    )
    return fold_sides(WITHIN, lambda _: spoilt)


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"segmentation", "transfer"}))
def test_a_training_slide_reaches_its_part_alone(parts, name):
    """Families that need several slides or patients have no fold within a slide."""
    train, test = parts
    assert WORD in " ".join(test[0].unit_names)
    (given,) = replace(fold_of(name), train=train, test=test).train_inputs()
    # As it comes, and after all that it makes was made.
    for _ in range(2):
        for part in everything(given):
            assert WORD not in text_of(part)
            assert not (isinstance(part, np.ndarray) and part.dtype.kind in "iuf" and (part == NUMBER).any())
        assert given.counts.n_obs == train[0].n_units
        given.patches(size=4, mpp=50.0)
