"""Family T02: what is asked, and how true and predicted scores come about."""

from __future__ import annotations

import inspect
from itertools import islice

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.align import current_symbols
from pytest_stbench.data.inputs import TaskInfo
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.question import FamilySettings, Request
from pytest_stbench.families.signatures.ask import SignaturesQuestion
from pytest_stbench.families.signatures.declare import Signatures
from pytest_stbench.metrics import partial_spearman_gene, signature_specificity
from pytest_stbench.metrics.catalogue import METRICS
from pytest_stbench.models.contract import ContractError
from pytest_stbench.preprocess.fitted import fit_preprocess
from pytest_stbench.resources import signatures
from pytest_stbench.spec.model import PreprocessSpec

MEMBERS = {name: signatures()[name] for name in ("CYT", "MACROPHAGE", "ADIPOCYTE")}
GENES = np.array(
    [*(gene for genes in MEMBERS.values() for gene in genes), *(f"G{j:04d}" for j in range(1100))],
    dtype=np.str_,
)
SPECIFICITY = next(record for record in METRICS if record.name == "signature_specificity")
PRIMARY = next(record for record in METRICS if record.name == "partial_spearman_gene")


def make_slide(name, patient, n=60, genes=GENES, measured=None, seed=0):
    """Spots on a square lattice; the genes of a signature follow a field of their own."""
    rng = np.random.default_rng(seed)
    rate = np.tile(rng.gamma(2.0, 0.5, len(genes)), (n, 1)) * rng.uniform(0.5, 2.0, (n, 1))
    for own in MEMBERS.values():
        rate[:, np.isin(genes, own)] *= 3 * rng.gamma(1.0, 1.0, (n, 1))
    counts = rng.poisson(rate)
    return Slide(
        meta=SlideMeta(slide_id=name, patient_id=patient, resolution="spot", pitch_um=100.0),
        unit_names=np.array([f"{name}_{i}" for i in range(n)]),
        genes=genes,
        measured=np.ones(len(genes), bool) if measured is None else measured,
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(np.float64),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=np.column_stack([np.arange(n) % 10, np.arange(n) // 10]) * 100.0,
    )


def fold_of(question, train, test):
    plan = question.plan(train)
    fitted = fit_preprocess(train, PreprocessSpec(), candidates=plan.candidates, chosen=plan.asked)
    task = TaskInfo(
        name="t", family="signatures", genes=fitted.genes, observed_genes=tuple(GENES[plan.observed]),
        normalise=fitted.normalise, target_sum=fitted.target_sum, seed=0, resolution="spot",
        classes=plan.classes,
    )  # fmt: skip
    return FoldData(
        task=task, question=question, fitted=fitted, observed=plan.observed, train=tuple(train),
        test=tuple(test), counted=plan.counted,
    )  # fmt: skip


@pytest.fixture(scope="module")
def train():
    return [make_slide(f"a{i}", f"p{i}", seed=i) for i in range(2)]


@pytest.fixture(scope="module")
def fold(train):
    return fold_of(SignaturesQuestion(), train, [make_slide("b", "q", seed=9)])


def score(fold, record, function, predicted, truth=None):
    truth = truth or fold.truth(fold.test[0])
    (arms,) = truth.arms(record, {"b": predicted})
    wanted = {"measured", "genes", *record.inputs} & inspect.signature(function).parameters.keys()
    return function(arms.truth, arms.prediction, **{name: arms.offered[name]() for name in wanted})


def test_members_and_controls_are_asked_and_nothing_else(fold):
    listed = {gene for genes in MEMBERS.values() for gene in genes}
    assert set(fold.task.classes) == set(MEMBERS)
    assert listed <= set(fold.genes)
    others = set(fold.genes) - listed
    assert 0 < len(others) <= 50 * 25
    assert not others & {gene for genes in signatures().values() for gene in genes}
    assert fold.counted["signatures"] == 3
    assert fold.counted["signatures_not_covered"] == len(signatures()) - 3


def test_checks_of_genes_look_at_members_alone(train):
    listed = {gene for genes in MEMBERS.values() for gene in genes}
    plan = SignaturesQuestion().plan(train)
    assert set(GENES[plan.judged]) == listed
    assert set(plan.judged) < set(plan.asked)


def test_the_truth_as_its_own_prediction_is_perfect(fold):
    values = fold.fitted.transform(fold.test[0])
    found = score(fold, PRIMARY, partial_spearman_gene, values)
    assert found.labels.tolist() == list(fold.task.classes)
    np.testing.assert_allclose(found.values, 1.0)
    assert fold.truth(fold.test[0]).n_columns(PRIMARY) == 3
    assert fold.truth(fold.test[0]).n_units == 60


def test_specificity_compares_with_random_sets_of_the_same_prediction(fold):
    values = fold.fitted.transform(fold.test[0])
    # All genes true: random sets are as good as signatures, so none stands out.
    assert score(fold, SPECIFICITY, signature_specificity, values).values.tolist() == [0, 0, 0]
    only = np.random.default_rng(0).normal(size=values.shape)
    members = np.isin(fold.genes, [gene for genes in MEMBERS.values() for gene in genes])
    only[:, members] = values[:, members]
    found = score(fold, SPECIFICITY, signature_specificity, only)
    assert found.values.tolist() == [1, 1, 1]
    assert (found.extras["threshold"] < 0.6).all()


class Both:
    """A model with scores of its own."""

    def predict_signature(self, slide, names):
        self.names = names
        return np.arange(slide.n_units * len(names), dtype=np.float64).reshape(slide.n_units, -1)

    def predict_expression(self, slide, genes):
        raise AssertionError


class Expressing:
    def predict_expression(self, slide, genes):
        return np.ones((slide.n_units, len(genes)), np.float32)


def asked(fold, model):
    request = Request(key="b", slide=fold.test[0])
    given = fold.question.given(request, fold)
    raw = fold.question.ask(model, given, request, fold.task)
    return fold.question.accept(raw, request, fold, "model")


def test_scores_of_the_model_come_first(fold):
    model = Both()
    found = asked(fold, model)
    assert model.names == list(fold.task.classes)
    assert found.shape == (60, len(fold.genes) + 3)
    (arms,) = fold.truth(fold.test[0]).arms(PRIMARY, {"b": found})
    np.testing.assert_array_equal(arms.prediction, np.arange(180.0).reshape(60, 3))
    nothing_to_compare = score(fold, SPECIFICITY, signature_specificity, found)
    assert nothing_to_compare.reasons.tolist() == ["not_covered"] * 3


def test_otherwise_expression_is_asked(fold):
    found = asked(fold, Expressing())
    assert found.shape == (60, len(fold.genes))
    constant = score(fold, PRIMARY, partial_spearman_gene, found)
    assert constant.reasons.tolist() == ["pred_constant"] * 3


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (np.ones((60, 2)), r"shape \(60, 3\) \(units, signatures\)"),
        (np.ones((3, 60)), r"transposed: return units as rows and signatures as columns"),
        (np.full((60, 3), np.nan), "finite values"),
        (np.ones((60, 3), int), "float32"),
    ],
)
def test_scores_that_cannot_be_used(fold, scores, said):
    class Wrong:
        def predict_signature(self, slide, names):
            return scores

    with pytest.raises(ContractError, match=said):
        asked(fold, Wrong())


def test_the_parent_says_what_is_observed(train):
    settings = FamilySettings(imputes=True, observed=tuple(GENES[600:]))
    fold = fold_of(SignaturesQuestion(settings), train, [make_slide("b", "q", seed=9)])
    assert fold.task.observed_genes == tuple(GENES[600:])
    assert not set(fold.genes) & set(GENES[600:])
    assert fold.input(fold.test[0]).units.n_vars == len(GENES) - 600

    class Imputing:
        def impute(self, slide, observed, targets):
            return np.zeros((slide.n_units, len(targets)), np.float32)

    assert asked(fold, Imputing()).shape == (60, len(fold.genes))


def test_named_sets_and_those_of_a_file(train, tmp_path):
    path = tmp_path / "mine.gmt"
    path.write_text("MINE\t\tG0001\tG0002\tG0003\nRETIRED\t\tCTGF\tG0004\tG0005\n")

    def classes(names=None, gmt=None):
        settings = FamilySettings(
            own=Signatures(names=names, gmt=gmt),
            resolve=lambda name: tmp_path / name,
            named=lambda genes: tuple(current_symbols(genes)),
        )
        question = SignaturesQuestion(settings)
        return question.plan(train).classes, question

    assert classes(names=("CYT", "B_CELL"))[0] == ("CYT",)
    found, question = classes(gmt="mine.gmt")
    assert found == ("MINE",)  # CCN2 is not in the data
    assert question.identity(None) == {"MINE": ["G0001", "G0002", "G0003"]}
    assert classes(names=("CYT", "MINE"), gmt="mine.gmt")[0] == ("CYT", "MINE")
    with pytest.raises(DataError, match="there is no signature 'MIME'; did you mean 'MINE'"):
        classes(names=("MIME",), gmt="mine.gmt")


def test_when_no_signature_can_be_scored(train):
    with pytest.raises(DataError, match=r"none of the 1 signatures can be scored.*B_CELL with 0 of 9"):
        SignaturesQuestion(FamilySettings(own=Signatures(names=("B_CELL",)))).plan(train)


def test_a_slide_without_the_members_is_not_scored_on_them(train):
    question = SignaturesQuestion()
    measured = ~np.isin(GENES, MEMBERS["ADIPOCYTE"][:5])
    fold = fold_of(question, train, [make_slide("b", "q", measured=measured, seed=9)])
    values = np.nan_to_num(fold.fitted.transform(fold.test[0]))
    found = score(fold, PRIMARY, partial_spearman_gene, values)
    expected = {name: "gene_missing" if name == "ADIPOCYTE" else "" for name in fold.task.classes}
    assert dict(zip(found.labels.tolist(), found.reasons.tolist(), strict=True)) == expected


def test_the_ceiling_is_the_agreement_of_two_halves(fold):
    slide = fold.test[0]
    pairs = list(islice(fold.question.repeats(slide, fold, fold.truth(slide)), 10))
    found = [score(fold, PRIMARY, partial_spearman_gene, p["b"], truth).values.mean() for truth, p in pairs]
    assert 0.2 < np.mean(found) < 0.95
