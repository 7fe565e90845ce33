from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.checks import patient_leakage
from pytest_stbench.splits.table import Fold, Sample


def _table(**patients):
    return [Sample(slide=slide, patient=patient) for slide, patient in patients.items()]


def _fold(train, test, **more):
    return Fold(name="f", train=tuple(train), test=tuple(test), **more)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("P01", "P01"), ("P01", "p-01"), ("P01", " p 01 "), ("her2st:P01", "P01"), ("her2st_P01", "p.01"),
        ("Patient 1", "patient_1"), ("Müller", "MÜLLER"),
    ],
)  # fmt: skip
def test_one_person_on_both_sides_fails(train, test):
    result = patient_leakage([_fold("a", "b")], _table(a=train, b=test), dataset="her2st")
    assert result.status == "fail"
    assert set(result.slides) == {"a", "b"}
    assert result.statistic == 1
    assert result.message.endswith(result.fix)


@pytest.mark.parametrize(("train", "test"), [("P01", "P02"), ("A", "B"), ("P1", "P11"), ("1a", "1b")])
def test_different_people_pass(train, test):
    result = patient_leakage([_fold("a", "b")], _table(a=train, b=test), dataset="her2st")
    assert result.status == "pass"


@pytest.mark.parametrize(("train", "test"), [("P1", "P01"), ("patient 1", "1"), ("Donor-7", "07")])
def test_ids_that_look_alike_warn(train, test):
    result = patient_leakage([_fold("a", "b")], _table(a=train, b=test))
    assert result.status == "warn"
    assert "may be one person" in result.message


def test_one_number_in_two_studies_is_two_people():
    samples = [
        Sample(slide="a", patient="patient 1", corpus="study A"),
        Sample(slide="b", patient="patient 1", corpus="study B"),
    ]
    assert patient_leakage([_fold("a", "b")], samples).status == "pass"
    joined = [Sample(slide=s.slide, patient=s.patient, corpus="HEST") for s in samples]
    assert patient_leakage([_fold("a", "b")], joined).status == "fail"


def test_validation_and_test_of_a_published_split_share_a_patient():
    skin = _table(TENX115="patient 2", TENX117="patient 1", TENX122="patient 3")
    assert patient_leakage([_fold(["TENX115", "TENX117"], ["TENX117"])], skin).status == "fail"


def test_a_missing_id_fails_a_grouped_split_and_warns_in_others():
    table = _table(a="P1", b=None, c="P2")
    grouped = patient_leakage([_fold("ab", "c")], table, grouped=True)
    assert grouped.status == "fail"
    assert grouped.slides == ("b",)
    assert patient_leakage([_fold("ab", "c")], table, grouped=False).status == "warn"


def test_without_any_id_nothing_can_be_judged():
    table = _table(a=None, b="NA")
    assert patient_leakage([_fold("a", "b")], table, grouped=False).status == "skip"
    assert patient_leakage([_fold("a", "b")], table, grouped=True).status == "fail"


def test_a_slide_that_is_not_in_the_table_fails():
    result = patient_leakage([_fold("a", "z")], _table(a="P1"))
    assert result.status == "fail"
    assert "z" in result.message


def test_no_fold_is_a_skip_and_folds_within_a_slide_are_not_judged():
    assert patient_leakage([], _table(a="P1")).status == "skip"
    assert patient_leakage([_fold("a", "a", within=True)], _table(a="P1")).status == "pass"


def test_every_leaking_fold_counts():
    folds = [_fold("ab", "cd"), _fold("cd", "ab")]
    result = patient_leakage(folds, _table(a="P1", b="P2", c="p1", d="p2"))
    assert result.statistic == 2
    assert "1 other too" in result.message


def test_ids_that_are_no_text():
    result = patient_leakage([_fold("a", "b")], _table(a=1, b="1"))
    assert result.status == "fail"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
def test_agrees_with_brute_force_and_ignores_the_order(people, rng):
    samples = [Sample(slide=f"S{i}", patient=f"ID{'ABCDEFG'[p]}") for i, p in enumerate(people)]
    cut = len(people) // 2
    train, test = [s.slide for s in samples[:cut]], [s.slide for s in samples[cut:]]
    expected = len(set(people[:cut]) & set(people[cut:]))
    rng.shuffle(train)
    rng.shuffle(test)
    result = patient_leakage([_fold(train, test)], rng.sample(samples, len(samples)))
    assert (result.status == "fail") is (expected > 0)
    assert result.statistic == expected


def test_an_id_that_is_only_the_name_of_the_data_set_stays():
    assert patient_leakage([_fold("a", "b")], _table(a="her2st", b="P1"), dataset="her2st").status == "pass"
    assert (
        patient_leakage([_fold("a", "b")], _table(a="her2st", b="HER2ST"), dataset="her2st").status == "fail"
    )


def test_the_message_shows_both_spellings():
    spelt = patient_leakage([_fold("a", "b")], _table(a="P01", b="p-01"))
    assert "'P01' and 'p-01', one id apart from spelling" in spelt.message
    same = patient_leakage([_fold("a", "b")], _table(a="P01", b="P01"))
    assert "spelling" not in same.message
    assert "too)" not in same.message
