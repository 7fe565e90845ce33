from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pytest_stbench.errors import SplitError
from pytest_stbench.spec.model import SplitSpec
from pytest_stbench.splits.designs import make_folds
from pytest_stbench.splits.table import Sample

FIELDS = {
    "lopanel": "panel", "losite": "site", "lotech": "technology", "locorpus": "corpus", "loorgan": "organ",
}  # fmt: skip


def table(field, *rows):
    return [Sample(slide=slide, patient=patient, **{field: group}) for slide, patient, group in rows]


def folds_of(name, samples, **params):
    return {f.name: (f.train, f.test) for f in make_folds(SplitSpec(name=name, params=params), samples)}


@pytest.mark.parametrize(("name", "field"), FIELDS.items())
def test_every_group_is_held_out_once_and_its_patients_with_it(name, field):
    samples = table(field, ("s1", "a", "X"), ("s2", "b", "X"), ("s3", "b", "Y"), ("s4", "c", "Y"))
    assert folds_of(name, samples) == {"X": (("s4",), ("s1", "s2")), "Y": (("s1",), ("s3", "s4"))}


def test_one_direction_alone():
    samples = table("technology", ("s1", "a", "Visium"), ("s2", "b", "Xenium 5k"))
    assert folds_of("lotech", samples, test="Xenium 5k") == {"Xenium_5k": (("s1",), ("s2",))}


@pytest.mark.parametrize(
    ("rows", "params", "message"),
    [
        ([("s1", "a", "X"), ("s2", "b", None)], {}, "no site for s2: fill the column `site`"),
        (
            [("s1", "a", "X"), ("s2", "b", "X")],
            {},
            "leaving one site out needs two or more, .* has X alone",
        ),
        ([("s1", "a", "X"), ("s2", "b", "Y")], {"test": "Z"}, "there is no site 'Z'; the data has X, Y"),
        ([("s1", "a", "X"), ("s2", "b", "X"), ("s3", "a", "Y")], {}, "nothing is left to train on"),
        ([("s1", "a", "X"), ("s2", None, "Y")], {}, "no patient id for s2|needs 2 patients"),
    ],
)
def test_what_cannot_be_split_is_told(rows, params, message):
    with pytest.raises(SplitError, match=message):
        folds_of("losite", table("site", *rows), **params)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("XYZ")), min_size=2, max_size=12))
def test_no_patient_stands_on_both_sides(rows):
    samples = table("site", *((f"s{i}", patient, group) for i, (patient, group) in enumerate(rows)))
    patient = {sample.slide: sample.patient for sample in samples}
    site = {sample.slide: sample.site for sample in samples}
    try:
        folds = folds_of("losite", samples)
    except SplitError:
        return
    assert sorted(slide for _, test in folds.values() for slide in test) == sorted(patient)
    for name, (train, test) in folds.items():
        assert not {patient[s] for s in train} & {patient[s] for s in test}
        assert {site[s] for s in test} == {name}
        assert name not in {site[s] for s in train}
