"""From cells to one number: seeds, then slides, then patients; every patient with the same weight."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.run.scores.pooling import difference_error, headline_error, pool_scores

NAN = math.nan


def test_patients_weigh_the_same_however_many_slides_they_have(make_cell, make_scores):
    """Simpson: on most slides 0.9, for most patients 0.1."""
    parts = [
        (make_cell("A"), make_scores({f"A{i}": 0.9 for i in range(1, 9)})),
        (make_cell("B"), make_scores({"B1": 0.1})),
        (make_cell("C"), make_scores({"C1": 0.1})),
    ]
    patients = {**{f"A{i}": "A" for i in range(1, 9)}, "B1": "B", "C1": "C"}
    pooled = pool_scores(parts, "rmse", patients)
    assert pooled.per_patient == pytest.approx({"A": 0.9, "B": 0.1, "C": 0.1})
    assert pooled.headline.value == pytest.approx(1.1 / 3)
    assert pooled.headline.value < mean(pooled.per_slide.values()) / 2
    assert (pooled.headline.n_patients, pooled.headline.median) == (3, pytest.approx(0.1))
    assert (pooled.headline.min, pooled.headline.max) == (pytest.approx(0.1), pytest.approx(0.9))


def test_seeds_are_averaged_before_slides_and_patients(make_cell, make_scores):
    parts = [
        (make_cell("A", seed=0, seeds=2), make_scores({"A1": 0.0, "A2": NAN})),
        (make_cell("A", seed=1, seeds=2), make_scores({"A1": 1.0, "A2": 0.8})),
        (make_cell("B", seed=0, seeds=2), make_scores({"B1": 0.2})),
        (make_cell("B", seed=1, seeds=2), make_scores({"B1": 0.4})),
    ]
    pooled = pool_scores(parts, "rmse", {"A1": "A", "A2": "A", "B1": "B"})
    assert pooled.per_slide == pytest.approx({"A1": 0.5, "A2": 0.8, "B1": 0.3})
    assert pooled.per_patient == pytest.approx({"A": 0.65, "B": 0.3})
    assert pooled.per_patient["A"] != pytest.approx(mean([0.0, 1.0, 0.8])), "slides, not slides times seeds"
    assert pooled.headline.value == pytest.approx(0.475)
    seed_0, seed_1 = (0.0 + 0.2) / 2, (0.9 + 0.4) / 2
    assert pooled.seed_sd == pytest.approx(stdev([seed_0, seed_1]))
    assert pooled.n_units == 30, "each slide once"


def test_one_seed_has_no_spread(make_cell, make_scores):
    assert pool_scores([(make_cell(), make_scores({"A1": 1.0}))], "rmse", {"A1": "A"}).seed_sd is None


def test_nan_slides_leave_the_mean_and_nan_patients_are_counted(make_cell, make_scores):
    parts = [
        (make_cell("A"), make_scores({"A1": NAN, "A2": 0.4})),
        (make_cell("B"), make_scores({"B1": NAN})),
    ]
    pooled = pool_scores(parts, "rmse", {"A1": "A", "A2": "A", "B1": "B"})
    assert pooled.per_patient["A"] == 0.4
    assert math.isnan(pooled.per_patient["B"])
    assert (pooled.headline.value, pooled.headline.n_patients, pooled.headline.n_undefined) == (0.4, 1, 1)


def test_nothing_defined_is_nan_not_zero(make_cell, make_scores):
    pooled = pool_scores([(make_cell(), make_scores({"A1": NAN}))], "rmse", {"A1": "A"})
    assert math.isnan(pooled.headline.value)
    assert pooled.headline.n_patients == 0


def test_what_was_undefined_adds_up_by_reason(make_cell, make_scores):
    parts = [
        (
            make_cell("A"),
            make_scores(
                {"A1": 1.0}, undefined={"A1": {"gt_constant": 2, "pred_constant": 1}}, flags=("ties",)
            ),
        ),
        (make_cell("B"), make_scores({"B1": 1.0}, undefined={"B1": {"gt_constant": 3}}, flags=("ties",))),
    ]
    pooled = pool_scores(parts, "rmse", {"A1": "A", "B1": "B"})
    assert pooled.undefined == {"gt_constant": 5, "pred_constant": 1}
    assert pooled.flags == ("ties",)


def test_costs_and_sizes(make_cell, make_scores):
    parts = [
        (make_cell("A"), make_scores({"A1": 1.0}, seconds=2.0, memory=50.0)),
        (make_cell("B"), make_scores({"B1": 1.0}, seconds=3.0, memory=None)),
    ]
    pooled = pool_scores(parts, "rmse", {"A1": "A", "B1": "B"})
    assert (pooled.seconds, pooled.peak_memory_mb, pooled.n_genes) == (5.0, 50.0, 5)
    nothing = [(make_cell("A"), make_scores({"A1": 1.0}, seconds=None, memory=None))]
    assert pool_scores(nothing, "rmse", {"A1": "A"}).seconds is None
    other = [*parts, (make_cell("C"), make_scores({"C1": 1.0}, n_genes=6))]
    assert pool_scores(other, "rmse", {"A1": "A", "B1": "B", "C1": "C"}).n_genes is None


@settings(deadline=None, max_examples=50)
@given(
    values=st.dictionaries(
        st.tuples(st.sampled_from("ABCD"), st.integers(1, 4)), st.floats(-1, 1), min_size=1, max_size=12
    ),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_cells_does_not_matter(values, order):
    from pytest_stbench.metrics.aggregate import SlideValue
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.scores.scoring import CellScores
    from pytest_stbench.splits.table import Fold

    def part(patient, number, value):
        slide = f"{patient}{number}"
        cell = Cell(
            dataset="d",
            variant="",
            view="d",
            split="s",
            fold=Fold(name=slide, train=(), test=(slide,)),
            seed=0,
        )
        found = {"m": {slide: SlideValue(value=value, n_total=1, n_valid=1)}}
        return cell, CellScores(
            values=found, n_units={slide: 3}, n_genes={"m": 1}, seconds=None, peak_memory_mb=None
        )

    parts = [part(*key, value) for key, value in values.items()]
    patients = {f"{patient}{number}": patient for patient, number in values}
    first = pool_scores(parts, "m", patients)
    order.shuffle(parts)
    second = pool_scores(parts, "m", patients)
    by_hand = mean(
        mean(v for (p, _), v in values.items() if p == patient) for patient in {p for p, _ in values}
    )
    assert first.headline.value == pytest.approx(second.headline.value, abs=1e-12)
    assert first.headline.value == pytest.approx(by_hand, abs=1e-12)


PATIENTS = {"A1": "A", "A2": "A", "B1": "B", "C1": "C"}


def test_the_error_of_a_headline_weighs_slides_as_the_headline_does():
    values = {"A1": 0.5, "A2": 0.7, "B1": 0.2, "C1": NAN}
    errors = {"A1": 0.04, "A2": 0.02, "B1": 0.05, "C1": 9.0}
    expected = math.hypot(0.04 / 2, 0.02 / 2, 0.05) / 2
    assert headline_error(errors, values, PATIENTS) == pytest.approx(expected)
    assert headline_error({**errors, "A1": NAN}, values, PATIENTS) == pytest.approx(
        math.hypot(0.02 / 2, 0.05) / 2
    )
    assert headline_error({}, values, PATIENTS) is None
    assert headline_error({"A1": 0.1}, dict.fromkeys(values, NAN), PATIENTS) is None


def with_effects(scores, effects):
    (metric,) = scores.values
    for slide, draws in effects.items():
        scores.values[metric][slide] = replace(scores.values[metric][slide], effects=draws)
    return scores


def test_draws_that_move_two_models_alike_leave_no_error_to_their_difference(make_cell, make_scores):
    rng = np.random.default_rng(0)
    draws = {slide: rng.normal(0, 0.1, 30) for slide in PATIENTS}
    values = {"A1": 0.5, "A2": 0.7, "B1": 0.2, "C1": 0.4}

    def pooled(factor):
        effects = {slide: tuple((factor * found).tolist()) for slide, found in draws.items()}
        return pool_scores([(make_cell("A"), with_effects(make_scores(values), effects))], "rmse", PATIENTS)

    one, same, more = pooled(1.0), pooled(1.0), pooled(1.25)
    own = {slide: found.std(ddof=1) / math.sqrt(30) for slide, found in draws.items()}
    assert one.error == pytest.approx(headline_error(own, values, PATIENTS))
    assert difference_error(one, same, PATIENTS) == 0
    assert difference_error(more, one, PATIENTS) == pytest.approx(one.error / 4)
    plain = pool_scores([(make_cell("A"), make_scores(values))], "rmse", PATIENTS)
    assert plain.error is None
    assert difference_error(one, plain, PATIENTS) is None


def test_seeds_share_their_draws(make_cell, make_scores):
    parts = [
        (make_cell("A", seed=0, seeds=2), with_effects(make_scores({"A1": 0.0}), {"A1": (0.1, -0.1)})),
        (make_cell("A", seed=1, seeds=2), with_effects(make_scores({"A1": 1.0}), {"A1": (0.3, -0.3)})),
    ]
    pooled = pool_scores(parts, "rmse", {"A1": "A"})
    assert pooled.effects == {"A1": (pytest.approx(0.2), pytest.approx(-0.2))}
