"""Sums of a training slide are made once, and every fold gets what it would have computed itself."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.baselines import counts, slide_sums
from pytest_stbench.baselines.coords import Coords
from pytest_stbench.baselines.gene_gene_ridge import GeneGeneRidge
from pytest_stbench.baselines.pca_ridge import PcaRidge
from pytest_stbench.baselines.smooth import Smooth
from pytest_stbench.data.holding import Holding
from pytest_stbench.data.inputs import TaskInfo
from pytest_stbench.data.origins import origin_of
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.coexpression.ask import CoexpressionQuestion
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.preprocess.fitted import FittedPreprocess
from pytest_stbench.preprocess.normalise import target_sum

N_GENES, OBSERVED = 24, np.arange(16)
GENES = np.array([f"G{number:02d}" for number in range(N_GENES)])
NORMALISATIONS = ("log1p_median", "pearson_residuals", "log1p", "log1p_cp10k", "log1p_median")
NO_LAST = np.arange(N_GENES) != N_GENES - 1


def slide(number, seed=1, measured=None):
    """Return a slide of 90 cells, as deep as the others of its seed."""
    shared, rng = np.random.default_rng(seed), np.random.default_rng((seed, number))
    n = 90
    rates = shared.gamma(1.0, 1.0, (n, 4)) @ shared.gamma(0.5, 2.0, (4, N_GENES))
    drawn = rng.poisson(rates).astype(np.int64)
    drawn[:, ~measured if measured is not None else np.zeros(N_GENES, bool)] = 0
    return Slide(
        meta=SlideMeta(slide_id=f"s{number}", patient_id=f"p{number}", resolution="cell"),
        unit_names=np.array([f"{number}_{i}" for i in range(n)]),
        genes=GENES,
        measured=np.ones(N_GENES, bool) if measured is None else measured,
        counts=csr_matrix(drawn),
        libsize=np.maximum(drawn.sum(axis=1), 1).astype(np.float64),
        n_detected=(drawn > 0).sum(axis=1),
        xy_um=rng.uniform(0, 3000, (n, 2)),
        embedding=rng.normal(size=(n, 12)).astype(np.float32),
    )


@pytest.fixture
def slides():
    """Five patients, of whom the last lacks a gene."""
    return [*(slide(number) for number in range(4)), slide(4, measured=NO_LAST)]


def fold(slides, left_out, targets, question=None, normalise="log1p_median", observed=OBSERVED):
    train = tuple(s for number, s in enumerate(slides) if number != left_out)
    columns = np.array(targets, dtype=np.intp)
    genes, scale = tuple(GENES[columns].tolist()), target_sum(normalise, train)
    task = TaskInfo(
        name="t", family="imputation", genes=genes, observed_genes=tuple(GENES[observed].tolist()),
        normalise=normalise, target_sum=scale, seed=0, resolution="cell",
    )  # fmt: skip
    fitted = FittedPreprocess(
        genes=genes, columns=columns, places={}, normalise=normalise, target_sum=scale,
        share=np.ones(N_GENES) / N_GENES, counted={},
    )  # fmt: skip
    return FoldData(
        task=task, question=question or ImputationQuestion(), fitted=fitted, observed=observed, train=train,
        test=(slides[left_out],), counted={},
    )  # fmt: skip


FOLDS = [(0, [16, 17, 18, 23]), (1, [16, 17, 18, 23]), (2, [18, 17, 20]), (3, [23, 22, 21]), (4, [16, 19])]


def fitted(baseline, fold):
    model = baseline()
    model.fit(fold.later_inputs(), fold.task)
    return model.ridge


@pytest.mark.parametrize("baseline", [GeneGeneRidge, Smooth, PcaRidge, Coords])
@pytest.mark.parametrize("few", [0, 512], ids=["asked genes alone", "all genes of the panel"])
def test_every_fold_has_the_fit_of_its_own_data(slides, baseline, few, monkeypatch):
    monkeypatch.setattr("pytest_stbench.families.fold.FEW_GENES", few)
    kept = [fitted(baseline, fold(slides, *one)) for one in FOLDS]
    monkeypatch.setattr(slide_sums, "origin_of", lambda _: None)
    for one, other in zip(kept, (fitted(baseline, fold(slides, *one)) for one in FOLDS), strict=True):
        assert one.alpha == other.alpha
        close = {"rel": 1e-4, "abs": 1e-6} if baseline is PcaRidge else {"rel": 1e-6, "abs": 1e-9}  # float32
        assert one.coef == pytest.approx(other.coef, **close)
        assert one.intercept == pytest.approx(other.intercept, **close)
        assert one.fitted.tolist() == other.fitted.tolist()


def any_folds(slides, count):
    """Yield folds of tasks in turns: other scales, genes and observed genes of the same slides, some cut."""
    rng = np.random.default_rng(5)
    cut = [one.select(np.arange(rng.integers(25, 60))) for one in slides]
    for number in range(count):
        observed = np.sort(rng.permutation(N_GENES)[: rng.integers(6, 18)])
        if number % 3 == 0:
            observed = OBSERVED
        hidden = rng.permutation(np.setdiff1d(np.arange(N_GENES), observed))
        yield fold(
            slides if number % 4 else cut, int(rng.integers(5)), hidden[: rng.integers(1, len(hidden) + 1)],
            normalise=NORMALISATIONS[number % 5], observed=observed,
        )  # fmt: skip


@pytest.mark.parametrize("baseline", [GeneGeneRidge, Smooth, Coords])
def test_tasks_in_turns_predict_what_each_would_alone(slides, baseline, monkeypatch):
    def predicted(one):
        model = baseline()
        model.fit(one.later_inputs(), one.task)
        return model.predict_expression(one.input(one.test[0]), one.genes)

    kept = [predicted(one) for one in any_folds(slides, 30)]
    monkeypatch.setattr(slide_sums, "origin_of", lambda _: None)
    monkeypatch.setattr(counts, "origin_of", lambda _: None)
    monkeypatch.setattr(FoldData, "later_inputs", FoldData.train_inputs)
    for one, found in zip(any_folds(slides, 30), kept, strict=True):
        assert found == pytest.approx(predicted(one), rel=1e-6, abs=1e-6)  # predictions are float32


class Counting(GeneGeneRidge):
    """Features of a class that is not the package's."""

    def features(self, slide):
        return super().features(slide)


class Powered(GeneGeneRidge):
    """A class that inherits ``features``, which calls what is not the package's and differs by fold."""

    def prepare(self, train, task):
        super().prepare(train, task)
        self.power = 1 + min(int(slide.meta.slide_id[1:]) for slide in train)

    def _normalised(self, slide):
        return super()._normalised(slide).power(self.power)


@pytest.fixture
def made(monkeypatch):
    """The slides of which features were computed."""
    found, normalised = [], GeneGeneRidge._normalised

    def noting(self, slide):
        found.append(slide.meta.slide_id)
        return normalised(self, slide)

    monkeypatch.setattr(GeneGeneRidge, "_normalised", noting)
    return found


def test_features_of_a_slide_are_made_once_for_all_folds_of_one_scale(slides, made):
    folds = [fold(slides, *one) for one in FOLDS]
    assert len({one.task.target_sum for one in folds}) == 1, "medians this close share a step"
    for one in folds:
        fitted(GeneGeneRidge, one)
    assert sorted(made) == ["s0", "s1", "s2", "s3", "s4"]


def test_another_scale_is_computed_anew(slides, made):
    one = fold(slides, 0, [16, 17])
    fitted(GeneGeneRidge, one)
    fitted(GeneGeneRidge, fold(slides, 0, [16, 17]))
    assert len(made) == 4, "equal data and scale: nothing is computed again"
    deeper = [slide(number, seed=7) for number in range(5)]
    fitted(GeneGeneRidge, fold(deeper, 0, [16, 17]))
    assert len(made) == 8


def test_features_of_somebody_else_are_never_kept(slides, made):
    for _ in range(2):
        fitted(Counting, fold(slides, 0, [16, 17]))
    assert len(made) == 8


def test_features_that_differ_by_fold_are_those_of_the_fold(slides, monkeypatch):
    kept = [fitted(Powered, fold(slides, *one)) for one in FOLDS[:2]]
    monkeypatch.setattr(slide_sums, "origin_of", lambda _: None)
    for one, other in zip(kept, (fitted(Powered, fold(slides, *one)) for one in FOLDS[:2]), strict=True):
        assert one.coef == pytest.approx(other.coef, rel=1e-6, abs=1e-9)


class Changing(ImputationQuestion):
    """A family of somebody else, which hands out counts of its own making."""

    def build_input(self, slide, fold):
        given = super().build_input(slide, fold)
        given.units.X = given.units.X.power(2)
        return given


class Below(CoexpressionQuestion):
    """A family of somebody else that is read out of what another one of theirs hands out."""

    def __init__(self):
        super().__init__()
        self.parent = Changing()


@pytest.mark.parametrize("question", [Changing, Below])
def test_nothing_is_kept_of_inputs_that_another_family_has_made(slides, made, question):
    plain = fitted(GeneGeneRidge, fold(slides, 0, [16, 17]))
    changed = fitted(GeneGeneRidge, fold(slides, 0, [16, 17], question()))
    assert len(made) == 8
    assert not np.allclose(plain.coef, changed.coef)
    assert origin_of(fold(slides, 0, [16, 17], question()).later_inputs()[0]) is None


def test_units_chosen_of_a_slide_are_another_slide(slides, made):
    whole = fold(slides, 0, [16, 17])
    fitted(GeneGeneRidge, whole)
    fewer = [part.select(np.arange(40)) for part in slides]
    few = fitted(GeneGeneRidge, fold(fewer, 0, [16, 17]))
    monkey = [part.select(np.arange(40)) for part in slides]
    again = fitted(GeneGeneRidge, fold(monkey, 0, [16, 17]))
    assert few.coef == pytest.approx(again.coef)
    assert len(made) == 12


def test_a_slide_that_is_gone_takes_its_sums_along(made, monkeypatch):
    kept = slide_sums._KeptSums(1 << 20)
    monkeypatch.setattr(slide_sums, "_KEPT", kept)
    slides = [slide(number) for number in range(5)]
    fitted(GeneGeneRidge, fold(slides, 0, [16, 17]))
    assert kept._held > 0
    del slides
    gc.collect()
    assert kept._held == 0
    assert len(kept._of) == 0


def test_what_finds_no_room_is_computed_and_not_kept(slides, made, monkeypatch):
    whole = fitted(GeneGeneRidge, fold(slides, 0, [16, 17]))
    monkeypatch.setattr(slide_sums, "_KEPT", slide_sums._KeptSums(0))
    for _ in range(2):
        assert fitted(GeneGeneRidge, fold(slides, 0, [16, 17])).coef == pytest.approx(whole.coef)
    assert len(made) == 12


@pytest.mark.parametrize("few", [0, 512], ids=["asked genes alone", "all genes of the panel"])
def test_sums_of_held_slides_are_put_aside_with_their_arrays(slides, made, monkeypatch, few):
    monkeypatch.setattr("pytest_stbench.families.fold.FEW_GENES", few)
    kept = slide_sums._KeptSums(0)
    monkeypatch.setattr(slide_sums, "_KEPT", kept)
    fits = [fitted(GeneGeneRidge, fold(slides, *one)) for one in FOLDS]
    assert not kept._of
    made.clear()
    holding = Holding(most_bytes=0)
    held = [holding.hold(slide(number, measured=NO_LAST if number == 4 else None)) for number in range(5)]
    for one, found in zip(FOLDS, fits, strict=True):
        again = fitted(GeneGeneRidge, fold(held, *one))
        assert again.coef == pytest.approx(found.coef, rel=1e-9, abs=1e-12)
    assert len(holding._here) <= 1
    assert not any(sums.arrays for by_key in kept._of.values() for sums in by_key.values())
    if few:
        assert sorted(made) == ["s0", "s1", "s2", "s3", "s4"]


def test_sums_of_features_that_a_fold_has_chosen_are_not_kept(slides, monkeypatch):
    kept = slide_sums._KeptSums(1 << 20)
    monkeypatch.setattr(slide_sums, "_KEPT", kept)
    monkeypatch.setattr("pytest_stbench.baselines.gene_gene_ridge.MOST_FEATURES", 8)
    monkeypatch.setattr("pytest_stbench.baselines.gene_gene_ridge.CHOSEN", 4)
    found = fitted(GeneGeneRidge, fold(slides, 0, [16, 17]))
    assert found.coef.shape == (4, 2)
    assert not kept._held


def test_a_product_made_block_by_block_is_the_product():
    rng = np.random.default_rng(3)
    left, right = (csr_matrix(rng.poisson(0.2, shape) * rng.random(shape)) for shape in ((500, 90), (90, 7)))
    product = slide_sums.SparseProduct(left, right)
    whole = (left @ right).toarray()
    blocks = [product[rows].toarray() for rows in (slice(0, 123), slice(123, 400), slice(400, 900))]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    np.testing.assert_array_equal(product[whole[:, 0] > 0].toarray(), whole[whole[:, 0] > 0])
    assert product.shape == whole.shape
    rows, dense = zip(*slide_sums.dense_blocks(product), strict=True)
    assert [rows[0].start, len(np.concatenate(dense))] == [0, 500]
