from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import class_imbalance
from pytest_stbench.splits.table import Fold, Sample


@pytest.fixture
def labelled(make_slide, make_dataset, spoil):
    """Return a maker of data sets whose slides have so many units of each class, and folds by slide."""

    def make(label="niche", **slides):
        read = []
        for name, classes in slides.items():
            values = np.array([c for c, n in classes.items() for _ in range(n)], dtype=object)
            slide = make_slide(name, counts=np.full((len(values), 3), 10))
            read.append(spoil(slide, labels={label: values}))
        samples = [Sample(slide=name, patient=name) for name in slides]
        folds = [Fold(name=t, train=tuple(s for s in slides if s != t), test=(t,)) for t in slides]
        return folds, samples, make_dataset(read, samples=samples)

    return make


EVEN = {"tumour": 50, "stroma": 50}


def test_every_class_in_every_patient_passes(labelled):
    result = class_imbalance(*labelled(A=EVEN, B=EVEN, C=EVEN))
    assert (result.status, result.statistic) == ("pass", 0.0)


@pytest.mark.parametrize(("rare", "status"), [(10, "warn"), (33, "warn"), (34, "fail"), (80, "fail")])
def test_a_class_of_the_test_patient_alone(labelled, rare, status):
    result = class_imbalance(*labelled(A=EVEN, B=EVEN, C={**EVEN, "TLS": rare}))
    assert result.status == status
    assert result.statistic == pytest.approx(rare / (100 + rare))
    assert "TLS" in result.message
    assert result.slides == ("C",)


def test_fewer_than_two_classes_remain(labelled):
    result = class_imbalance(*labelled(A=EVEN, B=EVEN, C={"tumour": 90, "TLS": 10}))
    assert result.status == "fail"
    assert "fewer than two classes remain" in result.message


def test_training_slides_of_one_class(labelled):
    result = class_imbalance(*labelled(A={"tumour": 50}, B=EVEN))
    assert result.status == "fail"
    assert "fewer than two classes" in result.message


def test_where_no_model_predicts_labels_nothing_fails(labelled):
    facts = labelled(A={"tumour": 50}, B={**EVEN, "TLS": 200})
    result = class_imbalance(*facts, predicted=False)
    assert result.status == "warn"
    assert "accuracy" not in result.message


@pytest.mark.parametrize(("rare", "status"), [(19, "pass"), (20, "warn")])
def test_where_no_model_predicts_labels_small_classes_are_not_asked(labelled, rare, status):
    facts = labelled(A={"tumour": 200}, B={**EVEN, "TLS": rare}, C=EVEN)
    assert class_imbalance(*facts, predicted=False).status == status


@pytest.mark.parametrize(("share", "status"), [(95, "pass"), (96, "warn")])
def test_a_majority_makes_accuracy_idle(labelled, share, status):
    mixed = {"tumour": share, "stroma": 100 - share}
    assert class_imbalance(*labelled(A=mixed, B=mixed)).status == status


def test_small_classes_are_listed(labelled):
    result = class_imbalance(*labelled(A={**EVEN, "fat": 5}, B={**EVEN, "fat": 14}))
    assert result.details["fewer_units_than_needed"] == {"niche": {"fat": 19}}


def test_labels_that_decide_nothing_are_no_class(labelled):
    result = class_imbalance(*labelled(A=EVEN, B={**EVEN, "undetermined": 90, "NA": 3}))
    assert result.status == "pass"


def test_one_patient_twice_is_one_patient(labelled):
    folds, samples, dataset = labelled(A={**EVEN, "TLS": 9}, B={**EVEN, "TLS": 9}, C=EVEN)
    same = [Sample(slide=s.slide, patient="P1" if s.slide in "AB" else "P2") for s in samples]
    result = class_imbalance(folds, same, dataset)
    assert result.status == "warn"
    assert "fewer than 2 patients" in result.message


def test_folds_within_a_slide_and_slides_without_labels(labelled, make_slide, make_dataset):
    _, samples, dataset = labelled(A=EVEN)
    within = [Fold(name="f", train=("A",), test=("A",), within=True)]
    assert class_imbalance(within, samples, dataset).status == "warn"
    assert class_imbalance(within, samples, make_dataset([make_slide("A")])).status == "pass"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_cohorts_pass(simulated, seed):
    dataset, folds = simulated(patients=4, seed=seed)
    assert class_imbalance(folds, dataset.samples, dataset).status == "pass"


@pytest.mark.parametrize(
    "defect", [{"class_imbalance": 0.95}, {"class_imbalance": 1.0}, {"class_imbalance.one_patient": 0.2}]
)
def test_injected_defects_are_found(simulated, defect):
    dataset, folds = simulated(patients=4, defects=defect)
    assert class_imbalance(folds, dataset.samples, dataset).status in ("warn", "fail")
