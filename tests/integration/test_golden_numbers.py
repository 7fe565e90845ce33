"""The numbers of five shipped tasks are those of the table, with whatever is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from pytest_stbench.results import Results, load
from pytest_stbench.results.stored import Stored

from .. import samples  # noqa: TID252  # of the tests alone, which no package has

GOLDEN = Path(__file__).parents[1] / "golden"


def module(name):
    spec = importlib.util.spec_from_file_location(name, GOLDEN / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


compare, write = module("compare"), module("write_numbers")
TABLE = json.loads(write.TABLE.read_text(encoding="utf-8"))

SCORE = {"task": "t", "dataset": "d", "split": "lopo", "role": "model", "model": "m", "metric": "rmse"}
ONE = {
    "scores": [
        {**SCORE, "value": 0.5, "per_patient": {"A": 0.25, "B": None}, "seconds": 3.0, "flags": ["ties"]}
    ]
}


def changed(**fields):
    return {"scores": [{**ONE["scores"][0], **fields}]}


def judged(other, one=ONE):
    return compare.report(one, other, ("one", "other"))


def test_numbers_are_those_of_the_table(tmp_path):
    found = write.compact(write.results_of(write.TASKS, tmp_path))
    text, agree = compare.report(TABLE, found, ("the table", "this run"))
    assert agree, (
        f"{text}\nIf that is what a change is for, it has to say so: docs/numbers.md, 'For developers'. If "
        "nothing was changed, a library gives other numbers than the one that the table was made with."
    )
    printed = (tmp_path / "golden.txt").read_text(encoding="utf-8")
    table = samples.section(printed, "smoke-imputation")
    checks = [record["status"] for record in write.of_task(TABLE, "smoke-imputation")["checks"]]
    for name, make in samples.OF_THE_FIRST_RUN.items():
        _, lines = samples.shown()[name]
        assert lines[: lines.index("")] == make(table), "run: python -m tests.samples --write"
        assert f"checks  {checks.count('pass')} passed, {checks.count('warn')} warned" in lines


def test_the_table_is_small_and_holds_what_matters():
    assert write.TABLE.stat().st_size < 300_000
    for task in write.TASKS:
        own = write.of_task(TABLE, task)
        assert all(own[section] for section in write.SECTIONS), task
        assert {"model", "baseline"} <= {score.get("role") for score in own["scores"]}, task
        assert any("ci_low" in score for score in own["scores"]), task
    assert any("ceiling" in score for score in TABLE["scores"])
    assert write.written(TABLE) == write.TABLE.read_text(encoding="utf-8")


def test_records_are_told_apart_as_results_files_tell_them():
    records = {name: field for name, field in Results.__dataclass_fields__.items() if name in compare.KEYS}
    assert records.keys() == compare.KEYS.keys()
    kinds = {kind.__name__: kind for kind in Stored.__subclasses__()}
    for name, field in records.items():
        (kind,) = (kinds[known] for known in kinds if known in str(field.type))
        assert compare.KEYS[name] == kind.KEY, name
    others = {name for name in Results.__dataclass_fields__ if name not in compare.KEYS}
    assert others == {"schema", "run", "earlier_runs", "left_out", "kept", "digests", "sha256"}


def test_equal_files_agree():
    text, agree = judged(changed(seconds=9.0))
    assert agree
    assert text.splitlines()[0] == "2 numbers and 1 texts are in one and in other"


@pytest.mark.parametrize(
    ("fields", "agree"),
    [
        ({"value": 0.5 + 9e-7}, True),
        ({"value": 0.5 + 2e-6}, False),
        ({"value": None}, False),
        ({"value": True}, False),
        ({"per_patient": {"A": 0.25, "B": 0.1}}, False),
        ({"per_patient": {"A": 0.25}}, True),
        ({"per_patient": {"A": -0.25, "B": None}}, False),
        ({"flags": []}, False),
        ({"flags": ["other"]}, False),
        ({"metric": "mae"}, False),
        ({"message": "said otherwise"}, True),
    ],
)
def test_what_differs_is_found(fields, agree):
    assert judged(changed(**fields))[1] is agree
    assert compare.report(changed(**fields), ONE, ("other", "one"))[1] is agree


@pytest.mark.parametrize(
    ("one", "other", "agree"), [(1e9, 1e9 + 900, True), (1e9, 1e9 + 2000, False), (1e-9, 2e-9, True)]
)
def test_absolute_or_relative(one, other, agree):
    assert judged(changed(value=other), changed(value=one))[1] is agree


def test_files_without_numbers_do_not_agree():
    assert not judged({}, {})[1]


def test_the_largest_differences_are_shown_first():
    patients = {f"P{number:02d}": number / 100 for number in range(30)}
    moved = {name: value + 1e-3 * value for name, value in patients.items()}
    text, agree = judged(changed(per_patient=moved), changed(per_patient=patients))
    assert not agree
    shown = [line for line in text.splitlines() if line.startswith("  ")]
    assert len(shown) == compare.SHOWN
    assert shown[0].startswith("  2.9e-04  scores [t d lopo model m rmse] per_patient.P29: 0.29 / 0.29029")
    assert text.splitlines()[-1].startswith("29 numbers differ by more than 1e-06, 0 texts differ, 0 values")


def test_command(tmp_path, capsys):
    paths = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, results in zip(paths, (ONE, changed(value=0.6)), strict=True):
        path.write_text(json.dumps(results))
    one, other = map(str, paths)
    assert compare.main([one, one]) == 0
    assert compare.main([one, other]) == 1
    assert "value: 0.5 / 0.6" in capsys.readouterr().out
    assert compare.main([one]) == 2
    assert compare.main([one, str(tmp_path / "none.json")]) == 2
    assert "give two files that --stbench-save wrote" in capsys.readouterr().out


def test_results_of_a_run_are_read(tmp_path):
    """The table's own form is that of a results file, cut down."""
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"schema": "stbench-results/1", "scores": [
        {
            **SCORE, "task_version": 1, "family": "imputation", "value": 1.0, "per_patient": {"A": 1.0},
            "n_patients": 1,
        }
    ]}))  # fmt: skip
    assert load(path).scores[0].metric == "rmse"
    assert compare.main([str(path), str(path)]) == 0
