"""Values beside ceilings, and which fold is fitted again."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import pytest

from pytest_stbench.calls.contestants import Contestant
from pytest_stbench.errors import StbenchError
from pytest_stbench.run.quality.refit import in_fresh_process, per_patient_ceilings, refit
from pytest_stbench.run.scores.ceilings import Ceiling

PATIENTS = {"A1": "A", "A2": "A", "B1": "B", "C1": "C"}
FOLDS = ("A", "B", "C")


@pytest.fixture
def run_of(make_cell, make_scores):
    """A run of three folds with what model and simple baseline score on each, by seed."""

    def make(model, simple, ceilings=None, better="up", seeds=(0,)):
        cells = [make_cell(fold, seed=seed, seeds=len(seeds)) for fold in FOLDS for seed in seeds]
        first = cells[0]
        pool = SimpleNamespace(
            dataset=first.dataset, variant=first.variant, split=first.split, cells=tuple(cells)
        )

        def of(values):
            return lambda _who, cell: make_scores(values[cell.fold.name, cell.seed])

        def spread(values):
            return {
                (fold, seed): values[fold] if isinstance(values[fold], dict) else {f"{fold}1": values[fold]}
                for fold in FOLDS for seed in seeds
            } if next(iter(values)) in FOLDS else values  # fmt: skip

        return SimpleNamespace(
            grid=SimpleNamespace(pools=(pool,)),
            registry=SimpleNamespace(metrics={"rmse": SimpleNamespace(better=better)}),
            ladder=lambda _: SimpleNamespace(simple=SimpleNamespace(name="S")),
            scores=of(spread(model)),
            baseline_scores=of(spread(simple)),
            ceilings=lambda cell: {"rmse": (ceilings or {}).get(cell.fold.name, {})},
        ), pool

    return make


MODEL = Contestant(label="mine", handle=None)


def test_a_ceiling_that_the_simple_baseline_reaches_bounds_nobody(run_of):
    ceilings = {
        "A": {"A1": Ceiling(0.6, 0.02), "A2": Ceiling(0.4, 0.02)},
        "B": {"B1": Ceiling(0.5, 0.01)},
        "C": {"C1": Ceiling(math.nan, math.nan)},
    }
    model = {"A": {"A1": 0.8, "A2": 0.6}, "B": 0.9, "C": 0.3}
    run, pool = run_of(model, {"A": {"A1": 0.2, "A2": 0.2}, "B": 0.55, "C": 0.2}, ceilings)
    found = per_patient_ceilings(run, MODEL, pool, "rmse", PATIENTS)
    assert found["A"] == pytest.approx((0.7, 0.5, math.hypot(0.02, 0.02) / 2))
    assert found["B"][0] == 0.9
    assert math.isnan(found["B"][1])
    assert math.isnan(found["C"][1])


@pytest.mark.parametrize(("better", "chosen"), [("up", "B"), ("down", "A")])
def test_the_fold_that_is_furthest_ahead_is_fitted_again(run_of, better, chosen):
    run, _ = run_of({"A": 0.1, "B": 0.9, "C": 0.5}, {"A": 0.3, "B": 0.4, "C": 0.4}, better=better)
    asked = []

    def fit(metric, contestant, cell):
        asked.append((metric, contestant.label, cell.fold.name))
        return 0.25

    found = refit(run, lambda _: MODEL, "rmse", lambda _: PATIENTS, fit)
    assert asked == [("rmse", "mine", chosen)]
    assert (found.value, found.seed_sd) == (0.25, None)
    assert found.before == {"A": 0.1, "B": 0.9}[chosen]


def test_of_equal_folds_the_last_and_its_spread_over_seeds(run_of):
    model = {(fold, seed): {f"{fold}1": 0.5 + 0.1 * seed} for fold in FOLDS for seed in (0, 1)}
    run, _ = run_of(model, {"A": 0.4, "B": 0.4, "C": 0.4}, seeds=(0, 1))
    found = refit(run, lambda _: MODEL, "rmse", lambda _: PATIENTS, lambda *_: math.nan)
    assert found.before == pytest.approx(0.6)
    assert found.place.endswith("C-s1")
    assert found.seed_sd == pytest.approx(0.1 / math.sqrt(2))


def test_why_it_could_not_be_is_said(run_of):
    def fit(*_):
        raise StbenchError("no such fixture")

    run, _ = run_of({"A": 0.1, "B": 0.9, "C": 0.5}, {"A": 0.3, "B": 0.4, "C": 0.4})
    assert refit(run, lambda _: MODEL, "rmse", lambda _: PATIENTS, fit) == "no such fixture"
    run, _ = run_of(dict.fromkeys(FOLDS, math.nan), dict.fromkeys(FOLDS, 0.3))
    assert "no fold has a score" in refit(run, lambda _: MODEL, "rmse", lambda _: PATIENTS, fit)


def test_a_process_that_gives_no_answer_says_how_it_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/sh")
    with pytest.raises(StbenchError, match="ended with code 2"):
        in_fresh_process((), tmp_path, file=tmp_path / "a", metric="rmse", cell="c", label="mine")
