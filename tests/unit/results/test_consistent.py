"""A results file that was edited or damaged is refused; one that a tool only wrote in another form is not."""

from __future__ import annotations

import json
from statistics import fmean, median

import pytest
from hypothesis import given, strategies as st

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import (
    DatasetRecord,
    GateRecord,
    ModelRecord,
    Results,
    ScoreRecord,
    VerdictRecord,
    load,
    merged,
    save,
)
from pytest_stbench.results.consistent import mistakes

PLACE = {"task": "t", "dataset": "d", "split": "lopo"}
SLIDES = {"s1": 0.1, "s2": 0.2, "s3": 1e-05, "s4": None}
PATIENTS = {"s1": "A", "s2": "A", "s3": "B", "s4": "C"}


def score(per_patient, **fields):
    values = [value for value in per_patient.values() if value is not None]
    follows = {name: f(values) for name, f in (("median", median), ("min", min), ("max", max)) if values}
    return ScoreRecord(
        **PLACE, task_version=1, family="imputation", model="m", metric="r", per_patient=per_patient,
        **{"value": fmean(values) if values else None, "n_patients": len(values), **follows, **fields},
    )  # fmt: skip


def gate(kind="min", estimate=0.5, threshold=0.2, outcome="pass", **fields):
    return GateRecord(
        kind=kind, n=6, estimate=estimate, threshold=threshold, outcome=outcome, message="", **fields
    )


def verdict(word="pass", *gates):
    return VerdictRecord(**PLACE, model="m", metric="r", verdict=word, gates=gates or (gate(),))


def full():
    dataset = DatasetRecord(
        task="t", name="d", checksum="c", patients=PATIENTS, n_slides=4, n_units=9, n_genes=5
    )
    one = score(
        {"A": 0.15000000000000002, "B": 1e-05, "C": None}, per_slide=SLIDES, ci_low=0.0, ci_high=1.0,
        baseline=0.025, ceiling=0.225, skill=(fmean([0.15000000000000002, 1e-05]) - 0.025) / 0.2,
    )  # fmt: skip
    return Results(
        datasets=(dataset,), scores=(one, score({"A": 1.0, "B": 3.0}, fold="F")), verdicts=(verdict(),)
    )


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "v1.json"
    save(path, full())
    return path


def edited(path, edit, *, old):
    data = json.loads(path.read_text())
    edit(data)
    if old:
        del data["digests"]
    path.write_text(json.dumps(data))
    return path


EDITS = {
    "value": (lambda d: d["scores"][0].update(value=0.9), "value is 0.9, but per_patient gives 0.075"),
    "null": (lambda d: d["scores"][0].update(value=None), "value is null, but"),
    "patient": (lambda d: d["scores"][0]["per_patient"].update(A=0.9), "value is 0.075005, but per_patient"),
    "patient alone": (
        lambda d: d["scores"][1].update(per_patient={"A": 2.0}, value=2.0, median=2.0, min=2.0, max=2.0),
        "n_patients is 2, but 1",
    ),
    "lost patient": (lambda d: d["scores"][0]["per_patient"].pop("C"), "not of the same patients"),
    "median": (lambda d: d["scores"][1].update(median=1.5), "median is 1.5, but per_patient gives 2"),
    "min": (lambda d: d["scores"][1].update(min=2.0), "min is 2"),
    "max": (lambda d: d["scores"][1].update(max=2.0), "max is 2"),
    "slide": (
        lambda d: d["scores"][0]["per_slide"].update(s1=0.9),
        r"per_patient\['A'\] is 0.15, but its",
    ),
    "interval": (lambda d: d["scores"][0].update(ci_low=0.5), "lies outside its interval"),
    "skill": (lambda d: d["scores"][0].update(skill=0.9), "skill is 0.9, but"),
    "ceiling": (lambda d: d["scores"][0].update(ceiling=0.5), "skill is"),
    "verdict": (
        lambda d: d["verdicts"][0]["gates"][0].update(outcome="fail", estimate=0.1),
        "the verdict is pass, but the rule min was not passed",
    ),
    "gate": (lambda d: d["verdicts"][0]["gates"][0].update(estimate=0.1), "the rule min says pass, but 0.1"),
    "threshold": (lambda d: d["verdicts"][0]["gates"][0].update(threshold=0.9), "held against 0.9"),
}


@pytest.mark.parametrize("old", [False, True], ids=["with digests", "without"])
@pytest.mark.parametrize("name", EDITS)
def test_what_does_not_follow_from_its_values_is_refused(written, name, old):
    edit, message = EDITS[name]
    edited(written, edit, old=old)
    before = written.read_bytes()
    with pytest.raises(ResultsError, match=message) as caught:
        load(written)
    for part in (str(written), "[0] (" if name not in ("patient alone", "median", "min", "max") else "[1] (",
                 "--stbench-save", "Restore"):  # fmt: skip
        assert part in str(caught.value)
    with pytest.raises(ResultsError):
        save(written, full())
    assert written.read_bytes() == before


HIDDEN = {
    "consistent": lambda d: d["scores"][1].update(
        per_patient={"A": 9.0}, n_patients=1, value=9.0, median=9.0, min=9.0, max=9.0
    ),
    "checksum": lambda d: d["datasets"][0].update(checksum="e"),
    "message": lambda d: d["verdicts"][0].update(message="fine"),
    "seconds": lambda d: d["scores"][0].update(seconds=1.0),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_digest_tells_which_record_was_changed(written, name):
    edited(written, HIDDEN[name], old=False)
    with pytest.raises(ResultsError, match=r"\[[01]\] \(t .*\): changed after it was written"):
        load(written)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["scores"].pop(),
        lambda d: d["scores"].append(d["scores"][0]),
        lambda d: d.update(scores=[]),
    ],
)
def test_records_that_are_lost_or_added_are_counted(written, edit):
    edited(written, edit, old=False)
    with pytest.raises(ResultsError, match=r"scores: \d records where 2 were written"):
        load(written)


def test_a_model_of_before_it_had_a_name_of_its_own_is_as_it_was_written(tmp_path):
    path = tmp_path / "v1.json"
    save(path, Results(models=(ModelRecord(name="m", revision="1"),)))
    data = json.loads(path.read_text())
    del data["models"][0]["own_name"]
    path.write_text(json.dumps(data))
    assert load(path).models[0].own_name is None
    data["models"][0]["own_name"] = "another"
    path.write_text(json.dumps(data))
    with pytest.raises(ResultsError, match="changed after it was written"):
        load(path)


def test_a_file_without_digests_is_read(written):
    edited(written, lambda d: None, old=True)
    assert load(written) == full()
    assert load(written).digests == {}
    assert save(written, full()).digests["scores"]


def as_other_tools(value):
    """Whole floats as integers, keys in another order."""
    if isinstance(value, dict):
        return {key: as_other_tools(value[key]) for key in sorted(value, reverse=True)}
    if isinstance(value, list):
        return [as_other_tools(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_another_form_of_the_same_numbers_is_the_same_record(written):
    text = json.dumps(as_other_tools(json.loads(written.read_text())))
    assert '"value": 2,' in text
    written.write_text(text.replace("1e-05", "0.00001"))
    assert load(written) == full()


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=3), st.none() | st.floats(allow_nan=False, width=32), min_size=1, max_size=8
        ),
        max_size=4,
    )
)
def test_what_is_saved_is_read_back(tmp_path_factory, patients):
    path = tmp_path_factory.mktemp("results") / "v1.json"
    finite = [
        {p: None if v is not None and abs(v) == float("inf") else v for p, v in one.items()}
        for one in patients
    ]
    scores = tuple(score(one, fold=str(place)) for place, one in enumerate(finite))
    save(path, Results(scores=scores))
    save(path, Results(scores=scores[:1]))
    assert load(path) == Results(scores=scores)


def test_rules_that_are_just_met_or_only_shown_are_left_alone():
    gates = (
        gate(estimate=0.2 - 1e-13),
        gate("max", estimate=0.1),
        gate("beats", outcome="fail", declared=False, reference="S"),
        gate("min_patient", estimate=None, outcome="pass"),
    )
    assert list(mistakes(Results(verdicts=(verdict("pass", *gates),)))) == []
    assert list(mistakes(Results(verdicts=(verdict("fail", gate("max", estimate=0.1, outcome="fail")),))))


def test_merging_makes_the_digests_anew():
    stored = Results(scores=(score({"A": 1.0}),), digests={"scores": ("0" * 16,)})
    assert list(mistakes(merged(stored, Results()))) == []


def test_a_mistake_of_a_run_is_not_written(tmp_path):
    path = tmp_path / "v1.json"
    with pytest.raises(ResultsError, match="please report it"):
        save(path, Results(scores=(score({"A": 1.0}, value=2.0),)))
    assert not path.exists()
