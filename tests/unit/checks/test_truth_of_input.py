"""Q37: regions that are a function of what models are given, and regions that are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import cohen_kappa_score

from pytest_stbench.checks.circular_truth import _kappa, truth_of_input
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.kernels.clustering import kmeans
from pytest_stbench.kernels.domains import components

SIDE, GENES = 16, 30


class Slides:
    """The part of the measured slides that is looked at."""

    def __init__(self, *slides):
        self._slides = slides

    def slides(self):
        return iter(self._slides)


def slide(name, *, regions=None, embedding=None, seed=0):
    """A square of two halves, with expression that tells them in part and scattered cells in both."""
    rng = np.random.default_rng(seed)
    xy = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2) * 100.0
    half = (xy[:, 0] >= xy[:, 0].mean()).astype(int)
    scattered = rng.random(len(xy)) < 0.3
    rates = np.full((len(xy), GENES), 4.0)
    rates[:, :5] += 2.0 * half[:, None]
    rates[:, 10:20] += 12.0 * scattered[:, None]
    counts = csr_matrix(rng.poisson(rates))
    made = Slide(
        meta=SlideMeta(slide_id=name, patient_id=name, resolution="spot", pitch_um=100.0),
        unit_names=np.array([f"{name}u{i:03d}" for i in range(len(xy))]),
        genes=np.array([f"G{i:02d}" for i in range(GENES)]),
        counts=counts,
        measured=np.ones(GENES, bool),
        libsize=np.asarray(counts.sum(axis=1), float).ravel(),
        n_detected=np.diff(counts.indptr),
        xy_um=xy,
    )
    if regions == "clusters":
        drawn = kmeans(components(made.counts, made.libsize, made.genes), 2, (0,))[0]
    else:
        drawn = half
    labels = np.array([("tumour", "stroma")[code] for code in drawn], dtype=object)
    return replace(made, labels={"niche": labels}, embedding=None if embedding is None else embedding(made))


def judged(*slides, given=("counts",), **settings):
    return truth_of_input(Slides(*slides), given=given, **{"regions": "niche", **settings})


def test_drawn_regions_pass():
    found = judged(slide("a"), slide("b", seed=1))
    assert found.status == "pass", found.message
    assert found.statistic < 0


def test_clusters_of_the_counts_are_seen():
    found = judged(slide("a", regions="clusters"), slide("b", regions="clusters", seed=1))
    assert found.status == "warn"
    assert "made of the counts that models are given" in found.message
    assert "trust: silver" in found.fix
    assert set(found.slides) == {"a", "b"}


def test_neither_the_order_of_units_nor_of_genes_matters():
    made = slide("a", regions="clusters")
    rng = np.random.default_rng(3)
    order = rng.permutation(made.n_units)
    assert judged(made.select(order)).statistic == pytest.approx(judged(made).statistic, abs=1e-9)


def test_clusters_of_counts_are_no_fault_where_models_get_the_image():
    found = judged(slide("a", regions="clusters"), given=("image",))
    assert found.status == "pass"
    assert "given nothing that regions could have been made of" in found.message


def test_an_embedding_of_the_expression_behind_the_domains_is_seen():
    def of_expression(made):
        return components(made.counts, made.libsize, made.genes).astype(np.float32)

    def of_places(made):
        return (made.xy_um / 100).astype(np.float32)

    settings = {"given": ("image",), "regions": "", "domains": 2}
    assert judged(slide("a", embedding=of_expression), **settings).status == "warn"
    assert judged(slide("a", embedding=of_places), **settings).status == "pass"
    assert judged(slide("a"), **settings).status == "pass"


def test_a_declared_algorithm_is_not_looked_for():
    found = judged(slide("a", regions="clusters"), silver=True)
    assert (found.status, "declared" in found.message) == ("pass", True)


def test_families_without_regions_pass():
    assert judged(slide("a"), regions="").status == "pass"


@pytest.mark.parametrize(
    "labels", [np.full(SIDE**2, None, dtype=object), np.full(SIDE**2, "tumour", dtype=object)]
)
def test_slides_without_two_classes_cannot_be_judged(labels):
    found = judged(replace(slide("a"), labels={"niche": labels}))
    assert found.status == "skip"
    assert judged().status == "skip"


def test_large_slides_are_judged_by_a_sample(monkeypatch):
    monkeypatch.setattr("pytest_stbench.checks.circular_truth.MAX_UNITS", 120)
    assert judged(slide("a", regions="clusters")).status == "warn"
    assert judged(slide("a")).status == "pass"


@pytest.mark.parametrize("first", range(0, 240, 40))
def test_a_class_of_which_a_sample_has_hardly_any_is_left_out(monkeypatch, first):
    monkeypatch.setattr("pytest_stbench.checks.circular_truth.MAX_UNITS", 60)
    labels = np.full(SIDE**2, "stroma", dtype=object)
    labels[first : first + 10] = "tumour"
    assert judged(replace(slide("a"), labels={"niche": labels})).status == "skip"


def test_kappa_is_that_of_sklearn():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 4, 200), rng.integers(0, 3, 200)
    assert _kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))
    assert _kappa(one, one) == 1.0
    assert _kappa(np.zeros(4, int), np.zeros(4, int)) == 0.0
