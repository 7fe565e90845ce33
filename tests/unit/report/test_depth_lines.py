from __future__ import annotations

from pytest_stbench.report.depth import depth_lines
from pytest_stbench.results.provenance import DatasetRecord


def record(task, name):
    return DatasetRecord(task=task, name=name, checksum="c", patients={}, n_slides=1, n_units=10, n_genes=5)


def test_views_of_one_data_set_stand_side_by_side():
    lines = depth_lines([record("one", "cells"), record("one", "cells+visium")])
    assert lines[0] == "resolutions of cells (median over slides, per unit)"
    assert len(lines) == 4


def test_data_sets_of_two_tasks_are_no_resolutions_of_each_other():
    assert depth_lines([record("one", "cohort"), record("two", "cohort")]) == []
