"""What is left of a score on another technology, and under perturbed inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.metrics import (
    retained_fraction,
    robust_share,
    self_consistency,
    transfer_gap,
    transfer_score,
)

pytestmark = pytest.mark.filterwarnings("error")

NAN = float("nan")


def test_a_gap_is_the_score_within_minus_the_score_across():
    assert transfer_gap(0.7, 0.5).values[0] == pytest.approx(0.2)
    assert transfer_gap(0.3, 0.5).values[0] == pytest.approx(-0.2)
    # Of an error the lower one is the better one.
    assert transfer_gap(0.3, 0.5, down=True).values[0] == pytest.approx(0.2)


def test_a_score_is_higher_where_it_is_better():
    found = transfer_score(0.7, 0.5)
    assert (found.values[0], found.extras["within"][0]) == (0.5, 0.7)
    found = transfer_score(0.3, 0.5, down=True)
    assert (found.values[0], found.extras["within"][0]) == (-0.5, -0.3)


def test_without_a_score_there_is_no_gap():
    assert transfer_score(0.5, NAN).reasons.tolist() == ["no_headroom"]
    assert transfer_score(NAN, 0.5).values[0] == 0.5
    for within, across in ((NAN, 0.5), (0.5, NAN), (NAN, NAN)):
        assert transfer_gap(within, across).reasons.tolist() == ["no_headroom"]


CLEAN = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
THREE = {"a": CLEAN, "b": CLEAN, "c": CLEAN}


def retained(scores, trivial=0.2, *, down=False):
    return retained_fraction(CLEAN, THREE, scores=scores, trivial=trivial, down=down)


def test_what_is_retained_is_a_share_of_the_gain():
    found = retained({"": 0.6, "a": 0.6, "b": 0.4, "c": 0.1})
    np.testing.assert_allclose(found.values, [1.0, 0.5, -0.25])
    assert found.labels.tolist() == ["a", "b", "c"]
    assert found.extras["score"].tolist() == [0.6, 0.4, 0.1]
    down = retained({"": 0.6, "a": 0.6, "b": 0.8, "c": 1.1}, 1.0, down=True)
    np.testing.assert_allclose(down.values, [1.0, 0.5, -0.25])


@pytest.mark.parametrize("clean", [0.2, 0.219, 0.1, NAN])
def test_a_model_without_gain_has_nothing_to_retain(clean):
    found = retained({"": clean, "a": 0.6, "b": 0.4, "c": NAN})
    assert found.reasons.tolist() == ["no_headroom"] * 3
    assert retained({"": 0.221, "a": 0.2, "b": 0.2, "c": 0.2}).values[0] == pytest.approx(0)


def test_a_perturbed_score_without_value_is_the_models_fault():
    assert retained({"": 0.6, "a": 0.6, "b": NAN, "c": 0.4}).reasons.tolist() == ["", "pred_constant", ""]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 20), g=st.integers(1, 4))
def test_consistency_is_the_correlation_of_centred_values(seed, n, g):
    rng = np.random.default_rng(seed)
    clean, other = rng.normal(size=(2, n, g))
    found = self_consistency(clean, {"x": other, "same": clean, "moved": clean + 5})
    flat = [(values - values.mean(axis=0)).ravel() for values in (clean, other)]
    np.testing.assert_allclose(found.values, [np.corrcoef(*flat)[0, 1], 1.0, 1.0], atol=1e-9)
    order = rng.permutation(n)
    again = self_consistency(clean[order], {"x": other[order]}).values[0]
    assert again == pytest.approx(found.values[0], abs=1e-9)


def test_constants_agree_with_themselves_alone():
    constant = np.full((7, 2), 0.1, np.float32)
    found = self_consistency(
        constant, {"same": constant, "level": constant + 0.1, "other": CLEAN[:1] + constant}
    )
    assert found.values[0] == 1.0
    assert found.reasons.tolist() == ["", "pred_constant", "pred_constant"]
    assert self_consistency(np.zeros((0, 2)), {"x": np.zeros((0, 2))}).values[0] == 1.0
    varies = np.random.default_rng(0).normal(size=(7, 2))
    assert self_consistency(varies, {"flat": constant}).reasons.tolist() == ["pred_constant"]


EXPECTED = {"a": ("retained", 0.9), "b": ("consistency", 0.95), "c": ("same", 1e-3)}


def shares(perturbed, scores, trivial=0.0):
    return robust_share(CLEAN, perturbed, scores=scores, trivial=trivial, expected=EXPECTED)


@pytest.mark.parametrize(
    ("scores", "b", "c", "met"),
    [
        ({"": 1.0, "a": 0.9}, CLEAN, CLEAN + 0.9e-3, [1, 1, 1]),
        ({"": 1.0, "a": 0.89}, CLEAN, CLEAN + 1.1e-3, [0, 1, 0]),
        ({"": 1.0, "a": 1.2}, CLEAN[::-1], CLEAN - 1.1e-3, [1, 0, 0]),
        ({"": 1.0, "a": NAN}, np.zeros_like(CLEAN), CLEAN, [0, 0, 1]),
    ],
)
def test_a_robust_model_keeps_what_is_expected(scores, b, c, met):
    found = shares({"a": CLEAN, "b": b, "c": c}, {"b": 1.0, "c": 1.0, **scores})
    assert found.values.tolist() == met


def test_nothing_to_retain_judges_no_model_but_what_stays_the_same_does():
    found = shares(THREE, {"": 0.01, "a": 0.01, "b": 0.01, "c": 0.01})
    assert found.reasons.tolist() == ["no_headroom", "", ""]
    assert found.values[1:].tolist() == [1, 1]
    assert found.extras["measured"][2] == 0


@pytest.mark.parametrize(("clean", "reason"), [(0.02, ""), (0.0199, "no_headroom")])
def test_a_gain_of_two_hundredths_can_be_retained(clean, reason):
    matrix = np.ones((3, 2))
    found = retained_fraction(matrix, {"blur": matrix}, scores={"": clean, "blur": 0.01}, trivial=0.0)
    assert found.reasons.tolist() == [reason]


def test_a_limit_that_is_just_met_is_met():
    # (0.47 - 0.2) / (0.5 - 0.2) is 0.8999999999999999.
    scores = {"": 0.5, "a": 0.47, "b": 0.47, "c": 0.47}
    at_limit = {"a": CLEAN, "b": CLEAN, "c": (CLEAN + 1.0 + 1e-3) - 1.0}
    found = shares(at_limit, scores, trivial=0.2)
    assert found.values.tolist() == [1, 1, 1]
    assert shares({**at_limit, "c": CLEAN + 1.001e-3}, {**scores, "a": 0.4699}, trivial=0.2).values[0] == 0
    just = retained_fraction(CLEAN, {"a": CLEAN}, scores={"": 0.42, "a": 0.42}, trivial=0.4)
    assert 0.42 - 0.4 < 0.02
    assert just.reasons.tolist() == [""]
