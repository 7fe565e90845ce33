"""Rules on signature scores that stand in for annotation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError
from pytest_stbench.families.niche_detection.ask import NicheDetectionQuestion
from pytest_stbench.families.niche_detection.declare import NicheDetection
from pytest_stbench.families.niche_detection.rules import InflamedRule, LymphoidRule, weighted_quantile
from pytest_stbench.families.question import FamilySettings
from pytest_stbench.resources import signatures

from .test_fold import fold_of

pytestmark = pytest.mark.filterwarnings("error")

SETS = signatures()
LYMPHOID = sorted({*SETS["TLS_IMPRINT_29"], *SETS["TLS_CHEMOKINE_12"], *SETS["B_CELL"], *SETS["T_CELL"]})
INFLAMED = sorted(SETS["TIS_GEP_18"])
BLOCK, LONE = (33, 34, 43, 44), 88
SIDE = 10


def slide_of(name, genes, high, *, background=1.0, more=60, seed=0):
    """A square lattice of 100 units where some express the genes 20 times as much."""
    rng = np.random.default_rng([seed, ord(name[0])])
    level = np.ones((SIDE * SIDE, len(genes) + more))
    level[np.ix_(list(high), range(len(genes)))] = 20
    counts = rng.poisson(background * level)
    return Slide(
        meta=SlideMeta(slide_id=f"{name}1", patient_id=name, resolution="spot", pitch_um=100.0),
        unit_names=np.array([f"{name}{i}" for i in range(len(counts))]),
        genes=np.array([*genes, *(f"BACK{i}" for i in range(more))]),
        measured=np.ones(counts.shape[1], bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(float),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=100.0 * np.array([(i % SIDE, i // SIDE) for i in range(SIDE * SIDE)], float),
    )


@pytest.mark.parametrize("more", [60, 1200])
def test_connected_units_that_stand_out_are_a_lymphoid_structure(more):
    train = [slide_of(name, LYMPHOID, (*BLOCK, LONE), more=more) for name in "ab"]
    rule = LymphoidRule(train)
    test = slide_of("c", LYMPHOID, (*BLOCK, LONE), more=more)
    assert np.flatnonzero(rule(test)).tolist() == list(BLOCK), "a unit alone is none"
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(rule(test.select(order)), rule(test)[order])


def test_b_and_t_cells_must_be_there():
    genes = [*LYMPHOID]
    train = [slide_of(name, genes, (*BLOCK, LONE)) for name in "ab"]
    test = slide_of("c", genes, (*BLOCK, LONE))
    without = test.counts.toarray()
    cells = [genes.index(gene) for gene in SETS["T_CELL"]]
    without[np.ix_(list(BLOCK), cells)] = 0
    assert not LymphoidRule(train)(replace(test, counts=csr_matrix(without))).any()


def test_a_panel_without_the_genes_cannot_tell():
    train = [slide_of(name, LYMPHOID, BLOCK) for name in "ab"]
    rule = LymphoidRule(train)
    measured = ~np.isin(train[0].genes, SETS["B_CELL"])
    assert rule(replace(train[0], measured=measured)) is None
    with pytest.raises(DataError, match=r"target: tls.*B_CELL \(0 of .*`positive`"):
        LymphoidRule([slide_of("a", INFLAMED, BLOCK)])
    with pytest.raises(DataError, match=r"target: hot_cold.*TIS_GEP_18 \("):
        InflamedRule([slide_of("a", ["EPCAM", "VIM"], BLOCK)], 500.0)


def test_the_highest_third_of_windows_is_inflamed():
    # Of four windows of 5 x 5 units one is inflamed on one slide, and none on the other.
    corner = [i for i in range(100) if i % SIDE < 5 and i // SIDE < 5]
    train = [slide_of("a", INFLAMED, corner), slide_of("b", INFLAMED, ())]
    rule = InflamedRule(train, 500.0)
    assert np.flatnonzero(rule(train[0])).tolist()[: len(corner)] == corner or set(corner) <= set(
        np.flatnonzero(rule(train[0]))
    )
    share = np.mean([rule(slide).mean() for slide in train])
    assert 0.2 < share <= 3 / 8
    test = slide_of("c", INFLAMED, corner)
    window = rule(test).reshape(2, 5, 2, 5).transpose(0, 2, 1, 3).reshape(4, 25)
    assert ((window.all(axis=1)) | (~window.any(axis=1))).all(), "a window is one or the other"
    assert window[0].all()


def test_patients_weigh_the_same_in_the_limit():
    few, many = np.array([3.0, 4.0]), np.zeros(8)
    values = np.concatenate([few, many])
    weights = np.concatenate([np.full(2, 0.5), np.full(8, 0.125)])
    assert weighted_quantile(values, weights, 2 / 3) == 3.0
    assert weighted_quantile(values, np.ones(10), 2 / 3) == 0.0
    assert weighted_quantile(np.array([5.0]), np.ones(1), 2 / 3) == 5.0
    assert weighted_quantile(np.arange(1.0, 4.0), np.ones(3), 2 / 3) == 2.0


def test_the_family_asks_by_rule_where_nothing_is_annotated():
    train = [slide_of(name, LYMPHOID, (*BLOCK, LONE)) for name in "ab"]
    test = slide_of("c", LYMPHOID, (*BLOCK, LONE))
    made = NicheDetectionQuestion(FamilySettings(own=NicheDetection(target="tls", input="expression")))
    plan = made.plan(train)
    fold = fold_of(made, train, [test], observed=(), targets=())
    fold = replace(fold, task=replace(fold.task, classes=plan.classes))
    assert fold.task.classes == ("other", "tls")
    assert np.flatnonzero(fold.truth(test).labels == "tls").tolist() == list(BLOCK)
    measured = ~np.isin(test.genes, SETS["B_CELL"])
    assert fold.truth(replace(test, measured=measured)).n_units == 0
    flat = [slide_of(name, LYMPHOID, ()) for name in "ab"]
    with pytest.raises(DataError, match="only 'other': check the data, or name annotated labels"):
        made.plan([slide.select(np.arange(1)) for slide in flat])
