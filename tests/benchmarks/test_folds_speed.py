"""Fits of all folds of a split by patient: sums of slides made once, in every fold, and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold

from pytest_stbench.baselines import slide_sums
from pytest_stbench.baselines.classifier import MAX_GROUPS
from pytest_stbench.baselines.gene_gene_ridge import GeneGeneRidge
from pytest_stbench.data.inputs import TaskInfo
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.kernels.ridge import RELATIVE_ALPHAS
from pytest_stbench.preprocess.fitted import FittedPreprocess

N_GENES, ASKED = 300, np.arange(240, 270)
GENES = np.array([f"GENE{number:03d}" for number in range(N_GENES)])
OBSERVED = np.arange(240)
SCALE = 100.0


def slide(number, n):
    rng = np.random.default_rng(number)
    shared = np.random.default_rng(0)
    rates = rng.gamma(1.0, 1.0, (n, 8)) @ (shared.gamma(0.3, 1.0, (8, N_GENES)) * 0.15)
    counts = csr_matrix(rng.poisson(rates).astype(np.int32))
    size = np.asarray(counts.sum(axis=1)).ravel().astype(float)
    return Slide(
        meta=SlideMeta(slide_id=f"s{number}", patient_id=f"p{number:02d}", resolution="cell"),
        unit_names=np.arange(n).astype(str), genes=GENES, measured=np.ones(N_GENES, bool), counts=counts,
        libsize=np.maximum(size, 1.0), n_detected=np.diff(counts.indptr), xy_um=rng.uniform(0, 5000, (n, 2)),
    )  # fmt: skip


@pytest.fixture(params=[6, 24], ids=["6 patients", "24 patients"])
def slides(request, sized):
    return [slide(number, sized(30_000) // request.param) for number in range(request.param)]


def folds(slides):
    task = TaskInfo(
        name="t", family="imputation", genes=tuple(GENES[ASKED].tolist()),
        observed_genes=tuple(GENES[OBSERVED].tolist()), normalise="log1p_median", target_sum=SCALE, seed=0,
        resolution="cell",
    )  # fmt: skip
    fitted = FittedPreprocess(
        genes=task.genes, columns=ASKED, places={}, normalise="log1p_median", target_sum=SCALE,
        share=np.ones(N_GENES) / N_GENES, counted={},
    )  # fmt: skip
    for left_out in slides:
        train = tuple(one for one in slides if one is not left_out)
        yield FoldData(
            task=task, question=ImputationQuestion(), fitted=fitted, observed=OBSERVED, train=train,
            test=(left_out,), counted={},
        )  # fmt: skip


def fit_all(slides):
    found = []
    for fold in folds(slides):
        model = GeneGeneRidge()
        model.fit(fold.later_inputs(), fold.task)
        found.append(model.ridge.coef)
    return found


def anew(slides):
    """Forget what earlier rounds kept: slides that are equal and not the same."""
    slide_sums._KEPT = slide_sums._KeptSums(slide_sums.MOST_BYTES)
    return (slides,), {}


def timed(benchmark, function, slides, rounds=3):
    return benchmark.pedantic(function, setup=lambda: anew(slides), rounds=rounds)


@pytest.mark.benchmark(group="LOPO fits, 30,000 cells x 300 genes")
def test_fits_with_sums_made_once(benchmark, slides):
    assert len(timed(benchmark, fit_all, slides)) == len(slides)


@pytest.mark.benchmark(group="LOPO fits, 30,000 cells x 300 genes")
def test_fits_with_sums_made_in_every_fold(benchmark, slides, monkeypatch):
    anew(slides)
    once = fit_all(slides)
    monkeypatch.setattr(slide_sums, "origin_of", lambda _: None)
    found = timed(benchmark, fit_all, slides, rounds=1)
    for one, other in zip(found, once, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


# Of 24 patients it would take minutes: six show the factor.
@pytest.mark.parametrize("slides", [6], indirect=True, ids=["6 patients"])
@pytest.mark.benchmark(group="LOPO fits, 30,000 cells x 300 genes")
def test_fits_of_sklearn(benchmark, slides):
    """The same choice of the penalty in the same five groups of patients, on features made beforehand."""

    def scaled(columns):
        return [np.log1p(one.counts[:, columns].toarray() * (SCALE / one.libsize)[:, None]) for one in slides]

    features, targets = scaled(OBSERVED), scaled(ASKED)

    def search_all():
        found = []
        for left_out in range(len(slides)):
            train = [number for number in range(len(slides)) if number != left_out]
            x, y = (np.concatenate([table[number] for number in train]) for table in (features, targets))
            groups = np.repeat(train, [len(features[number]) for number in train])
            level = np.mean(((x - x.mean(axis=0)) ** 2).sum(axis=0))
            grid = {"alpha": list(np.array(RELATIVE_ALPHAS) * level)}
            search = GridSearchCV(Ridge(), grid, cv=GroupKFold(MAX_GROUPS), scoring="neg_mean_squared_error")
            found.append(search.fit(x, y, groups=groups).best_estimator_.coef_)
        return found

    assert len(benchmark.pedantic(search_all, rounds=1)) == len(slides)
