from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import label_alignment


@pytest.fixture
def labelled(make_slide, spoil):
    """Return a maker of slides with one label per unit and no structure in expression."""

    def make(values, name="A"):
        side = round(len(values) ** 0.5)
        slide = make_slide(name, side=side)
        return spoil(slide, labels={"niche": np.array(values, dtype=object)})

    return make


@pytest.mark.parametrize(("share", "status"), [(0.96, "pass"), (0.9, "warn"), (0.5, "fail")])
def test_units_without_label(labelled, make_dataset, share, status):
    values = [None if i >= 36 * share else "tumour" for i in range(36)]
    result = label_alignment(make_dataset([labelled(values)]))
    assert result.status == status
    assert result.statistic == pytest.approx(share, abs=0.03)


def test_a_slide_without_any_label_is_not_judged(labelled, make_dataset):
    assert label_alignment(make_dataset([labelled([None] * 36), labelled(["x"] * 36, "B")])).status == "pass"


def test_labels_that_decide_nothing(labelled, make_dataset):
    result = label_alignment(make_dataset([labelled(["undetermined"] * 12 + ["tumour"] * 24)]))
    assert result.status == "warn"
    assert result.statistic == pytest.approx(1 / 3)


def test_a_table_of_labels_without_a_slide(labelled, make_dataset):
    dataset = make_dataset([labelled(["tumour"] * 36)])
    result = label_alignment(dataset, label_slides=("A", "J1"))
    assert result.status == "fail"
    assert result.slides == ("J1",)
    assert label_alignment(dataset, label_slides=("A",)).status == "pass"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_cohorts_pass(simulated, seed):
    assert label_alignment(simulated(patients=3, seed=seed)[0]).status == "pass"
    cells, _ = simulated(resolution="cell", patients=1, units=800, seed=seed, cell_type="cell_type")
    assert label_alignment(cells).status == "pass"


@pytest.mark.parametrize(
    ("defect", "status"),
    [
        ({"label_alignment": 0.1}, "warn"),
        ({"label_alignment": 0.3}, "fail"),
        ({"label_alignment.shifted": 0.5}, "warn"),
        ({"label_alignment.shifted": 1.0}, "fail"),
    ],
)
def test_injected_defects_are_found(simulated, defect, status):
    assert label_alignment(simulated(patients=3, seed=1, defects=defect)[0]).status == status


def test_labels_of_other_units_fail_whatever_the_order_of_rows(simulated, make_dataset, shuffled):
    slide = next(simulated(patients=1, seed=2, defects={"label_alignment.shifted": 1.0})[0].slides())
    results = [label_alignment(make_dataset([s])) for s in (slide, shuffled(slide))]
    assert results[0].statistic == results[1].statistic
