from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess.gene_scores import normalised_dispersion
from pytest_stbench.preprocess.genes import dispersed

FLAVOURS = ("seurat", "cell_ranger")
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def slide(make_slide):
    """100 units and 120 genes of different means; gene 7 varies most for its mean."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 3.0, 120) + 0.3
    counts = rng.poisson(rates, (100, 120))
    counts[:, 7] = np.where(rng.random(100) < 0.2, 5 * rates[7], 0).astype(int)
    return make_slide(counts)


def by_hand(slide, flavour):
    """The published formulas, gene by gene, without scanpy."""
    counts = slide.counts.toarray()
    values = counts / slide.libsize[:, None] * 1e4
    values = values if flavour == "seurat" else np.log1p(values)
    mean = values.mean(axis=0)
    mean[mean == 0] = 1e-12
    dispersion = values.var(axis=0, ddof=1) / mean
    if flavour == "seurat":
        dispersion[dispersion == 0] = np.nan
        dispersion, mean = np.log(dispersion), np.log1p(mean)
        width = (mean.max() - mean.min()) / 20
        edges = mean.min() + width * np.arange(21)
        edges[0] -= 0.001 * (mean.max() - mean.min())
    else:
        edges = np.r_[-np.inf, np.percentile(mean, np.arange(10, 105, 5)), np.inf]
    group = np.searchsorted(edges, mean, side="left")
    score = np.empty(len(mean))
    for gene in range(len(mean)):
        peers = dispersion[group == group[gene]]
        if flavour == "cell_ranger":
            middle = np.median(peers)
            spread = np.median(np.abs(peers - middle)) / 0.6744897501960817
        elif len(peers) == 1:
            middle, spread = 0.0, peers[0]
        else:
            middle, spread = peers.mean(), peers.std(ddof=1)
        score[gene] = (dispersion[gene] - middle) / spread
    return score


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_is_the_published_formula(slide, flavour):
    score = normalised_dispersion(slide, flavour, None)
    np.testing.assert_allclose(score, by_hand(slide, flavour), rtol=1e-6)
    assert np.argmax(score) == 7


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_genes_that_are_not_there_change_nothing(slide, flavour):
    wider = replace(
        slide,
        genes=np.append(slide.genes, ["NOT_MEASURED", "NEVER_SEEN"]),
        measured=np.append(slide.measured, [False, True]),
        counts=csr_matrix(np.hstack([slide.counts.toarray(), np.array([[9, 0]] * slide.n_units)])),
    )
    score = normalised_dispersion(wider, flavour, None)
    assert np.isnan(score[-2:]).all()
    np.testing.assert_array_equal(score[:-2], normalised_dispersion(slide, flavour, None))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_order_of_units_does_not_matter(slide, flavour):
    order = np.random.default_rng(1).permutation(slide.n_units)
    turned = replace(slide, counts=slide.counts[order], libsize=slide.libsize[order])
    np.testing.assert_allclose(
        normalised_dispersion(turned, flavour, None), normalised_dispersion(slide, flavour, None), rtol=1e-9
    )


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_slide_of_one_unit_scores_nothing(make_slide, flavour):
    assert np.isnan(normalised_dispersion(make_slide(np.ones((1, 30), int)), flavour, None)).all()


def test_genes_of_one_mean_cannot_be_binned_by_percentiles(make_slide):
    with pytest.raises(DataError, match=r"30 genes cannot be put into the bins of 'cell_r.*: hvg"):
        normalised_dispersion(make_slide(np.ones((10, 30), int)), "cell_ranger", None)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_highest_mean_over_the_slides_is_taken(slide, flavour):
    chosen = dispersed([slide, slide], 5, 0.1, flavour, None)
    score = normalised_dispersion(slide, flavour, None)
    seen = np.diff(slide.counts.tocsc().indptr) >= 0.1 * slide.n_units
    assert chosen.columns.tolist() == sorted(np.flatnonzero(seen), key=lambda gene: -score[gene])[:5]
    assert chosen.counted["genes_selected"] == 5


def test_a_task_names_the_flavour(slide):
    from pytest_stbench.preprocess.fitted import fit_preprocess
    from pytest_stbench.spec.model import GenesSpec, PreprocessSpec

    for flavour in FLAVOURS:
        spec = PreprocessSpec(genes=GenesSpec(select=f"hvg_{flavour}", n=5))
        fitted = fit_preprocess([slide], spec)
        expected = dispersed([slide], 5, 0.1, flavour, fitted.target_sum)
        assert fitted.columns.tolist() == expected.columns.tolist()
    assert "scanpy" in sys.modules
