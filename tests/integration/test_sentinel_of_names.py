"""Neither names nor order of units reach a model: labels planted in both are not found in any input."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import shapely
from scipy.sparse import csr_matrix

from pytest_stbench.data.areas import areas_of
from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import ModelSlide, TaskInfo, digest as digest_of
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.cell_types.declare import CellTypes
from pytest_stbench.families.embedding.declare import Embedding
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.niche_detection.declare import NicheDetection
from pytest_stbench.families.niches.declare import Niches
from pytest_stbench.families.proportions.declare import Proportions
from pytest_stbench.families.question import FamilySettings, question_of as asks
from pytest_stbench.families.robustness.declare import Robustness
from pytest_stbench.families.segmentation.declare import Segmentation
from pytest_stbench.families.transfer.declare import Transfer
from pytest_stbench.preprocess.fitted import FittedPreprocess
from pytest_stbench.run.installed import builtin_registry

from .walker import everything

FAMILIES = {family.name: family for family in builtin_registry().families}
UNITS = 36
GENES = np.array([f"GENE{n}" for n in range(6)])
WORD = "TELLTALE"
CLASSES = ("immune", "stroma", "tumour")
NICHES = FamilySettings(own=Niches(input="both"))
OWN = {
    "niches": Niches(input="both"),
    "niche_detection": NicheDetection(input="both", positive=("tumour",)),
    "cell_types": CellTypes(input="both", map=dict(zip(CLASSES, ("B", "mast", "plasma"), strict=True))),
    "proportions": Proportions(input="both"),
    "embedding": Embedding(input="both"),
    "segmentation": Segmentation(tile_px=64),
}
CHANGES = ("stain_0.8", "rotate_slide", "jitter_5um", "dropout_10", "unit_order", "gene_order")
WRAPPING = {
    "transfer": Transfer(wraps="niches"),
    "robustness": Robustness(wraps="niches", perturbations=CHANGES),
}
IMPUTES = ("imputation", "signatures", "coexpression")
DRAWN_BY_UNIT = ("jitter", "thin")
"""Perturbations that draw a number for each unit or count, in the order of the data."""


class Outlines:
    """Squares of 4 um around the units."""

    kind = "cell"

    def __init__(self, xy_um):
        self.xy_um = xy_um

    def labels(self, um_per_px, window_um):
        corners = np.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])
        squares = shapely.polygons([corners + xy for xy in self.xy_um])
        return areas_of([(squares, np.arange(len(squares)))], len(squares))[0].labels(um_per_px, window_um)


def slide(name, *, rows=None, word=""):
    """A slide of three niches; its units in the order `rows`, their names after `word`."""
    rng = np.random.default_rng(ord(name[0]))
    places = np.stack(np.meshgrid(np.arange(6), np.arange(6)), axis=-1).reshape(-1, 2) * 10.0 + 5
    places = places + rng.uniform(-1, 1, places.shape)
    labels = np.array(CLASSES, dtype=object)[rng.permutation(np.arange(UNITS) % 3)]
    counts = rng.poisson(4, (UNITS, len(GENES)))
    pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    made = Slide(
        meta=SlideMeta(slide_id=f"{name}1", patient_id=name, resolution="cell"),
        unit_names=np.array([f"{word}{labels[n]}{n}" for n in range(UNITS)]),
        genes=GENES,
        measured=np.ones(len(GENES), bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(float),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=places,
        xy_px=places,
        image=Image.from_array(pixels, mpp=1.0),
        embedding=rng.normal(size=(UNITS, 3)).astype(np.float32),
        labels={"niche": labels, "cell_type": labels},
        measures={"cells": np.full(UNITS, 5.0), "type:T cell": rng.uniform(0, 1, UNITS)},
        segmentations={"cell": Outlines(places)},
    )
    return made if rows is None else made.select(rows(made))


def question_of(name):
    family = FAMILIES[name]
    kind = asks(family)
    if name in WRAPPING:
        return kind(FamilySettings(own=WRAPPING[name], wraps=FAMILIES["niches"], inner=NICHES))
    return kind(FamilySettings(own=OWN.get(name), imputes=name in IMPUTES))


def fold_of(name, **changes):
    question = question_of(name)
    targets = np.arange(3, len(GENES))
    info = TaskInfo(
        name="t", family=name, genes=tuple(GENES[targets]), observed_genes=(), normalise="log1p",
        target_sum=None, seed=0, resolution="cell", classes=CLASSES,
    )  # fmt: skip
    train, test = ([slide(part, **changes) for part in parts] for parts in ("AB", "CD"))
    return FoldData(
        task=info,
        question=question,
        fitted=FittedPreprocess(
            genes=tuple(GENES[targets]), columns=targets, places={"evaluated": np.arange(3)},
            normalise="log1p", target_sum=None, share=np.ones(3) / 3, counted={},
        ),
        observed=np.empty(0, np.intp) if name in ("expression", "segmentation") else np.arange(3),
        train=tuple(train),
        test=tuple(test),
        counted={},
    )  # fmt: skip


def inputs(fold, *, own_names=False):
    """Everything that a model of the fold is given, training first, as a model would look at it."""
    for course in fold.question.courses(fold):
        given = fold.train_inputs(course.train, own_names=own_names)
        for part in given:
            assert part.counts.n_obs == part.n_units
            assert len(list(part.tiles())) == (4 if fold.task.family == "segmentation" else 0)
        yield from given
        for request in course.requests:
            given = fold.asking(request, own_names=own_names).given()
            if given.image is not None:
                given.patches(size=8, mpp=1.0)
            yield given


def text_of(found):
    """Return the text that one object itself is, in every form that libraries keep."""
    if isinstance(found, bytes | bytearray | pa.Buffer):
        return bytes(found).replace(b"\0", b"").decode("latin-1")
    if isinstance(found, np.ndarray) and found.dtype.kind in "US":
        return " ".join(map(str, found.ravel()))
    return found if isinstance(found, str) else ""


@pytest.mark.parametrize("name", FAMILIES)
def test_a_label_in_the_names_reaches_no_model(name):
    fold = fold_of(name, word=WORD)
    found = list(inputs(fold))
    assert len(found) > 2
    assert not [text for part in everything(found) if WORD in (text := text_of(part))]
    for given in found:
        pickled = pickle.dumps(given)
        assert WORD.encode() not in pickled
        assert WORD.encode("utf-32-le") not in pickled


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"segmentation"}))
def test_the_names_of_the_data_are_found_where_a_model_asks_for_them(name):
    found = list(inputs(fold_of(name, word=WORD), own_names=True))
    assert [text for part in everything(found) if WORD in (text := text_of(part))]


def by_label(made):
    return np.argsort(made.labels["niche"].astype(str), kind="stable")


def said(given):
    """Return all that an input says, as digests; places that were turned are sums in another order."""
    given.units.obsm["spatial"] = given.units.obsm["spatial"].round(9)
    plain = ModelSlide(units=given.units, meta=given.meta, image=given.image)
    beside = [getattr(given, field, None) for field in ("target", "labels", "proportions")]
    counts = given.counts if hasattr(given, "counts") else None
    return [digest_of(plain), *map(digest_of, beside), digest_of(counts)]


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_sorted_by_label_give_the_same_input(name):
    drawn, in_order = fold_of(name), fold_of(name, rows=by_label, word=WORD)
    assert drawn.test[0].labels["niche"].tolist() != in_order.test[0].labels["niche"].tolist()
    if name != "transfer":  # which draws the units that it trains on by name
        pairs = zip(drawn.train_inputs(), in_order.train_inputs(), strict=True)
        assert all(said(one) == said(other) for one, other in pairs)
    requests = [[r for c in fold.question.courses(fold) for r in c.requests] for fold in (drawn, in_order)]
    compared = 0
    for one, other in zip(*requests, strict=True):
        if one.detail is not None and str(getattr(one.detail, "name", "")).startswith(DRAWN_BY_UNIT):
            continue
        assert said(drawn.asking(one).given()) == said(in_order.asking(other).given())
        compared += 1
    assert compared > 1


def test_the_order_of_units_is_no_part_of_a_training_slide():
    """Nothing leads from an input to the row that a unit has in the data."""
    fold = fold_of("niches", rows=by_label)
    order = fold.asking(fold.question.requests(fold)[0])._arrangement.rows
    found = [*fold.train_inputs(), fold.asking(fold.question.requests(fold)[0]).given()]
    for part in everything(found):
        if isinstance(part, np.ndarray) and part.shape == order.shape and part.dtype.kind in "iu":
            assert not np.array_equal(part, order)
            assert not np.array_equal(part, np.argsort(order))


def test_copies_of_a_training_slide_have_its_counts():
    (given, *_) = fold_of("niches").train_inputs()
    for twin in (copy.deepcopy(given), copy.copy(given), pickle.loads(pickle.dumps(given))):
        assert digest_of(twin.counts) == digest_of(given.counts)
    (given, *_) = fold_of("segmentation").train_inputs()
    masks = [mask for _, mask in given.tiles()]
    again = pickle.loads(pickle.dumps(given))
    for _ in range(2):
        assert all(np.array_equal(a, b) for a, (_, b) in zip(masks, again.tiles(), strict=True))


def test_a_slide_without_places_is_shuffled():
    made = slide("A", rows=by_label)
    nowhere = replace(made, xy_um=np.full((UNITS, 2), np.nan))
    fold = replace(fold_of("imputation"), train=(nowhere,), test=(nowhere,))
    labels = np.repeat(sorted(CLASSES), UNITS // 3)
    rows = fold.asking(fold.question.requests(fold)[0])._arrangement.rows
    assert sorted(rows) == list(range(UNITS))
    assert (labels[rows][1:] != labels[rows][:-1]).mean() > 0.4
