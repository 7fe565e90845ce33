from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.preprocess import gene_scores as module
from pytest_stbench.preprocess.gene_scores import coexpression_strength
from pytest_stbench.preprocess.genes import coexpressed
from pytest_stbench.preprocess.normalise import normalise_counts

from .conftest import build_slide


def by_loop(slide, columns, method="log1p_cp10k", scale=1e4):
    """The definition, gene by gene, with a regression of its own."""
    values = normalise_counts(slide.counts, slide.libsize, columns, method, scale)
    design = np.column_stack([np.ones(slide.n_units), np.log(slide.libsize)])
    residuals = [y - design @ np.linalg.lstsq(design, y, rcond=None)[0] for y in values.T]
    means = []
    for i, own in enumerate(residuals):
        others = [np.corrcoef(own, other)[0, 1] for j, other in enumerate(residuals) if j != i]
        means.append(np.mean(sorted(others)[-5:]))
    return np.array(means)


def module_counts(seed=0, n=200):
    """Genes 0-5 follow one hidden programme, 6-9 follow depth alone, the others nothing."""
    rng = np.random.default_rng(seed)
    programme, depth = rng.normal(size=(2, n, 1))
    log_rate = np.zeros((n, 16)) + np.log(20.0)
    log_rate[:, :6] += 0.6 * programme
    return rng.poisson(np.exp(log_rate + 0.4 * depth))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_it_is_the_mean_of_the_five_largest_partial_correlations(seed):
    slide = build_slide(module_counts(seed, n=60))
    columns = np.array([0, 3, 4, 5, 8, 9, 12, 15])
    found = coexpression_strength(slide, columns, "log1p_cp10k", 1e4)
    np.testing.assert_allclose(found, by_loop(slide, columns), atol=1e-10)


def test_blocks_do_not_matter(make_slide, monkeypatch):
    slide = make_slide(module_counts())
    whole = coexpression_strength(slide, np.arange(16), "log1p", None)
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 40)
    np.testing.assert_allclose(coexpression_strength(slide, np.arange(16), "log1p", None), whole, atol=1e-12)


def test_genes_that_share_only_depth_are_no_module(make_slide):
    depth = np.random.default_rng(0).normal(size=(2, 200, 1))[1]
    slide = make_slide(module_counts(), libsize=5000 * np.exp(0.4 * depth[:, 0]))
    strength = coexpression_strength(slide, np.arange(16), "log1p", None)
    assert strength[:6].min() > 0.4
    assert strength[6:].max() < 0.3, "the largest of fifteen chance correlations over 200 units"


def test_few_partners_and_genes_that_do_not_vary(make_slide):
    counts = module_counts()
    counts[:, 1] = 0
    slide = make_slide(counts)
    strength = coexpression_strength(slide, np.array([0, 1, 2]), "log1p_cp10k", 1e4)
    assert np.isnan(strength[1])
    assert strength[0] == pytest.approx(strength[2]), "each is the only partner of the other"
    alone = coexpression_strength(slide, np.array([0, 1]), "log1p_cp10k", 1e4)
    assert np.isnan(alone).all()


def test_a_slide_of_few_units_says_nothing(make_slide):
    slide = make_slide(module_counts(n=9))
    assert np.isnan(coexpression_strength(slide, np.arange(16), "log1p", None)).all()


def test_equal_depth_is_no_reason_to_fail(make_slide):
    slide = make_slide(module_counts(), libsize=np.full(200, 64.0))
    assert np.isfinite(coexpression_strength(slide, np.arange(16), "log1p_cp10k", 1e4)).all()


def test_the_module_is_chosen_whatever_its_variance(make_slide):
    slides = [make_slide(module_counts(seed), slide=f"s{seed}") for seed in (1, 2)]
    chosen = coexpressed(slides, 6, 0.1, "log1p_cp10k", 1e4)
    assert set(chosen.columns.tolist()) == set(range(6))
    assert chosen.counted["genes_ranked_below_n"] == 10
    assert coexpressed(slides, 50, 0.1, "log1p_cp10k", 1e4, np.arange(4)).columns.tolist() != []


def test_a_slide_that_lacks_a_gene_does_not_count_for_it(make_slide):
    counts = module_counts()
    measured = np.ones(16, bool)
    measured[0] = False
    hidden = counts.copy()
    hidden[:, 0] = 0
    slides = [make_slide(counts), make_slide(hidden, slide="s2", measured=measured)]
    assert 0 in coexpressed(slides, 6, 0.1, "log1p_cp10k", 1e4).columns
