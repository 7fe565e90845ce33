from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import resolution_mismatch, resolution_split
from pytest_stbench.splits.table import Fold

FOLD = Fold(name="f", train=("A",), test=("B",))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_cohorts_pass(simulated, seed):
    spots, folds = simulated(patients=3, seed=seed)
    assert resolution_mismatch(spots).status == "pass"
    assert resolution_split(folds, spots).status == "pass"
    cells, folds = simulated(resolution="cell", patients=2, units=500, seed=seed)
    assert resolution_mismatch(cells).status == "pass"
    assert resolution_split(folds, cells).status == "pass"


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
def test_spots_declared_as_cells_fail(simulated, strength):
    dataset, folds = simulated(patients=3, defects={"resolution_mismatch": strength})
    result = resolution_mismatch(dataset)
    assert result.status == "fail"
    assert "stand on a lattice" in result.message
    if strength < 1:
        assert resolution_split(folds, dataset).status == "fail"


def test_cells_declared_as_spots_fail(simulated):
    dataset, _ = simulated(resolution="cell", patients=2, units=500, defects={"resolution_mismatch": 0.5})
    result = resolution_mismatch(dataset)
    assert result.status == "fail"
    assert "look like cells" in result.message


def test_a_task_on_cells_refuses_spots(make_slide, make_dataset):
    dataset = make_dataset([make_slide("A")])
    result = resolution_mismatch(dataset, allowed=("cell",))
    assert result.status == "fail"
    assert "the task is about cell" in result.message
    assert resolution_mismatch(dataset, allowed=("cell", "spot")).status == "pass"


def test_nothing_declared_is_a_skip(make_slide, make_dataset):
    assert resolution_mismatch(make_dataset([make_slide("A", resolution=None)])).status == "skip"


def test_other_units_in_test_fail_but_across_technologies(make_slide, make_dataset):
    dataset = make_dataset([make_slide("A"), make_slide("B", resolution="xisium")])
    assert resolution_split([FOLD], dataset, split="lopo").status == "fail"
    assert resolution_split([FOLD], dataset, split="lotech").status == "pass"


@pytest.mark.parametrize(("factor", "status"), [(4, "pass"), (6, "warn")])
def test_depth_of_train_and_test(make_slide, make_dataset, factor, status):
    deep = make_slide("A", counts=np.full((100, 5), 10 * factor))
    shallow = make_slide("B", counts=np.full((100, 5), 10))
    for fold in (FOLD, Fold(name="f", train=("B",), test=("A",))):
        result = resolution_split([fold], make_dataset([deep, shallow]))
        assert result.status == status
        assert result.statistic == pytest.approx(factor)


def test_spacing_of_train_and_test(make_slide, make_dataset):
    dataset = make_dataset([make_slide("A", pitch=200), make_slide("B", pitch=100, seed=1)])
    result = resolution_split([FOLD], dataset)
    assert result.status == "warn"
    assert "spacing of units differs" in result.message


def test_folds_within_a_slide_are_not_judged(make_slide, make_dataset):
    fold = Fold(name="f", train=("A",), test=("A",), within=True)
    assert resolution_split([fold], make_dataset([make_slide("A")])).status == "pass"
