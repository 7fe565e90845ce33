from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess import filter_units
from pytest_stbench.spec.model import FilterSpec


@pytest.mark.parametrize(
    ("resolution", "counts", "genes"),
    [("spot", 200, 100), ("bin", 10, 5), ("xisium", 50, 1), ("cell", 10, 5), ("transcript", 10, 5)],
)
def test_defaults_by_resolution(make_slide, resolution, counts, genes):
    table = np.zeros((3, 120), int)
    table[:, :genes] = 1
    table[2, genes - 1] = 0 if genes > 1 else 1
    slide = make_slide(table, libsize=[counts, counts - 1, counts], resolution=resolution)
    assert filter_units(slide, FilterSpec()).tolist() == [True, False, genes == 1]


def test_thresholds_of_the_task_file_win(make_slide):
    slide = make_slide(np.eye(4, dtype=int) * [1, 2, 3, 4])
    assert filter_units(slide, FilterSpec(min_counts=3, min_genes=1)).tolist() == [False, False, True, True]
    assert filter_units(slide, FilterSpec(min_counts=0), "xisium").all()


def test_counts_are_those_of_all_measured_genes(make_slide):
    slide = make_slide(np.ones((2, 3), int), libsize=[500, 3], resolution="xisium")
    assert filter_units(slide, FilterSpec()).tolist() == [True, False]


def test_unknown_resolution_needs_both_thresholds(make_slide):
    slide = make_slide(np.ones((2, 3), int), resolution=None)
    with pytest.raises(DataError, match=r"slide s1: resolution is None .* `filter.min_counts`"):
        filter_units(slide, FilterSpec(min_counts=1))
    assert filter_units(slide, FilterSpec(min_counts=1, min_genes=1)).all()
