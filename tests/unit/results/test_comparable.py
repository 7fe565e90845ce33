from __future__ import annotations

import dataclasses

import pytest

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import (
    Counterparts,
    DatasetRecord,
    LockRecord,
    Results,
    ScoreRecord,
    TaskRecord,
    changes,
    paired_differences,
    why_not_comparable,
)
from pytest_stbench.spec.numbers import NUMBERS

TASK = TaskRecord(
    name="t",
    version=2,
    family="imputation",
    claim="population",
    primary="r",
    fingerprint="aaa",
    fingerprint_parts={"preprocess.normalise": "log1p_cp10k", "splits": "lopo", "preprocess.genes.n": "50"},
)
DATASET = DatasetRecord(
    task="t",
    name="d",
    checksum="c1",
    patients={"s1": "A", "s2": "A", "s3": "B"},
    n_slides=3,
    n_units=9,
    n_genes=5,
)
FOLD = LockRecord(
    task="t", dataset="d", split="lopo", fold="A", train=("s3",), test=("s1", "s2"), genes=("ERBB2", "KRT8")
)
STORED = Results(tasks=(TASK,), datasets=(DATASET,), lock=(FOLD,))


def score(per_patient, *, model="m", **fields):
    return ScoreRecord(
        task="t",
        task_version=2,
        family="imputation",
        dataset="d",
        split="lopo",
        model=model,
        metric=fields.pop("metric", "r"),
        value=None,
        per_patient=per_patient,
        n_patients=len(per_patient),
        **fields,
    )


def test_the_same_run_is_comparable():
    assert why_not_comparable(TASK, [DATASET], STORED, [FOLD]) == []


def test_a_claim_does_not_keep_runs_apart():
    assert why_not_comparable(dataclasses.replace(TASK, claim="exploratory"), [DATASET], STORED) == []


def test_an_unknown_task_names_what_is_there():
    assert why_not_comparable(dataclasses.replace(TASK, name="u"), [], STORED) == [
        "the stored run has no task u (tasks there: t)"
    ]
    assert "(tasks there: none)" in why_not_comparable(TASK, [], Results())[0]


def test_parts_of_the_fingerprint_are_named():
    parts = {"preprocess.normalise": "log1p", "splits": "lopo", "seeds": "0,1"}
    task = dataclasses.replace(TASK, version=3, fingerprint="bbb", fingerprint_parts=parts)
    assert why_not_comparable(task, [DATASET], STORED) == [
        "version 3 here, 2 in the stored run",
        "preprocess.genes.n is set in the stored run and not here",
        "preprocess.normalise differs from that in the stored run",
        "seeds is set here and not in the stored run",
    ]


def test_a_fingerprint_that_differs_in_no_part_is_still_a_difference():
    (line,) = why_not_comparable(dataclasses.replace(TASK, fingerprint="bbb"), [DATASET], STORED)
    assert line.startswith("fingerprint bbb here, aaa in the stored run, with equal parts")


def test_numbers_that_moved_are_named_before_all_else():
    """A file of a build before the numbers had a version has those of version 1."""
    older = dataclasses.replace(TASK, version=1)
    assert TaskRecord.from_dict({k: v for k, v in older.to_dict().items() if k != "numbers"}).numbers == 1
    task = dataclasses.replace(TASK, numbers=NUMBERS)
    first, second = why_not_comparable(task, [DATASET], dataclasses.replace(STORED, tasks=(older,)))
    assert first.startswith(
        f"numbers of version {NUMBERS} here, 1 in the stored run. What moved: everything that"
    )
    assert second == "version 2 here, 1 in the stored run"
    later = dataclasses.replace(TASK, numbers=NUMBERS + 1)
    (line,) = why_not_comparable(task, [DATASET], dataclasses.replace(STORED, tasks=(later,)))
    assert "a later version of pytest-stbench" in line
    assert why_not_comparable(later, [DATASET], dataclasses.replace(STORED, tasks=(later,))) == []


def test_data_that_differ_are_named():
    patients = {"s1": "A", "s2": "B", "s4": "C"}
    dataset = dataclasses.replace(DATASET, checksum="c2", patients=patients)
    assert why_not_comparable(TASK, [dataset], STORED) == [
        "data set d: checksum c2 here, c1 in the stored run",
        "data set d: patient of slide s2: 'B' here, 'A' in the stored run",
        "data set d: patient of slide s3: absent here, 'B' in the stored run",
        "data set d: patient of slide s4: 'C' here, absent in the stored run",
    ]
    assert why_not_comparable(TASK, [dataclasses.replace(DATASET, name="e")], STORED) == [
        "data set e: not in the stored run"
    ]
    assert why_not_comparable(TASK, [dataclasses.replace(dataset, task="u")], STORED) == []


def test_folds_that_differ_are_named():
    fold = dataclasses.replace(FOLD, test=("s2",), genes=("KRT8", "ERBB2", "ESR1"))
    assert why_not_comparable(TASK, [DATASET], STORED, [fold]) == [
        "fold d-lopo-A: test slides: only in the stored run s1",
        "fold d-lopo-A: genes: only here ESR1",
    ]
    reordered = dataclasses.replace(FOLD, test=("s2", "s1"))
    assert why_not_comparable(TASK, [DATASET], STORED, [reordered]) == []
    assert why_not_comparable(TASK, [DATASET], STORED, [dataclasses.replace(fold, fold="Z")]) == []


def test_folds_of_other_tasks_are_passed_over():
    other = dataclasses.replace(FOLD, task="u")
    stored = dataclasses.replace(STORED, lock=(FOLD, other))
    assert why_not_comparable(TASK, [DATASET], stored, [dataclasses.replace(other, test=("s1",))]) == []


def test_long_settings_and_long_lists_are_cut():
    task = dataclasses.replace(TASK, fingerprint_parts=TASK.fingerprint_parts | {"splits": "x" * 200})
    (line,) = why_not_comparable(task, [], STORED)
    assert len(line) < 120
    fold = dataclasses.replace(FOLD, genes=tuple("abcdefgh"))
    (line,) = why_not_comparable(TASK, [], STORED, [fold])
    assert "only here a, b, c, d, e and 3 more, only in the stored run ERBB2, KRT8" in line


def test_counterpart_is_the_model_of_the_same_name():
    stored = Results(
        scores=(score({"A": 0.1}), score({"A": 0.2}, model="n"), score({"A": 0.3}, metric="rmse"))
    )
    assert Counterparts(stored).of(score({})).per_patient == {"A": 0.1}
    assert Counterparts(stored).of(score({}, model="n")).per_patient == {"A": 0.2}
    assert Counterparts(stored).of(score({}, metric="rmse")).per_patient == {"A": 0.3}


def test_counterpart_is_the_only_model_of_the_stored_run():
    baseline = score({"A": 0.9}, model="ridge", role="baseline")
    stored = Results(scores=(score({"A": 0.1}, model="v1"), baseline))
    assert Counterparts(stored).of(score({}, model="v2")).model == "v1"
    assert Counterparts(stored).of(score({}, model="v2", fold="A")) is None
    assert Counterparts(stored).of(score({}, model="v2", metric="rmse")) is None


def test_counterpart_is_never_another_model_than_the_named_one():
    stored = Results(scores=(score({"A": 0.1}, model="v1"), score({"A": 0.1}, model="v2", metric="rmse")))
    assert Counterparts(stored).of(score({}, model="v2")) is None
    with pytest.raises(ResultsError, match=r"no model v3 but several others \(v1, v2\)"):
        Counterparts(stored).of(score({}, model="v3"))


def test_counterpart_has_the_same_role():
    stored = Results(scores=(score({"A": 0.1}), score({"A": 0.9}, role="baseline")))
    assert Counterparts(stored).of(score({})).per_patient == {"A": 0.1}
    assert Counterparts(stored).of(score({}, role="baseline")).per_patient == {"A": 0.9}


def test_counterpart_of_an_empty_run():
    assert Counterparts(Results()).of(score({})) is None


def test_paired_differences():
    now, before = (
        score({"B": 0.5, "A": 0.4, "C": None, "D": 0.1}),
        score({"A": 0.1, "B": 0.7, "C": 0.2, "E": 0.1}),
    )
    up = paired_differences(now, before, better="up")
    assert list(up) == ["A", "B"]
    assert up == pytest.approx({"A": 0.3, "B": -0.2})
    assert paired_differences(now, before, better="down") == pytest.approx({"A": -0.3, "B": 0.2})
    with pytest.raises(ResultsError, match="no better direction"):
        paired_differences(now, before, better="context")


def test_changes_name_who_lost_most():
    now = score({"A": 0.4, "B": 0.3, "C": 0.5}, per_slide={"s1": 0.5, "s2": 0.3, "s3": 0.3, "s4": None})
    before = score({"A": 0.5, "B": 0.7, "C": 0.4}, per_slide={"s1": 0.4, "s2": 0.6, "s3": 0.7, "s4": 0.1})
    found = changes(now, before, better="up", patient_of=DATASET.patients | {"s4": "C"})
    assert [(c.patient, round(c.difference, 9)) for c in found] == [("B", -0.4), ("A", -0.1), ("C", 0.1)]
    assert [(c.slide, round(c.difference, 9)) for c in found[1].slides] == [("s2", -0.3), ("s1", 0.1)]
    assert found[2].slides == ()
    assert (found[0].current, found[0].stored) == (0.3, 0.7)
    assert (found[1].slides[0].current, found[1].slides[0].stored) == (0.3, 0.6)
    turned = changes(now, before, better="down", patient_of=DATASET.patients)
    assert [c.patient for c in turned] == ["C", "A", "B"]
    assert [c.slide for c in turned[1].slides] == ["s1", "s2"]


def test_changes_without_slides_kept():
    (change,) = changes(score({"A": 0.4}), score({"A": 0.5}), better="up", patient_of={})
    assert (change.patient, change.slides) == ("A", ())
