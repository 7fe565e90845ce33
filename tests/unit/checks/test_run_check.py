from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from pytest_stbench.checks import CHECKS, CheckResult, run_check
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.registry import Check, load_target
from pytest_stbench.spec.model import CheckSpec
from pytest_stbench.splits.table import Fold, Sample

TODAY = dt.date(2026, 6, 15)
RECORD = Check(
    id="Q99", name="toy", summary="Toy?", severity="fail", scope="dataset", target="x:y",
    params={"limit": 3, "by": {"spot": 1, "cell": 2}}, reasons={"limit": "three", "by": "two"},
)  # fmt: skip


def _toy(dataset, *, limit, by):
    if dataset > limit:
        return CheckResult(
            status="fail", message=f"{dataset} > {limit}: do less", fix="do less", statistic=dataset
        )
    return CheckResult(status="pass", message="fine", details={"by": by})


def _run(value, override=None, **more):
    return run_check(RECORD, _toy, {"dataset": value, "claim": "population"}, override, today=TODAY, **more)


def test_defaults_and_facts_that_are_not_asked_for():
    assert _run(3).status == "pass"
    assert _run(4).status == "fail"


def test_a_changed_threshold_is_used_and_printed_with_its_reason():
    result = _run(5, CheckSpec(params={"limit": 9}, reason="shallow array"))
    assert result.status == "pass"
    assert "limit 9 instead of 3 (shallow array)" in result.message
    assert result.details["changed_thresholds"] == {"limit": {"default": 3, "set": 9}}


def test_a_mapping_is_merged():
    assert _run(1, CheckSpec(params={"by": {"spot": 7}}, reason="x")).details["by"] == {"spot": 7, "cell": 2}


def test_an_unknown_threshold_fails_with_the_nearest_name():
    result = _run(1, CheckSpec(params={"limt": 9}))
    assert result.status == "fail"
    assert "did you mean 'limit'" in result.message


@pytest.mark.parametrize("until", [None, "2026-06-15", "2027-01-01"])
def test_a_waived_failure_warns(until):
    result = _run(4, CheckSpec(waive=True, reason="known since v1", owner="Ana", until=until))
    assert result.status == "warn"
    assert result.waived
    assert "known since v1" in result.message
    assert "Ana" in result.message
    assert result.message.endswith("do less")
    assert result.details["waived_status"] == "fail"


@pytest.mark.parametrize(
    ("until", "reason", "word"),
    [
        ("2026-06-14", "known", "ended on 2026-06-14"),
        ("next year", "known", "not a date"),
        ("2027-01-01", None, "no `reason:`"),
        ("2027-01-01", "  ", "no `reason:`"),
    ],
)
def test_a_void_waiver_fails(until, reason, word):
    result = _run(4, CheckSpec.model_construct(waive=True, reason=reason, until=until, owner=None, params={}))
    assert result.status == "fail"
    assert not result.waived
    assert word in result.message


@pytest.mark.parametrize(
    ("until", "status"), [("2026-06-14", "fail"), ("2026-06-15", "pass"), (None, "pass")]
)
def test_changed_thresholds_hold_until_their_date(until, status):
    result = _run(5, CheckSpec(params={"limit": 9}, reason="shallow array", owner="Ana", until=until))
    assert result.status == status
    assert ("ended on 2026-06-14" in result.message) == (status == "fail")
    assert ("changed_thresholds" in result.details) == (status == "pass")


def test_a_waiver_that_is_not_needed_is_said():
    result = _run(1, CheckSpec(waive=True, reason="known", until="2020-01-01"))
    assert result.status == "pass"
    assert "remove it" in result.message


@pytest.mark.parametrize("skip_fails", [True, False])
def test_a_skip_fails_where_the_record_says_so(skip_fails):
    record = Check(
        id="Q98", name="s", summary="S?", severity="fail", scope="dataset", target="x:y",
        skip_fails=skip_fails,
    )  # fmt: skip
    result = run_check(
        record, lambda: CheckResult(status="skip", message="no id: fill it", fix="fill it"), {}
    )
    assert result.status == ("fail" if skip_fails else "skip")
    assert result.message.endswith("fill it")


def _raises(error):
    def function(dataset, **_):
        raise error

    return function


@pytest.mark.parametrize(
    "error", [DataError("slide A1 cannot be read"), ValueError("bad"), KeyError("x"), TypeError()]
)
def test_data_that_cannot_be_handled_fails_with_a_message(error):
    result = run_check(RECORD, _raises(error), {"dataset": 1})
    assert result.status == "fail"
    assert result.message.endswith(result.fix)
    assert result.fix


def test_absent_data_is_not_judged():
    with pytest.raises(DataMissing):
        run_check(RECORD, _raises(DataMissing("get it")), {"dataset": 1})


def _degenerate(kind, make_slide, make_dataset, spoil):
    if kind == "nothing":
        return make_dataset([])
    if kind == "empty":
        return make_dataset([make_slide(counts=np.zeros((0, 0)), xy=np.zeros((0, 2)))])
    if kind == "nan":
        return make_dataset([make_slide(counts=np.full((5, 3), np.nan), xy=np.full((5, 2), np.nan))])
    if kind == "one":
        return make_dataset([make_slide(counts=[[300]], xy=[[0.0, 0.0]])])
    good = make_slide()
    if kind == "mixed":
        mixed = spoil(good, xy_um=np.array([["a", None]] * 400, dtype=object), libsize=np.full(400, None))
        numbers = [Sample(slide=1, patient=2), Sample(slide="b", patient=float("nan"))]
        return make_dataset([mixed], samples=numbers)
    if kind == "names":
        odd = spoil(good, unit_names=np.array([None, 1, 2.5, "x"] * 100, dtype=object))
        return make_dataset([odd], panels={3: (None, 4)})
    assert kind == "keys"
    return make_dataset([good], panels={})


@pytest.mark.parametrize("record", [r for r in CHECKS if r.scope == "dataset"], ids=lambda r: r.name)
@pytest.mark.parametrize("kind", ["nothing", "empty", "nan", "one", "mixed", "names", "keys"])
def test_no_check_raises_and_every_finding_ends_with_a_fix(
    make_slide, make_dataset, measure, spoil, record, kind
):
    dataset = _degenerate(kind, make_slide, make_dataset, spoil)
    facts = {"dataset": dataset, "claim": "population", "measured": measure(dataset),
             "perfect": lambda: {"rare": {}}, "primary": "rare"}  # fmt: skip
    result = run_check(record, load_target(record.target), facts)
    assert result.status in ("pass", "warn", "fail", "skip")
    assert "traceback" not in result.details, result.details["traceback"]
    assert result.status == "pass" or (result.fix and result.message.endswith(result.fix))
    assert len(result.genes) <= 20
    assert json.loads(json.dumps(result.details)) is not None
    assert result.statistic is None or type(result.statistic) in (int, float)


@pytest.mark.parametrize("record", [r for r in CHECKS if r.scope == "split"], ids=lambda r: r.name)
@pytest.mark.parametrize(
    "folds", [[], [Fold(name="f", train=(), test=())], [Fold(name="f", train=(1, None), test=("b",))]]
)
@pytest.mark.parametrize("kind", ["nothing", "empty", "nan", "one", "mixed", "names", "keys"])
def test_no_check_of_a_split_raises(make_slide, make_dataset, spoil, record, folds, kind):
    samples = [Sample(slide=1, patient=2), Sample(slide="b", patient=None)]
    subject = _degenerate(kind, make_slide, make_dataset, spoil)
    facts = {
        "folds": folds, "samples": samples, "grouped": True, "dataset": "toy", "subject": subject,
        "config": subject.config, "genes": None, "split": "lopo",
    }  # fmt: skip
    result = run_check(record, load_target(record.target), facts)
    assert "traceback" not in result.details
    assert json.loads(json.dumps(result.details)) is not None


def test_only_mappings_are_merged():
    result = _run(1, CheckSpec(params={"by": 7}, reason="x"))
    assert result.details["by"] == 7


def test_a_failing_skip_says_why(make_dataset):
    record = next(record for record in CHECKS if record.name == "patient_leakage")
    result = run_check(record, load_target(record.target), {"folds": [], "samples": []})
    assert result.status == "fail"
    assert result.message.startswith("cannot be judged")
