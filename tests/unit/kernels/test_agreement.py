from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.agreement import holm, kendall_w

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def test_holm_of_a_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(p=p_values)
@settings(deadline=None, max_examples=60)
def test_holm_rejects_what_its_steps_reject(p):
    level = 0.025
    adjusted = holm(p)
    rejected = set()
    for rank, place in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[place] * (len(p) - rank) >= level:
            break
        rejected.add(place)
    assert {place for place, value in enumerate(adjusted) if value < level} == rejected
    assert all(value >= single for value, single in zip(adjusted, p, strict=True))
    assert max(adjusted) <= 1


def test_holm_keeps_the_chance_of_any_false_rejection():
    p = np.random.default_rng(0).random((20_000, 5))
    found = np.mean([min(holm(row)) < 0.025 for row in p.tolist()])
    assert found <= 0.025 + 3 * math.sqrt(0.025 / 20_000)
    assert np.mean(p.min(axis=1) < 0.025) > 0.1, "without it"


def test_kendall_w_of_equal_and_turned_orders():
    same = {"a": {"x": 1.0, "y": 10.0}, "b": {"x": 2.0, "y": 20.0}, "c": {"x": 3.0, "y": 30.0}}
    assert kendall_w(same) == kendall_w(same, -1.0) == 1.0
    turned = {"a": {"x": 1.0, "y": 3.0}, "b": {"x": 2.0, "y": 2.0}, "c": {"x": 3.0, "y": 1.0}}
    assert kendall_w(turned) == 0.0
    assert kendall_w({"a": {"x": 1.0}, "b": {"x": 2.0}}) is None
    assert kendall_w({}) is None


def test_kendall_w_follows_friedman():
    table = np.random.default_rng(1).random((6, 4))
    found = kendall_w({f"m{j}": {f"s{i}": table[i, j] for i in range(6)} for j in range(4)})
    assert found == pytest.approx(stats.friedmanchisquare(*table.T).statistic / (6 * 3))


@given(seed=st.integers(0, 10**6), n=st.integers(3, 6), m=st.integers(2, 6))
@settings(deadline=None, max_examples=50)
def test_w_agrees_with_its_definition(seed, n, m):
    table = np.random.default_rng(seed).integers(0, 4, (m, n)).astype(float)
    found = kendall_w({f"m{j}": {f"s{i}": table[i, j] for i in range(m)} for j in range(n)})
    ranks = np.array([stats.rankdata(row) for row in table])
    spread = ((ranks.sum(axis=0) - ranks.sum() / n) ** 2).sum()
    ties = sum((c**3 - c) for row in table for c in np.unique(row, return_counts=True)[1])
    below = m**2 * (n**3 - n) - m * ties
    if below > 0:
        assert found == pytest.approx(12 * spread / below)
        assert -1e-12 <= found <= 1 + 1e-12
    else:
        assert found is None
