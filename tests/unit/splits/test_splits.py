from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from pytest_stbench.errors import SplitError
from pytest_stbench.registry import Split
from pytest_stbench.spec.model import SplitSpec
from pytest_stbench.splits import SPLITS, Fold, Sample, make_folds, slug


def _split(name, **params):
    return SplitSpec(name=name, params=params)


def _samples(patients, disease=None):
    """One slide per letter or label of `patients`: A1, A2, B1 ..."""
    count = Counter()
    rows = []
    for patient in patients:
        count[patient] += 1
        kind = disease(patient) if disease else None
        rows.append(Sample(slide=f"{patient}{count[patient]}", patient=patient, disease=kind))
    return rows


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("A", "A"),
        ("P-01", "P_01"),
        ("p 1/2", "p_1_2"),
        ("Müller", "Muller"),
        ("a.b_c", "a.b_c"),
        ("患者1", "_1"),
        ("", ""),
    ],
)
def test_slug(label, expected):
    assert slug(label) == expected


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=20))
def test_a_slug_fits_ids_and_stays_itself(label):
    assert slug(slug(label)) == slug(label)
    assert all(letter.isascii() and (letter.isalnum() or letter in "_.") for letter in slug(label))


def test_lopo_is_leave_one_group_out():
    samples = _samples("AABBBCD")
    slides = [sample.slide for sample in samples]
    groups = [sample.patient for sample in samples]

    folds = make_folds(_split("lopo"), samples)

    oracle = {
        (frozenset(slides[i] for i in train), frozenset(slides[i] for i in test))
        for train, test in LeaveOneGroupOut().split(slides, groups=groups)
    }
    assert {(frozenset(fold.train), frozenset(fold.test)) for fold in folds} == oracle
    assert [fold.name for fold in folds] == ["A", "B", "C", "D"]
    assert folds[1] == Fold(name="B", train=("A1", "A2", "C1", "D1"), test=("B1", "B2", "B3"))


def test_pgkf_holds_what_group_k_fold_holds():
    samples = _samples("AAAABBBCCDDEEFGHI")
    slides = [sample.slide for sample in samples]
    groups = [sample.patient for sample in samples]

    folds = make_folds(_split("pgkf", k=4), samples)

    oracle = [len(test) for _, test in GroupKFold(4).split(slides, groups=groups)]
    assert sorted(len(fold.test) for fold in folds) == sorted(oracle)
    assert [fold.name for fold in folds] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("patients", "k", "count"), [(4, None, 4), (5, None, 5), (30, None, 5), (30, 7, 7), (4, 2, 2)]
)
def test_pgkf_number_of_folds(patients, k, count):
    samples = _samples([f"P{number}" for number in range(patients)])

    assert len(make_folds(_split("pgkf", k=k), samples)) == count


def test_pgkf_deals_each_disease_over_all_folds():
    patients = [f"L{i}" for i in range(10)] + [f"B{i}" for i in range(5)] + [f"S{i}" for i in range(7)]
    folds = make_folds(_split("pgkf"), _samples(patients, disease=lambda patient: patient[0]))

    for disease in "LBS":
        counts = [sum(slide.startswith(disease) for slide in fold.test) for fold in folds]
        assert max(counts) - min(counts) <= 1
    assert max(len(fold.test) for fold in folds) - min(len(fold.test) for fold in folds) <= 1


def test_pgkf_depends_on_the_seed_and_on_nothing_else():
    samples = _samples([f"P{number}" for number in range(12)])
    folds = make_folds(_split("pgkf"), samples)

    assert make_folds(_split("pgkf", seed=0), samples[::-1]) == folds
    assert any(make_folds(_split("pgkf", seed=seed), samples) != folds for seed in range(1, 4))


def test_pgkf_golden_folds():
    # By hand: disease y first (four patients), C with most slides to fold 1, A to 2, B and D to 3; then
    # x to the fold with fewest slides, in the order of sha256("1:F") < sha256("1:E") < sha256("1:G").
    samples = _samples("AABCCCDEFG", disease=lambda patient: "y" if patient in "ABCD" else "x")

    folds = make_folds(_split("pgkf", k=3, seed=1), samples)

    assert [fold.test for fold in folds] == [("C1", "C2", "C3", "G1"), ("A1", "A2", "F1"), ("B1", "D1", "E1")]


PATIENTS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["x", "y", None])), min_size=4, max_size=30)


@settings(deadline=None, max_examples=50)
@given(rows=PATIENTS, seed=st.integers(0, 99), order=st.randoms(use_true_random=False), k=st.integers(2, 6))
def test_patient_splits_are_partitions(rows, seed, order, k):
    samples = [
        Sample(slide=f"s{i}", patient=f"p{patient}", disease=disease)
        for i, (patient, disease) in enumerate(rows)
    ]
    patient_of = {sample.slide: sample.patient for sample in samples}
    patients = set(patient_of.values())
    shuffled = order.sample(samples, len(samples))

    for split, needed in (
        (_split("lopo"), 2),
        (_split("pgkf", seed=seed), 4),
        (_split("pgkf", k=k), max(4, k)),
    ):
        if len(patients) < needed:
            with pytest.raises(SplitError):
                make_folds(split, samples)
            continue
        folds = make_folds(split, samples)
        assert folds == make_folds(split, shuffled)
        assert sorted(slide for fold in folds for slide in fold.test) == sorted(patient_of)
        assert len({fold.name for fold in folds}) == len(folds)
        for fold in folds:
            assert fold.train
            assert sorted((*fold.train, *fold.test)) == sorted(patient_of)
            assert not {patient_of[s] for s in fold.train} & {patient_of[s] for s in fold.test}


def _fixed_samples(words):
    return [
        Sample(slide=f"s{i}", patient="p", site=word, extra={"split": word}) for i, word in enumerate(words)
    ]


@pytest.mark.parametrize("column", ["split", "site"])
def test_fixed_reads_a_column_and_val_counts_as_train(column):
    samples = _fixed_samples(["train", "Test", " val ", "TEST", "validation"])

    assert make_folds(_split("fixed", column=column), samples) == (
        Fold(name="test", train=("s0", "s2", "s4"), test=("s1", "s3")),
    )


def test_fixed_reads_a_list():
    samples = _fixed_samples(["", "", ""])

    assert make_folds(_split("fixed", test=["s1"]), samples) == (
        Fold(name="test", train=("s0", "s2"), test=("s1",)),
    )


@pytest.mark.parametrize(
    ("params", "words", "part"),
    [
        ({}, ["train", "test"], "exactly one of column"),
        ({"column": "split", "test": ["s0"]}, ["train", "test"], "exactly one of column"),
        ({"column": "splits"}, ["train", "test"], "did you mean 'split'"),
        ({"column": "split"}, ["train", "", "test", ""], "empty for s1, s3"),
        ({"column": "split"}, ["train", "test", "fold3"], "'fold3'; allowed: train, test"),
        ({"column": "split"}, ["train", "train"], "no test slides"),
        ({"column": "split"}, ["test", "test"], "no train slides"),
        ({"test": ["s0", "s1"]}, ["", ""], "no train slides"),
        ({"test": []}, ["", ""], "no test slides"),
        ({"test": "s0"}, ["", ""], "list of slide ids"),
        ({"test": [0]}, ["", ""], "list of slide ids"),
        ({"test": ["S0", "s9"]}, ["", ""], "no slide 'S0'"),
    ],
)
def test_fixed_refuses_what_is_unclear(params, words, part):
    with pytest.raises(SplitError) as caught:
        make_folds(_split("fixed", **params), _fixed_samples(words))

    assert part in str(caught.value)


def test_within_cuts_every_slide():
    samples = [Sample(slide="A-1"), Sample(slide="B")]

    folds = make_folds(_split("within", gap_um=300, seed=4), samples)

    params = {"block_um": 500.0, "gap_um": 300.0, "test_share": 0.25}
    assert folds == (
        Fold(name="A_1", train=("A-1",), test=("A-1",), within=True, seed=4, params=params),
        Fold(name="B", train=("B",), test=("B",), within=True, seed=4, params=params),
    )


@pytest.mark.parametrize(
    "params",
    [{"block_um": 0}, {"gap_um": -1}, {"test_share": 1}, {"test_share": float("nan")}, {"block_um": "big"},
     {"gap_um": True}, {"block_um": float("inf")}, {"seed": -1}, {"seed": 0.5}],
)  # fmt: skip
def test_within_refuses_impossible_blocks(params):
    with pytest.raises(SplitError):
        make_folds(_split("within", **params), [Sample(slide="A")])


@pytest.mark.parametrize(
    ("split", "samples", "part"),
    [
        (_split("lopoo"), _samples("AB"), "did you mean 'lopo'"),
        (_split("lopo", k=1), _samples("AB"), "no parameter k; it takes none"),
        (_split("pgkf", kk=1), _samples("ABCD"), "allowed: k, seed"),
        (_split("pgkf", k=1), _samples("ABCD"), "at least 2"),
        (_split("pgkf", k=2.5), _samples("ABCD"), "whole number"),
        (_split("pgkf", k=True), _samples("ABCD"), "whole number"),
        (_split("pgkf", k=5), _samples("ABCD"), "lower k"),
        (_split("pgkf"), _samples("AABBC"), "use lopo or within"),
        (_split("pgkf"), _samples("AA"), "use within"),
        (_split("lopo"), _samples("AAA"), "1 patient: use within"),
        (_split("lopo"), [], "no slides"),
        (_split("lopo"), [*_samples("AB"), *_samples("A")], "lists A1 more than once"),
        (_split("lopo"), _samples(["P-1", "P 1"]), "'P 1' and 'P-1'"),
        (_split("lopo"), _samples(["??", "B"]), "'??'"),
        (_split("within"), [Sample(slide="a-b"), Sample(slide="a/b")], "'a-b' and 'a/b'"),
        (_split("lopo"), [*_samples("AB"), Sample(slide="x"), Sample(slide="w", patient=" ")], "for w, x"),
    ],
)
def test_errors_name_what_was_found_and_what_to_do(split, samples, part):
    with pytest.raises(SplitError) as caught:
        make_folds(split, samples)

    assert part in str(caught.value)


def test_ids_are_grouped_as_given():
    folds = make_folds(_split("lopo"), _samples(["P01", "p01"]))

    assert [fold.name for fold in folds] == ["P01", "p01"]


def bad_names(samples):
    return (Fold(name="a-b", train=(samples[0].slide,), test=(samples[1].slide,)),)


def no_folds(samples):
    return ()


def no_train(samples):
    return (Fold(name="a", train=(), test=(samples[0].slide,)),)


def stray_slides(samples):
    return (Fold(name="a", train=("nowhere",), test=(samples[0].slide,)),)


@pytest.mark.parametrize("design", [bad_names, no_folds, no_train, stray_slides])
def test_designs_of_other_packages_are_held_to_the_same(monkeypatch, design):
    monkeypatch.setattr("pytest_stbench.splits.designs.loaded", lambda target: design)
    record = Split(id="x", name="x", summary="", target="")

    with pytest.raises(SplitError):
        make_folds(_split("x"), _samples("AB"), [record])


def test_the_catalogue_names_functions_with_its_parameters():
    for record in SPLITS:
        try:
            make_folds(_split(record.name), _samples("ABCDE"))
        except SplitError as error:
            # fixed needs a parameter, the others a column that these samples do not have
            assert record.name == "fixed" or record.name.startswith("lo"), error  # noqa: PT017


def test_splitting_needs_the_standard_library_alone():
    code = (
        "import sys, pytest_stbench.splits as s\n"
        "design = type('Lopo', (), {'name': 'lopo', 'params': {}})\n"
        "s.make_folds(design, [s.Sample(slide=p, patient=p) for p in 'AB'])\n"
        "print([m for m in ('numpy', 'pandas', 'pydantic', 'yaml', 'pytest') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
