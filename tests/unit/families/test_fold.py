"""What a fold hands to models, diagnostics and metrics."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.inputs import TaskInfo, TrainSlide
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.expression.ask import ExpressionQuestion
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.families.question import Request
from pytest_stbench.preprocess.fitted import FittedPreprocess

GENES = np.array(["AAA", "BBB", "CCC", "DDD"])


def counted_slide(name, patient, counts, measured=(True,) * 4):
    counts = np.asarray(counts)
    return Slide(
        meta=SlideMeta(slide_id=name, patient_id=patient),
        unit_names=np.array([f"{name}_{i}" for i in range(len(counts))]),
        genes=GENES,
        measured=np.array(measured),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(np.float64),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=np.arange(2.0 * len(counts)).reshape(-1, 2),
        embedding=np.ones((len(counts), 3), np.float32),
    )


def fold_of(question, train, test, observed=(0,), targets=(1, 2, 3)):
    targets, observed = np.array(targets, dtype=np.intp), np.array(observed, dtype=np.intp)
    genes = tuple(GENES[targets])
    return FoldData(
        task=TaskInfo(
            name="t", family="f", genes=genes, observed_genes=tuple(GENES[observed]), normalise="log1p",
            target_sum=None, seed=0, resolution=None,
        ),
        question=question,
        fitted=FittedPreprocess(
            genes=genes, columns=targets, places={"evaluated": np.arange(len(genes))}, normalise="log1p",
            target_sum=None, share=np.ones(4) / 4, counted={},
        ),
        observed=observed,
        train=tuple(train),
        test=tuple(test),
        counted={},
    )  # fmt: skip


@pytest.fixture
def imputation_fold():
    train = [
        counted_slide("a1", "a", [[1, 1, 1, 1]] * 2),
        counted_slide("a2", "a", [[3, 3, 3, 3]] * 6),
        counted_slide("b1", "b", [[7, 7, 7, 7]] * 2, measured=(True, True, True, False)),
    ]
    test = [counted_slide("c1", "c", [[0, 1, 2, 3], [4, 5, 6, 7]], measured=(True, True, False, True))]
    return fold_of(ImputationQuestion(), train, test)


def test_the_mean_of_training_is_over_patients_of_units(imputation_fold):
    a = (2 * np.log(2) + 6 * np.log(4)) / 8
    both = (a + np.log(8)) / 2
    np.testing.assert_allclose(
        imputation_fold.train_mean, [both, both, a], err_msg="DDD was measured in a alone"
    )


def test_the_mean_of_a_gene_nobody_measured_is_nan():
    train = [counted_slide("a1", "a", [[1, 1, 1, 1]], measured=(True, True, True, False))]
    mean = fold_of(ImputationQuestion(), train, train).train_mean
    assert np.isnan(mean).tolist() == [False, False, True]


def test_slides_without_patient_are_patients_of_their_own():
    slides = [counted_slide("a1", None, [[1, 1, 1, 1]]), counted_slide("a2", None, [[3, 3, 3, 3]] * 9)]
    np.testing.assert_allclose(
        fold_of(ImputationQuestion(), slides, slides).train_mean, (np.log(2) + np.log(4)) / 2
    )


def test_the_truth_of_a_test_slide(imputation_fold):
    truth = imputation_fold.truth(imputation_fold.test[0])
    np.testing.assert_allclose(truth.values, np.log1p([[1, np.nan, 3], [5, np.nan, 7]]))
    assert truth.measured.tolist() == [True, False, True]
    assert truth.genes.tolist() == ["BBB", "CCC", "DDD"]
    assert truth.units.tolist() == ["c1_0", "c1_1"]
    assert truth.libsize.tolist() == [6, 22]
    np.testing.assert_array_equal(truth.train_mean, imputation_fold.train_mean)


def test_training_slides_hold_targets_and_counts_test_inputs_do_not(imputation_fold):
    train = imputation_fold.train_inputs()
    assert [slide.meta.slide_id for slide in train] == ["a1", "a2", "b1"]
    np.testing.assert_allclose(train[1].target, np.log(4), rtol=1e-6)
    assert list(train[2].counts.var_names) == ["AAA", "BBB", "CCC"]
    given = imputation_fold.input(imputation_fold.test[0])
    assert not hasattr(given, "target")
    assert list(given.units.var_names) == ["AAA"]


def test_inputs_are_built_anew(imputation_fold):
    slide = imputation_fold.test[0]
    first = imputation_fold.input(slide)
    first.units.obsm["spatial"][:] = -1
    first.units.X = first.units.X * 100
    second = imputation_fold.input(slide)
    assert second.units.obsm["spatial"].min() >= 0
    assert second.units.X.max() == slide.counts[:, 0].max()
    assert imputation_fold.train_inputs()[0].target is not imputation_fold.train_inputs()[0].target


def test_expression_gives_no_counts():
    slides = [counted_slide("a1", "a", [[1, 2, 3, 4]] * 3)]
    question = ExpressionQuestion()
    plan = question.plan(slides)
    assert plan.candidates.tolist() == [0, 1, 2, 3]
    assert plan.observed.tolist() == []
    fold = fold_of(question, slides, slides, observed=())
    given = fold.input(slides[0])
    assert given.units.shape == (3, 0)
    assert set(given.units.obsm) == {"spatial", "embedding"}
    assert given.image is None


REQUEST = Request(key="c1", slide=None)


class Asked:
    def impute(self, slide, observed_genes, target_genes):
        return "impute", observed_genes, target_genes

    def predict_expression(self, slide, genes):
        return "predict_expression", genes


def test_models_are_asked_by_name_with_lists(imputation_fold):
    given = imputation_fold.input(imputation_fold.test[0])
    assert ImputationQuestion().ask(Asked(), given, REQUEST, imputation_fold.task) == (
        "impute",
        ["AAA"],
        ["BBB", "CCC", "DDD"],
    )
    assert ExpressionQuestion().ask(Asked(), given, REQUEST, imputation_fold.task) == (
        "predict_expression",
        ["BBB", "CCC", "DDD"],
    )


def test_diagnostics_see_the_truth(imputation_fold):
    slide = imputation_fold.test[0]
    seen = imputation_fold.truth_given(slide)
    np.testing.assert_array_equal(seen.values, imputation_fold.truth(slide).values)
    assert seen.libsize is not slide.libsize
    assert [len(truth.values) for truth in imputation_fold.train_truths()] == [2, 6, 2]


def test_a_fold_with_another_task_is_still_the_same_fold(imputation_fold):
    other = replace(imputation_fold, task=replace(imputation_fold.task, seed=9))
    np.testing.assert_array_equal(other.train_mean, imputation_fold.train_mean)


def same(one, other):
    if one is None or other is None:
        return one is other
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=np.asarray(one).dtype.kind == "f")


def test_slides_that_are_built_when_asked_for_are_those_of_models(imputation_fold):
    for later, given in zip(imputation_fold.later_inputs(), imputation_fold.train_inputs(), strict=True):
        assert isinstance(later, TrainSlide)
        assert later.n_units == given.n_units
        assert later.meta is given.meta
        assert later.units.obs_names.tolist() == given.units.obs_names.tolist()
        assert same(later.units.X.toarray(), given.units.X.toarray())
        assert same(later.units.obsm["spatial"], given.units.obsm["spatial"])
        assert same(later.target, given.target)
        assert same(later.counts.X.toarray(), given.counts.X.toarray())
        assert later.labels is given.labels is None
        assert later.proportions is None
        assert list(later.tiles()) == []


def test_one_slide_at_a_time_is_in_memory(imputation_fold):
    first, second, _ = imputation_fold.later_inputs()
    held = weakref.ref(first.units)
    assert held() is first.units
    assert second.target.shape == (6, 3)
    gc.collect()
    assert held() is None


def test_what_was_built_goes_with_the_slides_it_was_built_of(imputation_fold):
    later = imputation_fold.later_inputs()
    held = weakref.ref(later[0].units)
    gc.disable()
    try:
        del later
        assert held() is None, "it waits for the garbage collector"
    finally:
        gc.enable()


def test_who_asks_for_targets_pays_for_no_input(imputation_fold, monkeypatch):
    wanted = [given.target for given in imputation_fold.train_inputs()]
    monkeypatch.setattr(FoldData, "input", None)
    for later, target in zip(imputation_fold.later_inputs(), wanted, strict=True):
        assert later.target.dtype == target.dtype
        assert same(later.target, target)


def test_diagnostics_hold_the_values_of_one_training_slide(imputation_fold):
    first, second, _ = imputation_fold.train_truths()
    held = weakref.ref(first.values)
    assert held() is first.values
    assert first.libsize.tolist() == imputation_fold.train[0].libsize.tolist()
    np.testing.assert_array_equal(second.values, imputation_fold.truth_given(imputation_fold.train[1]).values)
    assert held() is None
    assert first.input.units.n_obs == len(first.libsize)


def test_what_a_slide_lacks_is_said_of_later_ones_too(imputation_fold):
    (first, *_) = imputation_fold.later_inputs()
    with pytest.raises(AttributeError, match=r"has no attribute 'taget'.*did you mean 'target'"):
        _ = first.taget


@pytest.mark.parametrize("scheme", ["labels", "proportions"])
def test_labels_and_proportions_are_at_hand_in_the_order_of_the_input(scheme):
    slide = replace(
        counted_slide("a1", "a", [[1, 1, 1, 1]] * 4), xy_um=np.array([[3, 0], [1, 0], [2, 0], [0, 0]]) * 9.0
    )
    values = {"labels": np.array(["x", None, "y", "z"], dtype=object), "proportions": np.eye(4)[:, :2]}[
        scheme
    ]

    class Teaches(ImputationQuestion):
        def lessons(self, slide, fold):
            return {scheme: values}

    fold = fold_of(Teaches(), [slide], [slide])
    (later,), (given,) = fold.later_inputs(), fold.train_inputs()
    assert vars(later)[scheme].tolist() == getattr(given, scheme).tolist() == values[[3, 1, 2, 0]].tolist()


def test_diagnostics_get_an_input_that_is_built_when_they_look_at_it(imputation_fold):
    (slide,) = imputation_fold.test
    truth, given = imputation_fold.truth_given(slide), imputation_fold.input(slide)
    assert "units" not in vars(truth.input)
    assert truth.input.n_units == 2
    assert truth.input.meta is slide.meta
    assert truth.input.units.obs_names.tolist() == given.units.obs_names.tolist()
    assert same(truth.input.units.X.toarray(), given.units.X.toarray())
    with pytest.raises(AttributeError, match="target"):
        _ = truth.input.target
