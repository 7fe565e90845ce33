"""``--stbench-try``: little of everything, nothing scored or kept, and what the whole will cost."""

from __future__ import annotations

import re

import pytest

FEW = {"sim": {"params": {"patients": 4, "units": 300}}}
MODELS = """
import os
from pathlib import Path

HERE = Path(__file__).parent


class Slow(Mean):
    name, revision = "slow", "1"

    def fit(self, train, task):
        self.note("fit", *[slide.n_units for slide in train])
        super().fit(train, task)

    def impute(self, slide, observed_genes, target_genes):
        self.note("impute", slide.n_units)
        return super().impute(slide, observed_genes, target_genes)

    def note(self, *what):
        with (HERE / "calls").open("a") as file:
            print(*what, file=file)


class Wrong(Slow):
    def impute(self, slide, observed_genes, target_genes):
        return super().impute(slide, observed_genes, target_genes)[1:]


class Mistaken(Slow):
    def fit(self, train, task):
        self.note("fit")
        raise KeyError("layer_norm")


class Unwritable(Slow):
    name = "unwritable"

    def fit(self, train, task):
        super().fit(train, task)
        self.act = lambda: 1


@pytest.fixture
def slow():
    return Slow


@pytest.fixture
def wrong():
    return Wrong


@pytest.fixture
def mistaken():
    return Mistaken


@pytest.fixture
def unwritable():
    return Unwritable
"""


@pytest.fixture
def lab(bench):
    bench.conftest(MODELS)
    bench.task(datasets=FEW, claim="exploratory", baselines=["train_mean"])
    return bench


def calls(bench):
    path = bench.folder / "calls"
    found = path.read_text().split("\n")[:-1] if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def test_one_fold_on_few_units_and_what_the_whole_will_cost(lab):
    run = lab.run("--stbench-model=slow", "--stbench-try")
    assert run.code == 0
    assert run.of("passed") == ["contract[sim-lopo-P01]"]
    assert calls(lab) == ["fit 200 200 200", "impute 200", "impute 200"]
    told = run.line("tried   slow on mini sim-lopo-P01, 800 units: ")
    assert re.search(r"; all 4 cells: about [\d.]+ s, up to [\d.]+ [MG]B$", told)
    assert "baselines and scores come on top" in run.line("tried   the whole will take about ")
    assert "cells computed" not in run.out
    assert not list((lab.folder / ".stbench").glob("predictions/*/*"))
    assert not list((lab.folder / ".stbench").glob("answers/*/*"))


def test_a_broken_contract_fails_the_trial_and_another_fold_can_be_chosen(lab):
    run = lab.run("--stbench-model=wrong", "--stbench-try", "-k", "P03")
    assert run.of("failed") == ["contract[sim-lopo-P03]"]
    message = run.message("contract[sim-lopo-P03]")
    assert "expected shape (200, 10)" in message
    assert "pytest_stbench/" not in message
    assert run.lines("tried   ") == []


@pytest.mark.parametrize("option", ["--stbench-save=run.json", "--stbench-keep-models=models"])
def test_what_would_keep_or_score_is_refused(lab, option):
    run = lab.run("--stbench-model=slow", "--stbench-try", option)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert f"leave out {option.partition('=')[0]}" in run.out
    assert calls(lab) == []


def test_a_mistake_in_fit_is_made_twice_and_not_in_every_fold(lab):
    run = lab.run("--stbench-model=mistaken", "mini.stbench.yaml::contract")
    assert len(run.of("failed")) == 4
    assert calls(lab) == ["fit", "fit"]
    for fold in ("P01", "P02"):
        assert 'raise KeyError("layer_norm")' in run.message(f"contract[sim-lopo-{fold}]")
    for fold in ("P03", "P04"):
        message = run.message(f"contract[sim-lopo-{fold}]")
        assert message.startswith(f"mistaken mini sim-lopo-{fold} was not tried: the two folds before failed")
        assert "raised KeyError: 'layer_norm' (in fit)" in message
    lab.run("--stbench-model=mistaken", "--stbench-retry", "mini.stbench.yaml::contract")
    assert calls(lab) == ["fit"] * 4


def test_fitted_models_are_kept_where_asked(lab):
    run = lab.run("--stbench-model=slow", "--stbench-keep-models=models", "mini.stbench.yaml::contract")
    assert run.code == 0
    files = sorted((lab.folder / "models").iterdir())
    assert [file.name for file in files] == [f"slow%20mini%20sim-lopo-P0{n}.pickle" for n in (1, 2, 3, 4)]
    assert b"conftest" in files[0].read_bytes()
    run = lab.run("--stbench-model=slow", "--stbench-keep-models=models", "mini.stbench.yaml::contract")
    (told,) = {text for text in run.warnings if "came from the store" in text}
    assert "no model was fitted to keep" in told


def test_a_model_that_cannot_be_written_is_told_and_scored(lab):
    run = lab.run("--stbench-model=unwritable", "--stbench-keep-models=models", "mini.stbench.yaml::contract")
    assert run.code == 0
    (told,) = {text for text in run.warnings if "are not kept in" in text}
    assert told.startswith("models that unwritable fitted are not kept in ")
    assert "`__getstate__`" in told
    assert list((lab.folder / "models").glob("*")) == []
