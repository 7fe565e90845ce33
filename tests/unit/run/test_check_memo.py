"""Results of checks that outlive the process: the same to the byte, and never of another question."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.registry import Check
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.quality import check_memo
from pytest_stbench.run.quality.check_memo import CheckMemo, read
from pytest_stbench.run.quality.data_checks import grid_of_data, task_of_data
from pytest_stbench.run.quality.task_checks import TaskChecks
from pytest_stbench.spec.model import CheckSpec, DatasetSpec
from pytest_stbench.splits.table import Sample
from pytest_stbench.store.store import Store

SAMPLES = tuple(Sample(slide=f"s{i}", patient=f"p{i}") for i in range(3))
CONFIG = DatasetSpec(source="h5ad", path="x.h5ad")
PLAIN = Check(
    id="X", name="probe", summary="", severity="fail", scope="dataset",
    target="tests:probe", params={"limit": 1.0},
)  # fmt: skip


class Data:
    """As much of a data set as a key looks at."""

    def __init__(self, checksum="abc", labels=()):
        self.checksum = checksum
        self.labels_without_slide = labels


def result_of(limit=1.0, **more):
    finding = Finding(
        status="warn", text="t", fix="f", statistic=0.1 + limit, slides=("s1",), genes=("A", "B")
    )
    details = {"b": [1, 2], "a": {"x": float("nan")}, "pairs": [("s1", "s2", 1 / 3)]}
    return conclude([finding], passed="", details={**details, **more})


def run_of(spec, grid, root, data):
    """Return as much of a run as checks of data look at."""
    registry = builtin_registry()
    return SimpleNamespace(
        spec=spec, grid=grid, registry=registry, family=registry.families["expression"], roots=(root,),
        views=SimpleNamespace(dataset=lambda _: data),
    )  # fmt: skip


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Return a maker of `Checking`, as another process would make it, and how often the check ran."""
    ran = []

    def probe(limit, dataset=None):
        ran.append(limit)
        return result_of(limit)

    monkeypatch.setattr("pytest_stbench.run.quality.task_checks.loaded", lambda _: probe)

    def make(spec_of=lambda spec: spec, *, data=None, samples=SAMPLES, record=PLAIN):
        task, _ = task_of_data("d", CONFIG, samples, None, "population")
        spec = spec_of(task.spec)
        grid = grid_of_data("d", samples)
        run = run_of(spec, grid, tmp_path, data or Data())
        checking = TaskChecks(run, CheckMemo(run, Store(tmp_path)))
        return checking.run(record, "d")

    return make, ran


def text(result):
    return json.dumps(asdict(result))


def test_the_second_run_tells_the_same_to_the_byte(lab):
    make, ran = lab
    first, second = make(), make()
    assert ran == [1.0]
    assert text(first) == text(second) == text(result_of())
    assert repr(first) == repr(second)


CHANGES = {
    "data": {"data": Data("abd")},
    "tables of labels": {"data": Data(labels=("s9",))},
    "a patient": {"samples": (replace(SAMPLES[0], patient="q"), *SAMPLES[1:])},
    "a further column": {"samples": (replace(SAMPLES[0], extra={"age": "50"}), *SAMPLES[1:])},
    "the function": {"record": replace(PLAIN, target="tests:other")},
    "the claim": {"spec_of": lambda spec: spec.model_copy(update={"claim": "exploratory"})},
    "a threshold": {
        "spec_of": lambda spec: spec.model_copy(
            update={"checks": {"probe": CheckSpec(params={"limit": 2.0}, reason="r")}}
        )
    },
}


@pytest.mark.parametrize("what", CHANGES)
def test_another_question_is_judged_anew(lab, what):
    make, ran = lab
    make()
    make(**CHANGES[what])
    assert len(ran) == 2


def test_other_code_is_judged_anew(lab, monkeypatch):
    make, ran = lab
    make()
    monkeypatch.setattr(check_memo, "code_version", lambda *_: "another")
    make()
    assert len(ran) == 2


def test_a_title_or_gate_changes_nothing(lab):
    make, ran = lab
    make()
    make(lambda spec: spec.model_copy(update={"title": "another", "gates": {}}))
    assert len(ran) == 1


def test_thresholds_and_waivers_hold_on_the_day(lab):
    make, ran = lab
    until = {"2000-01-01": "ended on", "2999-01-01": "with limit 2.0 instead of 1.0"}
    for day, words in until.items():
        for _ in range(2):
            override = {"probe": CheckSpec(params={"limit": 2.0}, reason="r", until=day)}
            found = make(lambda spec, given=override: spec.model_copy(update={"checks": given}))
            assert words in found.message
    assert ran == [1.0, 2.0]


@pytest.mark.parametrize("change", [{"scope": "task"}, {"scope": "model"}, {"needs": "metadata"}])
def test_what_looks_at_no_slide_is_not_kept(change, tmp_path):
    task, _ = task_of_data("d", CONFIG, SAMPLES, None, "population")
    run = run_of(task.spec, grid_of_data("d", SAMPLES), tmp_path, Data())
    kept = CheckMemo(run, Store(tmp_path))
    assert kept.key(PLAIN, "d", None, {}) is not None
    assert kept.key(replace(PLAIN, **change), "d", None, {}) is None


def test_an_error_is_not_kept(lab, monkeypatch):
    make, _ = lab
    ran = []

    def broken(limit, dataset=None):
        ran.append(limit)
        raise ValueError("no")

    monkeypatch.setattr("pytest_stbench.run.quality.task_checks.loaded", lambda _: broken)
    for _ in range(2):
        assert "could not judge this data (ValueError: no)" in make().message
    assert len(ran) == 2


def test_details_that_json_cannot_hold_are_not_kept(tmp_path):
    task, _ = task_of_data("d", CONFIG, SAMPLES, None, "population")
    run = run_of(task.spec, grid_of_data("d", SAMPLES), tmp_path, Data())
    kept = CheckMemo(run, Store(tmp_path))
    odd = result_of(odd=object())
    assert kept.keep("k", odd) is odd
    assert kept.recall("k") is None


def test_numbers_of_numpy_come_back_as_numbers():
    value = np.float64(1) / 3
    made = CheckResult(status="pass", message="m", statistic=value)
    found = read(json.loads(json.dumps(asdict(made))))
    assert (found.statistic.hex(), type(found.statistic)) == (float(value).hex(), float)


def test_a_check_that_asks_for_what_nobody_tells_it_says_so(tmp_path, monkeypatch):
    task, _ = task_of_data("d", CONFIG, SAMPLES, None, "population")
    run = run_of(task.spec, grid_of_data("d", SAMPLES), tmp_path, Data())
    monkeypatch.setattr(
        "pytest_stbench.run.quality.task_checks.loaded", lambda _: lambda claims, limit, *, other=1: None
    )
    found = TaskChecks(run, CheckMemo(run, Store(tmp_path))).run(PLAIN, "d")
    assert found.status == "fail"
    assert "probe asks for 'claims', which no check of scope dataset is told" in found.message
    assert "claim" in found.message.partition(": name one of")[0]
    assert "dataset, depth_adjusted" in found.fix
