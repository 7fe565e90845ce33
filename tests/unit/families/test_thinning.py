from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.families.thinning import thinned_pairs

from .test_fold import counted_slide, fold_of

PAIRS = 10


@pytest.fixture
def slide():
    rng = np.random.default_rng(0)
    return counted_slide("s1", "p1", rng.poisson([40, 5, 300, 2], (60, 4)))


def pairs_of(slide, **changes):
    fold = fold_of(ImputationQuestion(), [slide], [slide])
    fold = replace(fold, fitted=replace(fold.fitted, **changes))
    return fold, list(islice(thinned_pairs(fold, slide, fold.truth(slide)), PAIRS))


def test_the_halves_add_up_to_the_counts(slide):
    _, pairs = pairs_of(slide, normalise="log1p")
    assert len(pairs) == PAIRS
    for truth, prediction in pairs:
        total = np.expm1(truth.values) + np.expm1(prediction)
        np.testing.assert_allclose(total, slide.counts.toarray()[:, 1:], atol=1e-9)
        np.testing.assert_allclose(truth.counts.toarray(), np.expm1(truth.values), atol=1e-9)


def test_every_count_goes_either_way_with_equal_chance(slide):
    _, pairs = pairs_of(slide, normalise="log1p")
    shares = [np.expm1(prediction).sum() / slide.counts[:, 1:].sum() for _, prediction in pairs]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.005)
    assert np.std(shares) > 0
    first = np.expm1(pairs[0][1])[:, 1]
    assert np.var(first - first.mean()) > 0


def test_each_half_is_normalised_by_its_own_library_size(slide):
    _, pairs = pairs_of(slide, normalise="log1p_cp10k", target_sum=1e4)
    for truth, prediction in pairs:
        second = np.expm1(truth.values) / 1e4 * truth.libsize[:, None]
        np.testing.assert_allclose(second, np.rint(second), atol=1e-8, err_msg="whole counts again")
        first_size = slide.libsize - truth.libsize
        first = np.expm1(prediction) / 1e4 * first_size[:, None]
        np.testing.assert_allclose(first + second, slide.counts.toarray()[:, 1:], atol=1e-8)


def test_genes_that_are_not_asked_are_part_of_the_library_size(slide):
    _, pairs = pairs_of(slide)
    for truth, _ in pairs:
        assert truth.libsize.mean() == pytest.approx(slide.libsize.mean() / 2, rel=0.05)


def test_it_is_the_same_every_time(slide):
    _, once = pairs_of(slide)
    _, again = pairs_of(slide)
    for (truth, prediction), (truth2, prediction2) in zip(once, again, strict=True):
        np.testing.assert_array_equal(truth.values, truth2.values)
        np.testing.assert_array_equal(prediction, prediction2)
    assert not np.array_equal(once[0][1], once[1][1])


def test_units_that_a_half_leaves_empty_take_no_part():
    counts = np.tile([1, 0, 0, 0], (200, 1))
    counts[:50] = 20
    _, pairs = pairs_of(counted_slide("s1", "p1", counts))
    for truth, prediction in pairs:
        assert len(truth.values) == len(prediction) == len(truth.units) == 50
        assert truth.surroundings.slide.n_units == 50


def test_neighbours_are_found_once_where_no_unit_is_left_out(slide):
    fold = fold_of(ImputationQuestion(), [slide], [slide])
    truth = fold.truth(slide)
    for target, _ in islice(thinned_pairs(fold, slide, truth), 3):
        assert target.surroundings is truth.surroundings


def test_what_was_not_measured_stays_unknown(slide):
    partly = replace(slide, measured=np.array([True, True, False, True]))
    _, pairs = pairs_of(partly)
    for truth, prediction in pairs:
        assert np.isnan(truth.values[:, 1]).all()
        assert np.isfinite(prediction).all(), "a prediction is finite, whatever was measured"
        assert np.isfinite(truth.values[:, [0, 2]]).all()


@pytest.mark.parametrize("spoilt", [0.5, np.nan])
def test_what_are_no_counts_cannot_be_split(slide, spoilt):
    counts = slide.counts.astype(float)
    counts[0, 1] = spoilt
    _, pairs = pairs_of(replace(slide, counts=counts.tocsr()))
    assert pairs == []


def test_there_are_pairs_whatever_the_genes_outside_the_task_hold(slide):
    """Units whose counts all lie in the genes of the task have nothing else to split."""
    counts = slide.counts.toarray()
    counts[:, 0] = 0
    _, pairs = pairs_of(replace(slide, counts=csr_matrix(counts), libsize=counts.sum(axis=1).astype(float)))
    assert len(pairs) == PAIRS


def test_counts_without_end_have_no_halves(slide):
    endless = slide.libsize.astype(float)
    endless[0] = np.inf
    _, pairs = pairs_of(replace(slide, libsize=endless))
    assert pairs == []


def test_there_are_two_hundred_pairs_at_most():
    counts = np.random.default_rng(1).poisson(3, (12, 4))
    slide = counted_slide("s1", "p1", counts)
    fold = fold_of(ImputationQuestion(), [slide], [slide])
    assert sum(1 for _ in thinned_pairs(fold, slide, fold.truth(slide))) == 200


def test_the_halves_of_a_gene_are_its_own_and_the_slides_whatever_else_is_asked(slide):
    def halves(asked, which=slide):
        fold = fold_of(ImputationQuestion(), [which], [which], targets=asked)
        fold = replace(fold, fitted=replace(fold.fitted, normalise="log1p"))
        return [
            {int(column): values for column, values in zip(asked, np.expm1(guess).T, strict=True)}
            for _, guess in islice(thinned_pairs(fold, which, fold.truth(which)), 3)
        ]

    few, many = halves([2]), halves([1, 2, 3])
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(one[2], other[2])
    elsewhere = replace(slide, meta=replace(slide.meta, slide_id="s2"))
    assert not np.array_equal(halves([2], elsewhere)[0][2], few[0][2])
