"""Which yardsticks stand beside a score, by what the task lists and the data offers."""

from __future__ import annotations

import pytest

from pytest_stbench.calls.contestants import baseline_contestant, make_ladder, runnable, simple_baseline
from pytest_stbench.errors import ModelError
from pytest_stbench.run.installed import builtin_registry

REGISTRY = builtin_registry()
BASELINES = REGISTRY.baselines
EXPRESSION = REGISTRY.families["expression"]
IMPUTATION = REGISTRY.families["imputation"]
OBSERVED = frozenset({"observed"})


@pytest.fixture
def ladder(make_task):
    def make(offered, family=IMPUTATION, **changes):
        own = {"family": family.name} | ({"imputation": None} if family is EXPRESSION else {})
        return make_ladder(
            make_task(metrics=None, **own, **changes).spec, family, frozenset(offered), BASELINES
        )

    return make


def names(records):
    return [record.name for record in records]


@pytest.mark.parametrize(
    ("offered", "simple"),
    [
        ({"image", "embedding"}, "pca_ridge"),
        ({"embedding"}, "pca_ridge"),
        ({"image"}, "he_colour"),
        (set(), "coords"),
        ({"observed"}, "coords"),
    ],
)
def test_the_simple_baseline_of_expression_is_the_best_the_data_allow(ladder, offered, simple):
    assert simple_baseline(EXPRESSION, frozenset(offered), BASELINES).name == simple
    made = ladder(offered, EXPRESSION)
    assert made.trivial.name == "train_mean"
    assert made.simple.name == simple


def test_every_baseline_stands_once_trivial_and_simple_first(ladder):
    for offered in ({"image"}, set()):
        made = ladder(offered, EXPRESSION)
        own = names(made.baselines)
        assert own[:2] == ["train_mean", made.simple.name]
        assert len(own) == len(set(own))
        assert {"libsize", "coords", "oracle_patient_mean"} <= set(own)
        assert names(made.controls) == ["shuffled"]


def test_trivial_and_simple_run_though_the_file_lists_neither(ladder):
    made = ladder(OBSERVED, baselines=["coords"])
    assert names(made.baselines) == ["train_mean", "gene_gene_ridge", "coords"]
    assert made.controls == made.missing == ()


def test_a_listed_baseline_that_cannot_run_is_missing_with_the_reason(ladder):
    made = ladder(set(), EXPRESSION, baselines=["train_mean", "pca_ridge"])
    ((name, why),) = made.missing
    assert name == "pca_ridge"
    assert "offers no embedding" in why
    assert "pca_ridge" not in names(made.baselines)


def test_a_default_baseline_that_cannot_run_is_left_out_silently(ladder):
    assert ladder(set(), IMPUTATION).missing == ()
    assert "smooth" not in names(ladder(set(), IMPUTATION).others)
    assert "smooth" in names(ladder(OBSERVED, IMPUTATION).others)


def test_without_any_simple_baseline_ridge_stays_ridge(ladder):
    made = ladder(set(), IMPUTATION)
    assert made.simple is None
    assert names(made.baselines)[0] == "train_mean"


def test_runnable():
    assert runnable(BASELINES["coords"], EXPRESSION, frozenset())
    assert not runnable(BASELINES["he_colour"], EXPRESSION, frozenset())
    assert runnable(BASELINES["he_colour"], EXPRESSION, frozenset({"image"}))
    assert not runnable(BASELINES["smooth"], EXPRESSION, OBSERVED)


def test_ridge_as_the_model_is_the_simple_baseline():
    made = baseline_contestant("ridge", EXPRESSION, frozenset(), BASELINES)
    assert (made.label, made.baseline) == ("ridge", "coords")
    assert made.handle.identity is not None
    other = baseline_contestant("ridge", EXPRESSION, frozenset({"image"}), BASELINES)
    assert other.baseline == "he_colour"
    assert other.key != made.key


@pytest.mark.parametrize(
    ("name", "offered", "message"),
    [
        ("libsize", (), "libsize is a diagnostic: it is given the truth"),
        ("shuffled", (), "shuffled is a control"),
        ("he_colour", (), "the data set offers no image"),
        ("gene_gene_ridge", ("observed",), "it does not serve the family expression"),
        ("train_maen", (), "did you mean 'train_mean'"),
    ],
)
def test_what_can_never_be_the_model_is_refused(name, offered, message):
    with pytest.raises(ModelError, match=message):
        baseline_contestant(name, EXPRESSION, frozenset(offered), BASELINES)
