from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import CheckRecord, GateRecord, ScoreRecord, VerdictRecord, to_builtin

PLACE = {"task": "t", "task_version": 1, "family": "imputation", "dataset": "d", "split": "lopo"}


def score(**fields):
    given = PLACE | {"model": "m", "metric": "r", "value": 0.5, "per_patient": {"A": 0.5}, "n_patients": 1}
    return ScoreRecord(**(given | fields))


def test_numpy_values_become_builtins():
    record = score(
        value=np.float32(0.5),
        n_patients=np.int64(6),
        per_patient={np.str_("A"): np.float64(0.1), "B": np.nan},
        undefined={"gt_constant": np.int32(3)},
        flags=np.array(["ties"]),
        seconds=np.float64("inf"),
    )
    assert record.value == 0.5
    assert type(record.value) is float
    assert type(record.n_patients) is int
    assert record.per_patient == {"A": 0.1, "B": None}
    assert type(next(iter(record.per_patient))) is str
    assert record.flags == ("ties",)
    assert record.seconds is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), True),
        (math.nan, None),
        (-math.inf, None),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ({"b", "a"}, ["a", "b"]),
        ({1: (2, 3)}, {"1": [2, 3]}),
        ("text", "text"),
        (None, None),
    ],
)
def test_to_builtin(value, expected):
    found = to_builtin(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match=r"PosixPath|WindowsPath"):
        to_builtin(Path("runs"))


def test_records_hold_no_reference_to_the_callers_mapping():
    patients = {"A": 0.1}
    record = score(per_patient=patients)
    patients["A"] = 0.9
    assert record.per_patient == {"A": 0.1}


def test_records_cannot_be_changed():
    with pytest.raises(AttributeError):
        score().value = 1.0


def test_round_trip_with_nested_records():
    gate = GateRecord(
        kind="beats", reference="ridge", margin=0.02, n=6, estimate=0.1, outcome="pass", message="x"
    )
    verdict = VerdictRecord(
        task="t", dataset="d", split="lopo", model="m", metric="r", verdict="pass", primary=True, gates=[gate]
    )
    assert verdict.gates == (gate,)
    assert VerdictRecord.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


@given(
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    patients=st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    undefined=st.none() | st.dictionaries(st.text(min_size=1), st.integers(0, 10**9)),
    flags=st.lists(st.text()),
    fold=st.none() | st.text(),
)
@settings(deadline=None, max_examples=40)
def test_every_score_survives_json(value, patients, undefined, flags, fold):
    record = score(value=value, per_patient=patients, undefined=undefined, flags=flags, fold=fold)
    assert ScoreRecord.from_dict(json.loads(json.dumps(record.to_dict(), allow_nan=False))) == record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "judge"}, "role: Input should be 'model', 'baseline' or 'control'"),
        ({"value": "0.5"}, "value: Input should be a valid number"),
        ({"valeu": 0.5}, "valeu: Unexpected keyword argument"),
        ({"value": math.nan}, "value: Input should be a finite number"),
        ({"per_patient": {"A": "x"}}, "per_patient.A: Input should be a valid number"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ResultsError) as error:
        ScoreRecord.from_dict(score().to_dict() | change)
    assert "this is not a ScoreRecord" in str(error.value)
    assert message in str(error.value)


def test_missing_fields_are_named_five_at_a_time():
    with pytest.raises(ResultsError, match=r"task: Field required.*and 5 more"):
        ScoreRecord.from_dict({})


def test_keys_tell_records_apart():
    assert score().key == ("t", "d", "", "lopo", None, None, "model", "m", "r")
    differing = [
        score(**change)
        for change in (
            {"task": "u"},
            {"dataset": "e"},
            {"variant": "raw"},
            {"split": "pgkf"},
            {"fold": "A"},
            {"seed": 1},
            {"role": "baseline"},
            {"model": "n"},
            {"metric": "s"},
        )
    ]
    assert len({record.key for record in [score(), *differing]}) == 10
    assert score(value=0.1, task_version=2).key == score().key


def test_checks_of_a_task_and_of_its_data_sets_differ():
    fields = {"task": "t", "id": "Q01", "name": "n", "scope": "dataset", "status": "pass", "severity": "fail"}
    records = [
        CheckRecord(**fields),
        CheckRecord(**fields, dataset="d"),
        CheckRecord(**fields, dataset="d", split="s"),
    ]
    assert len({record.key for record in records}) == 3


def test_records_and_packages_import_no_numpy():
    code = (
        "import sys, pytest_stbench.results, pytest_stbench.gate, pytest_stbench.results.record as r;"
        "r.ScoreRecord; print('numpy' in sys.modules, 'pydantic' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]
