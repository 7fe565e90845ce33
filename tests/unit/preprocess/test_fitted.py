from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess import fit_preprocess, normalise
from pytest_stbench.spec.model import GenesSpec, PreprocessSpec


def spec(**genes):
    return PreprocessSpec(genes=GenesSpec(**genes))


def test_svg_finds_the_patterned_genes(cohort):
    # Not scaled by library size: with twelve genes the others would fall where these rise.
    raw = fit_preprocess(cohort, PreprocessSpec(normalise="log1p", genes=GenesSpec(n=3)))
    assert set(raw.genes) == {"G000", "G001", "G002"}
    assert raw.genes == tuple(cohort[0].genes[raw.columns])


def test_small_panels_are_scaled_to_the_median_of_training_in_steps(cohort, nearest_step):
    fitted = fit_preprocess(cohort, spec(n=3))
    assert fitted.normalise == "log1p_median"
    median = np.median(np.concatenate([slide.libsize for slide in cohort]))
    assert fitted.target_sum == pytest.approx(nearest_step(median), rel=1e-12)


def test_nothing_of_a_test_slide_is_used(cohort, make_slide, make_counts):
    before = fit_preprocess(cohort[:3], spec(n=5))
    spoiled = make_slide(make_counts(9)[:, ::-1] * 50, slide="test")
    before.transform(spoiled)
    after = fit_preprocess(cohort[:3], spec(n=5))
    assert after.genes == before.genes
    assert after.target_sum == before.target_sum
    assert np.array_equal(after.share, before.share)


def test_transform_is_nan_where_not_measured(cohort, make_slide, make_counts):
    fitted = fit_preprocess(cohort, spec(n=4))
    lacking = fitted.columns[1]
    slide = make_slide(make_counts(5), measured=np.arange(12) != lacking)
    values = fitted.transform(slide)
    assert np.isnan(values).all(axis=0).tolist() == [False, True, False, False]
    expected = np.log1p(slide.counts.toarray() / slide.libsize[:, None] * fitted.target_sum)
    assert values[:, 0] == pytest.approx(expected[:, fitted.columns[0]])
    assert fitted.transform(slide, np.array([3])).shape == (100, 1)


def test_predicted_counts_use_the_share_of_the_asked_genes(cohort):
    fitted = fit_preprocess(cohort, spec(select="all"))
    assert fitted.share.sum() == pytest.approx(1.0)
    slide = cohort[0]
    assert fitted.from_counts(slide.counts.toarray()) == pytest.approx(fitted.transform(slide))
    some = fitted.columns[:4]
    level = fitted.from_counts(slide.counts[:, some].toarray(), some).mean()
    assert level == pytest.approx(fitted.transform(slide, some).mean(), abs=0.2)


@pytest.mark.parametrize("select", ["svg", "hvg", "all"])
def test_candidates_restrict_every_selection(cohort, select):
    candidates = np.array([2, 5, 11])
    fitted = fit_preprocess(cohort, spec(select=select), candidates=candidates)
    assert set(fitted.columns) == set(candidates)


def test_lists_and_signatures(cohort, make_slide, make_counts):
    assert fit_preprocess(cohort, spec(select="list", names=("G004", "G001"))).genes == ("G004", "G001")
    assert fit_preprocess(cohort, spec(select="list", file="x"), names=["G002"]).genes == ("G002",)
    with pytest.raises(DataError, match="needs `names` or `file`"):
        fit_preprocess(cohort, spec(select="list"))
    genes = ["CCL5", "CD8A", *(f"G{j}" for j in range(10))]
    fitted = fit_preprocess([make_slide(make_counts(0), genes=genes)], spec(select="signatures"))
    assert fitted.genes == ("CCL5", "CD8A")


def test_the_normalisation_of_the_file_wins(cohort):
    assert fit_preprocess(cohort, PreprocessSpec(normalise="log1p")).target_sum is None
    residuals = fit_preprocess(cohort, PreprocessSpec(normalise="pearson_residuals"))
    assert np.isfinite(residuals.transform(cohort[0])).all()


def test_slides_without_units_do_not_count(cohort):
    empty = cohort[0].select(np.zeros(100, bool))
    assert fit_preprocess([*cohort[1:], empty], spec()).genes == fit_preprocess(cohort[1:], spec()).genes
    with pytest.raises(DataError, match="no unit of the training slides"):
        fit_preprocess([empty], spec())


def test_statistics_are_computed_once_a_slide(cohort):
    cache = {}
    first = fit_preprocess(cohort, PreprocessSpec(normalise="log1p"), statistics=cache)
    kept = dict(cache)
    second = fit_preprocess(cohort[1:], PreprocessSpec(normalise="log1p"), statistics=cache)
    assert len(kept) == 4
    assert cache == kept
    assert set(first.genes) == set(second.genes)


@pytest.mark.parametrize("method", ["log1p", "log1p_cp10k", "pearson_residuals"])
@pytest.mark.parametrize("block", [1 << 20, 30])
def test_sums_are_those_of_the_truth(cohort, make_slide, make_counts, method, block, monkeypatch):
    monkeypatch.setattr(normalise, "BLOCK_ELEMENTS", block)
    fitted = replace(fit_preprocess(cohort, spec(select="all")), normalise=method, target_sum=1e4)
    counts = make_counts(7).astype(np.float32)
    counts[3, 2], counts[8] = np.nan, 0
    slide = make_slide(counts, measured=np.arange(12) != 5, libsize=np.nansum(counts, axis=1))
    values = fitted.transform(slide)
    known = ~np.isnan(values)
    whole = np.stack([np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)])
    for columns in ([4, 1, 2], [1, 5, 4, 2]):
        part = replace(fitted, columns=np.array(columns))
        np.testing.assert_array_equal(part.sums(slide), whole[:, columns])


def test_sums_are_made_once_for_a_slide_and_a_scale(cohort, monkeypatch):
    fitted = fit_preprocess(cohort, spec(n=4))
    first = fitted.sums(cohort[0])
    other = replace(fitted, target_sum=2 * fitted.target_sum)
    assert (other.sums(cohort[0])[0] > first[0]).all()
    monkeypatch.setattr("pytest_stbench.preprocess.fitted.value_sums", lambda *_: pytest.fail("made before"))
    np.testing.assert_array_equal(fitted.sums(cohort[0]), first)
