from __future__ import annotations

import dataclasses

from hypothesis import given, settings, strategies as st

from pytest_stbench.results import (
    CheckRecord,
    ContaminationRecord,
    DatasetRecord,
    KeptRecord,
    LeftOutRecord,
    LockRecord,
    ModelRecord,
    Results,
    RunRecord,
    ScoreRecord,
    TaskRecord,
    VerdictRecord,
    conflicts,
    merged,
)
from pytest_stbench.results.checklist import ChecklistRecord
from pytest_stbench.spec.numbers import NUMBERS

PLACE = {"task": "t", "dataset": "d", "split": "lopo"}


def score(metric, value=0.5):
    return ScoreRecord(
        **PLACE,
        task_version=1,
        family="imputation",
        model="m",
        metric=metric,
        value=value,
        per_patient={},
        n_patients=0,
    )


ONE_OF_EACH = {
    "models": ModelRecord(name="m"),
    "tasks": TaskRecord(name="t", version=1, family="f", claim="population", primary="r", fingerprint="x"),
    "datasets": DatasetRecord(
        task="t", name="d", checksum="c", patients={}, n_slides=0, n_units=0, n_genes=0
    ),
    "checks": CheckRecord(task="t", id="Q01", name="n", scope="task", status="pass", severity="fail"),
    "checklist": ChecklistRecord(
        task="t", dataset="d", step="splits", question="Q?", answer="lopo", status="pass"
    ),
    "scores": score("r"),
    "verdicts": VerdictRecord(**PLACE, model="m", metric="r", verdict="pass"),
    "lock": LockRecord(**PLACE, fold="A", train=(), test=(), genes=()),
    "contamination": ContaminationRecord(
        task="t", model="m", dataset="d", declared="HEST", match="corpus", slides=("a",), test_slides=()
    ),
    "left_out": LeftOutRecord(source="d", kind="check", name="gene_ids", reason="left out by --skip"),
}
KEPT = KeptRecord(level="scores", folder="v1.kept")
EVERYTHING = Results(**{kind: (record,) for kind, record in ONE_OF_EACH.items()}, kept=KEPT)

scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1)).map(
    lambda values: Results(scores=tuple(score(metric, value) for metric, value in values.items()))
)


def test_every_kind_of_record_is_kept_from_both_sides():
    assert merged(EVERYTHING, Results()) == EVERYTHING
    assert merged(Results(), EVERYTHING) == EVERYTHING
    assert merged(EVERYTHING, EVERYTHING) == EVERYTHING
    kinds = {field.name for field in dataclasses.fields(Results)} - {
        "schema",
        "run",
        "earlier_runs",
        "digests",
        "sha256",
    }
    assert kinds == {*ONE_OF_EACH, "kept"}


@given(first=scores, second=scores)
@settings(deadline=None, max_examples=30)
def test_the_later_value_counts_and_no_key_is_lost(first, second):
    values = {record.metric: record.value for record in merged(first, second).scores}
    assert values == {r.metric: r.value for r in first.scores} | {r.metric: r.value for r in second.scores}


@given(first=scores, second=scores, third=scores)
@settings(deadline=None, max_examples=30)
def test_merging_in_steps_is_merging_at_once(first, second, third):
    assert merged(merged(first, second), third) == merged(first, merged(second, third))


def test_stored_records_keep_their_places():
    stored = Results(scores=(score("a"), score("b")))
    new = Results(scores=(score("c"), score("a", 0.9)))
    assert [(s.metric, s.value) for s in merged(stored, new).scores] == [("a", 0.9), ("b", 0.5), ("c", 0.5)]


def test_every_run_stays_on_record():
    runs = [RunRecord(started=f"2025-01-0{day}T00:00:00+00:00") for day in (1, 2, 3)]
    joined = Results()
    for run in runs:
        joined = merged(joined, Results(run=run))
    assert (joined.earlier_runs, joined.run) == (tuple(runs[:2]), runs[2])
    assert merged(joined, Results(scores=(score("a"),))).run == runs[2]


def test_no_conflict_with_itself_or_with_other_names():
    assert conflicts(EVERYTHING, EVERYTHING) == []
    assert conflicts(Results(), EVERYTHING) == []
    other = Results(
        models=(ModelRecord(name="n", revision="9"),),
        tasks=(dataclasses.replace(ONE_OF_EACH["tasks"], name="u", fingerprint="y"),),
        datasets=(dataclasses.replace(ONE_OF_EACH["datasets"], task="u", checksum="z"),),
    )
    assert conflicts(EVERYTHING, other) == []


def test_numbers_of_two_builds_do_not_stand_in_one_file():
    other = Results(tasks=(dataclasses.replace(ONE_OF_EACH["tasks"], numbers=NUMBERS),))
    (line,) = conflicts(EVERYTHING, other)
    assert line.startswith(f"task t: numbers of version {NUMBERS} here, 1 in the file. What moved: ")


def test_every_conflict_is_named():
    other = Results(
        models=(ModelRecord(name="m", revision="9", config_digest="k"),),
        tasks=(dataclasses.replace(ONE_OF_EACH["tasks"], version=2, fingerprint="y"),),
        datasets=(dataclasses.replace(ONE_OF_EACH["datasets"], patients={"s": "A"}),),
    )
    assert conflicts(EVERYTHING, other) == [
        "task t: version 2 here, 1 in the file",
        "data set d of t: patient of slide s: 'A' here, absent in the file",
        "model m: revision '9' here, None in the file",
        "model m: configuration 'k' here, None in the file",
    ]
