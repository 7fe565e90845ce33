from __future__ import annotations

import math
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pytest_stbench.metrics.aggregate import SlideValue
from pytest_stbench.run.cells import Cell
from pytest_stbench.run.folding import Folding
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.run.scores import ceilings
from pytest_stbench.run.scores.ceilings import skill
from pytest_stbench.run.scores.scoring import Scorer
from pytest_stbench.spec.model import MetricSpec
from pytest_stbench.splits.table import Fold
from pytest_stbench.store.store import Store

REGISTRY = builtin_registry()


def fold_of(tmp_path, make_task, make_dataset, make_slide, scale=1.0):
    slides = [make_slide(name, seed, n=64, scale=scale) for seed, name in enumerate(("A1", "B1", "C1"))]
    cell = Cell(
        dataset="sim", variant="", view="sim", split="lopo", seed=0,
        fold=Fold(name="C", train=("A1", "B1"), test=("C1",)),
    )  # fmt: skip
    return Folding(make_task().spec, REGISTRY.families["imputation"], OpenDataset(Store(tmp_path))).fold(
        cell, make_dataset(slides), ()
    )


def ceilings_of(tmp_path, fold, *metrics, parts=None):
    scorer = Scorer([MetricSpec(name=name) for name in metrics], REGISTRY.metrics)
    truths = {slide.meta.slide_id: fold.truth(slide) for slide in fold.test}
    store = Store(tmp_path / "store", run_id="r")
    return ceilings.ceilings_of(scorer, store, fold, lambda: truths, parts or {"fold": "C"})


def test_the_ceiling_rises_with_depth(tmp_path, make_task, make_dataset, make_slide):
    shallow = fold_of(tmp_path, make_task, make_dataset, make_slide)
    deep = fold_of(tmp_path, make_task, make_dataset, make_slide, scale=20.0)
    low = ceilings_of(tmp_path, shallow, "pearson_gene", "rmse", parts={"depth": 1})
    high = ceilings_of(tmp_path, deep, "pearson_gene", "rmse", parts={"depth": 20})
    assert 0 < low["pearson_gene"]["C1"].value < high["pearson_gene"]["C1"].value < 1
    assert low["rmse"]["C1"].value > high["rmse"]["C1"].value > 0


def test_a_ceiling_is_computed_once_and_then_recalled(
    tmp_path, make_task, make_dataset, make_slide, monkeypatch
):
    fold = fold_of(tmp_path, make_task, make_dataset, make_slide)
    first = ceilings_of(tmp_path, fold, "pearson_gene")
    monkeypatch.setattr(fold.question, "repeats", lambda *_: pytest.fail("computed again"))
    assert ceilings_of(tmp_path, fold, "pearson_gene") == first


@pytest.mark.parametrize("other", ["metrics", "parts"])
def test_another_question_is_another_ceiling(
    tmp_path, make_task, make_dataset, make_slide, monkeypatch, other
):
    fold = fold_of(tmp_path, make_task, make_dataset, make_slide)
    ceilings_of(tmp_path, fold, "pearson_gene")
    asked = []
    monkeypatch.setattr(fold.question, "repeats", lambda *_: asked.append(1) or iter(()))
    metrics = ("pearson_gene", "rmse") if other == "metrics" else ("pearson_gene",)
    found = ceilings_of(tmp_path, fold, *metrics, parts={"fold": "D"} if other == "parts" else None)
    assert asked == [1]
    assert math.isnan(found["pearson_gene"]["C1"].value), "nothing to split: no ceiling"


def test_skill_by_hand():
    assert skill(0.3, 0.2, 0.6, "up") == pytest.approx(0.25)
    assert skill(0.1, 0.2, 0.6, "up") == pytest.approx(-0.25)
    assert skill(0.8, 1.0, 0.5, "down") == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("value", "simple", "ceiling", "better"),
    [
        (0.3, 0.2, 0.219, "up"),
        (0.3, 0.2, 0.1, "up"),
        (0.3, 0.2, 0.3, "down"),
        (math.nan, 0.2, 0.6, "up"),
        (0.3, math.nan, 0.6, "up"),
        (0.3, 0.2, math.nan, "up"),
        (0.3, 0.2, 0.6, "context"),
    ],
)
def test_without_headroom_there_is_no_skill(value, simple, ceiling, better):
    assert math.isnan(skill(value, simple, ceiling, better))


@given(st.floats(-1, 1), st.floats(0.05, 1))
def test_the_baseline_has_skill_nought_and_the_ceiling_one(simple, room):
    assert skill(simple, simple, simple + room, "up") == pytest.approx(0, abs=1e-9)
    assert skill(simple + room, simple, simple + room, "up") == pytest.approx(1)
    assert skill(-simple, -simple, -simple - room, "down") == pytest.approx(0, abs=1e-9)
    assert np.isclose(skill(-simple - room, -simple, -simple - room, "down"), 1)


def test_the_error_of_a_ceiling_is_that_of_the_mean_of_ten_repeats(
    tmp_path, make_task, make_dataset, make_slide, monkeypatch
):
    fold = fold_of(tmp_path, make_task, make_dataset, make_slide)
    truth = fold.truth(fold.test[0])
    scorer = Scorer([MetricSpec(name="pearson_gene")], REGISTRY.metrics)
    repeats = islice(fold.question.repeats(fold.test[0], fold, truth), 10)
    values = [scorer.slide(target, guess)["pearson_gene"].value for target, guess in repeats]
    found = ceilings_of(tmp_path, fold, "pearson_gene")["pearson_gene"]["C1"]
    assert found.value == pytest.approx(np.mean(values))
    assert found.error == pytest.approx(np.std(values, ddof=1) / math.sqrt(10))
    assert 0 < found.error < 0.05


@pytest.mark.parametrize(("drawn", "shown"), [((1.3, 0.9, 1.1), 1.0), ((math.nan,) * 3, math.nan)])
def test_a_score_between_floor_and_ceiling_has_the_ceiling_1(tmp_path, drawn, shown):
    """Ten draws of a ceiling that more were made for showed 1.06, and a skill of less than it was."""
    values = iter(drawn * 2)
    names = ("coexpression_ssim_normalised", "coexpression_ssim")
    scorer = Scorer([MetricSpec(name=name) for name in names], REGISTRY.metrics)
    assert scorer.read_to_ceiling == {"coexpression_ssim_normalised"}
    scorer.slide = lambda _target, _predicted: dict.fromkeys(
        names, SlideValue(value=next(values), n_total=1, n_valid=1)
    )
    slide = SimpleNamespace(meta=SimpleNamespace(slide_id="A1"))
    question = SimpleNamespace(repeats=lambda *_: [(None, None)] * 3)
    fold = SimpleNamespace(test=[slide], question=question)
    found = ceilings.ceilings_of(scorer, Store(tmp_path), fold, lambda: {"A1": None}, {"fold": "A"})
    normalised, plain = (found[name]["A1"] for name in names)
    assert normalised == pytest.approx((shown, math.nan), nan_ok=True)
    assert plain.value == pytest.approx(np.mean(drawn), nan_ok=True)
