"""Models that ask for the names of the data set: what they get, what is said of it, when it is refused."""

from __future__ import annotations

import json

import pytest

OWN = """
import numpy as np
import pytest


class Mean:
    name, revision = "mean", "1"

    def fit(self, train, task):
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)
        self.seen = [str(slide.units.obs_names[0]) for slide in train]

    def impute(self, slide, observed_genes, target_genes):
        names = [*self.seen, str(slide.units.obs_names[0])]
        assert {name.startswith("unit") for name in names} == {self.neutral}, names
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


class Neutral(Mean):
    neutral = True


class Own(Mean):
    neutral = False
    unit_names = "as given"


class Wrong(Mean):
    neutral = True
    unit_names = "barcodes"


class Nan(Neutral):
    def impute(self, slide, observed_genes, target_genes):
        values = super().impute(slide, observed_genes, target_genes)
        values[2, 1] = np.nan
        return values


@pytest.fixture
def neutral():
    return Neutral

@pytest.fixture
def own():
    return Own

@pytest.fixture
def wrong():
    return Wrong

@pytest.fixture
def broken():
    return Nan
"""
CONTRACT = "contract[{}-sim-pgkf-1]"


def task(bench, **changes):
    bench.conftest(OWN)
    bench.task(
        splits=[{"pgkf": {"k": 2}}], metrics=["rmse"], baselines=["train_mean"], **changes
    )  # fmt: skip
    return bench


@pytest.fixture(scope="module")
def clean(make_bench):
    bench = task(make_bench("own_names"))
    models = (f"--stbench-model={name}" for name in ("neutral", "own", "wrong", "broken"))
    return bench, bench.run(*models, "--stbench-save=out.json")


def test_names_are_neutral_unless_a_model_asks_for_them(clean):
    _, run = clean
    assert run.outcome(CONTRACT.format("neutral")) == "passed", run.out
    assert run.outcome(CONTRACT.format("own")) == "passed", run.out


def test_scores_say_whose_names_they_rest_on(clean):
    bench, run = clean
    saved = json.loads((bench.folder / "out.json").read_text())
    flags = {s["model"]: s["flags"] for s in saved["scores"] if s["metric"] == "rmse" and s["fold"] is None}
    assert "unit_names_as_given" in flags["own"]
    assert flags["neutral"] == flags["train_mean"] == []
    named = {model["name"]: model["unit_names"] for model in saved["models"]}
    assert (named["own"], named["neutral"]) == ("as given", None)
    assert "model mean 1 (given as own, names of units as given)" in run.out


def test_tables_and_results_have_the_name_that_a_model_gives_itself(clean):
    bench, run = clean
    saved = json.loads((bench.folder / "out.json").read_text())
    found = {model["name"]: (model["own_name"], model["revision"]) for model in saved["models"]}
    assert found["own"] == found["neutral"] == ("mean", "1")
    assert "model mean 1 (given as neutral)   T = train_mean" in run.out


def test_another_word_is_refused(clean):
    _, run = clean
    assert run.outcome(CONTRACT.format("wrong")) == "blocked"
    assert "`unit_names` of the model is 'barcodes': write unit_names = 'as given'" in run.out


def test_a_message_on_a_unit_has_its_name_in_the_data(clean):
    _, run = clean
    assert run.outcome(CONTRACT.format("broken")) == "failed"
    message = run.message(CONTRACT.format("broken"))
    assert "at unit 'unit0000003' ('" in message
    assert "of the data), gene" in message


def test_names_that_hold_labels_carry_no_population_claim(make_bench):
    defects = {"sim": {"params": {"defects": {"name_leak": 1.0}}}}
    bench = task(make_bench("leaky_names"), datasets=defects)
    run = bench.run("--stbench-model=neutral", "--stbench-model=own")
    assert any("names of the units predict niche" in text for text in run.warnings)
    assert run.outcome(CONTRACT.format("neutral")) == "passed", run.out
    assert run.outcome(CONTRACT.format("own")) == "blocked"
    assert "cannot carry a population claim" in run.message(CONTRACT.format("own"))
