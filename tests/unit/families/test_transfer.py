"""Transfer: trainings of equal size, every test patient left out of its own side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.errors import DataError
from pytest_stbench.families.niches.declare import Niches
from pytest_stbench.families.question import FamilySettings
from pytest_stbench.families.transfer.ask import WITHIN, TransferQuestion, _quotas, drawn
from pytest_stbench.families.transfer.declare import Transfer
from pytest_stbench.run.installed import builtin_registry

from .test_fold import counted_slide
from .test_label_families import asked, labelled

REGISTRY = builtin_registry()
KINDS = np.array(["tumour", "stroma"], dtype=object)


def question(wraps="niches", own=None):
    own = own or Niches(input="expression")
    inner = FamilySettings(own=own)
    family = own.asked(REGISTRY.families[wraps])
    return TransferQuestion(FamilySettings(own=Transfer(wraps=wraps), wraps=family, inner=inner))


def slide(name, n):
    return labelled(name, name[0], KINDS[np.arange(n) % 2].tolist())


@pytest.fixture
def fold():
    train = [slide("A1", 30), slide("B1", 50)]
    test = [slide("C1", 20), slide("C2", 10), slide("D1", 40), slide("E1", 16)]
    return asked(question(), train, test)


def test_every_slide_is_asked_across_and_within(fold):
    across, *within = fold.question.courses(fold)
    assert [request.key for request in across.requests] == ["C1", "C2", "D1", "E1"]
    assert [[request.key for request in course.requests] for course in within] == [
        ["C1" + WITHIN, "C2" + WITHIN], ["D1" + WITHIN], ["E1" + WITHIN],
    ]  # fmt: skip


def test_all_models_learn_from_equally_many_units(fold):
    courses = fold.question.courses(fold)
    # The smallest side is that without patient D: 20 + 10 + 16 units.
    assert {sum(part.n_units for part in course.train) for course in courses} == {46}


def test_no_patient_is_on_both_sides(fold):
    for course in fold.question.courses(fold):
        learnt = {part.meta.patient_id for part in course.train}
        assert learnt.isdisjoint(request.slide.meta.patient_id for request in course.requests)
        assert learnt
    across, *within = fold.question.courses(fold)
    assert {part.meta.patient_id for part in across.train} == {"A", "B"}
    assert all({part.meta.patient_id for part in course.train} <= set("CDE") for course in within)


def test_one_patient_on_the_test_side_is_refused(fold):
    alone = replace(fold, test=fold.test[:2])
    with pytest.raises(DataError, match="has the patient C alone: it needs two or more"):
        fold.question.courses(alone)


def test_both_scores_reach_the_metrics(fold):
    large = slide("C1", 60)
    truth = fold.question.truth(large, fold)
    right = np.tile(np.eye(2, dtype=np.float32), (30, 1))
    assert fold.task.classes == ("invasive_cancer", "stroma")
    predicted = {"C1": right[::-1].copy(), "C1" + WITHIN: right}
    (arms,) = truth.arms(REGISTRY.metrics["transfer_gap"], predicted)
    assert (arms.truth, arms.prediction, arms.offered["down"]()) == (1.0, 0.0, False)
    assert truth.n_units == 60


def test_a_class_that_only_the_other_side_has_is_not_taught():
    """The classes asked are those of the training side; the other side may have more."""
    other = labelled("D1", "D", ["fat", "stroma"] * 20)
    fold = asked(question(), [slide("A1", 30), slide("B1", 50)], [slide("C1", 30), other])
    (learnt,) = fold.train_inputs([other])
    assert set(learnt.labels.tolist()) == {None, "stroma"}


def test_clusters_are_scored_by_the_metric_of_clusters():
    made = question(own=Niches(mode="unsupervised"))
    assert made.score.record.name == "ari"
    assert question().score.record.name == "macro_f1"


def test_units_are_drawn_by_name_whatever_their_order():
    rng = np.random.default_rng(0)
    slides = [counted_slide("a1", "a", rng.poisson(3, (40, 4))), counted_slide("b1", "b", np.ones((20, 4)))]
    parts = drawn(slides, 30)
    assert [part.n_units for part in parts] == [20, 10]
    moved = drawn([slides[0].select(rng.permutation(40)), slides[1]], 30)
    assert set(parts[0].unit_names) == set(moved[0].unit_names)
    assert drawn(slides, 60) == tuple(slides)
    assert [part.meta.slide_id for part in drawn(slides, 1)] == ["a1"]


@settings(deadline=None, max_examples=50)
@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=6), data=st.data())
def test_quotas_add_up_and_follow_the_sizes(sizes, data):
    named = {f"s{i}": size for i, size in enumerate(sizes)}
    n = data.draw(st.integers(0, sum(sizes)))
    found = _quotas(named, n)
    assert sum(found.values()) == n
    for name, size in named.items():
        assert 0 <= found[name] <= size
        assert abs(found[name] - n * size / sum(sizes)) < 1
