from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.overlap import expected_jaccard, rank_biased_overlap

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    ("candidates", "first", "second", "expected"),
    [
        (50, 10, 10, 0.115740),
        (200, 50, 50, 0.143918),
        (1000, 50, 50, 0.025887),
        (2000, 50, 50, 0.012783),
        (200, 50, 30, 0.104465),
        (10, 10, 10, 1.0),
        (10, 10, 4, 0.4),
        (10, 0, 4, 0.0),
        (0, 0, 0, 0.0),
    ],
)
def test_golden_expectations(candidates, first, second, expected):
    assert expected_jaccard(candidates, first, second) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_expectation_is_that_of_the_hypergeometric_distribution(data):
    candidates = data.draw(st.integers(1, 3000))
    first, second = (data.draw(st.integers(1, candidates)) for _ in range(2))
    k = np.arange(min(first, second) + 1)
    weight = stats.hypergeom(candidates, first, second).pmf(k)
    expected = (weight * k / (first + second - k)).sum()
    found = expected_jaccard(candidates, first, second)
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-12)
    assert found == pytest.approx(expected_jaccard(candidates, second, first), rel=1e-9)
    if second < candidates:
        # A longer list never lowers the expectation: headroom below the full length is headroom.
        assert expected_jaccard(candidates, first, second + 1) >= found - 1e-12


def test_the_expectation_is_the_mean_of_random_lists():
    rng = np.random.default_rng(0)
    sets = [(set(rng.permutation(30)[:8]), set(rng.permutation(30)[:12])) for _ in range(4000)]
    mean = np.mean([len(a & b) / len(a | b) for a, b in sets])
    assert expected_jaccard(30, 8, 12) == pytest.approx(mean, abs=0.006)


@pytest.mark.parametrize("sizes", [(5, 6, 1), (5, 1, 6), (5, -1, 2)])
def test_subsets_that_do_not_exist_are_refused(sizes):
    with pytest.raises(ValueError, match="do not exist: a subset has between 0 and all"):
        expected_jaccard(*sizes)


@pytest.mark.parametrize(
    ("second", "expected"),
    [("abcd", 1.0), ("bacd", 0.9), ("abef", 0.6085), ("a", 0.354250), ("efgh", 0.0), ("", 0.0)],
)
def test_golden_rank_biased_overlap(second, expected):
    assert rank_biased_overlap(list("abcd"), list(second), 0.9) == pytest.approx(expected, abs=1e-9)


def slow(first, second, p):
    k = len(first)
    common = [len(set(first[:d]) & set(second[:d])) for d in range(1, k + 1)]
    return common[-1] / k * p**k + (1 - p) / p * sum(x / d * p**d for d, x in enumerate(common, 1))


lists = st.lists(st.integers(0, 25), max_size=20, unique=True)


@settings(deadline=None, max_examples=100)
@given(lists.filter(bool), lists, st.floats(0.01, 0.99))
def test_rank_biased_overlap_follows_the_definition(first, second, p):
    found = rank_biased_overlap(first, second, p)
    assert found == pytest.approx(slow(first, second, p), abs=1e-12)
    assert -1e-12 <= found <= 1 + 1e-12
    assert rank_biased_overlap(first, first, p) == pytest.approx(1.0)
    assert rank_biased_overlap(first, second[: len(first)], p) == found


def test_an_empty_first_list_has_no_overlap_and_p_is_a_share():
    assert np.isnan(rank_biased_overlap([], ["a"]))
    for p in (0.0, 1.0, 1.5):
        with pytest.raises(ValueError, match="between 0 and 1, both excluded"):
            rank_biased_overlap(["a"], ["a"], p)
