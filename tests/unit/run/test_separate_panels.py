from __future__ import annotations

import pytest

from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.run.separate_panels import separate_panels
from pytest_stbench.splits.table import Sample


def task_of(make_task, **datasets):
    return make_task(datasets={name: {"source": "simulated", **parts} for name, parts in datasets.items()})


def samples_of(**panels):
    return lambda _name, _config: tuple(Sample(slide=s, patient=s, panel=p) for s, p in panels.items())


def test_each_panel_becomes_a_data_set(make_task):
    task = task_of(make_task, lung={"panels": "separate", "organ": "lung"}, other={})

    found = separate_panels(task, samples_of(S1="breast v1", S2="lung", S3="breast v1")).spec.datasets

    assert list(found) == ["lung.breast_v1", "lung.lung", "other"]
    assert found["lung.breast_v1"].slides == ("S1", "S3")
    assert found["lung.lung"].slides == ("S2",)
    assert found["lung.lung"].organ == "lung"
    assert found["lung.lung"].panels == "together"


def test_without_the_key_nothing_changes(make_task):
    task = task_of(make_task, lung={})
    assert separate_panels(task, samples_of()) is task


def test_absent_data_stay_one_data_set(make_task):
    def missing(_name, _config):
        raise DataMissing("gone")

    task = task_of(make_task, lung={"panels": "separate"})
    assert list(separate_panels(task, missing).spec.datasets) == ["lung"]


def test_a_slide_without_panel_is_named(make_task):
    task = task_of(make_task, lung={"panels": "separate"})
    with pytest.raises(DataError, match=r"panels: separate needs .* 1 have none \(S2\).*`panel`"):
        separate_panels(task, samples_of(S1="a", S2=None))


def test_names_that_cannot_be_told_apart_are_refused(make_task):
    task = task_of(make_task, lung={"panels": "separate"})
    with pytest.raises(DataError, match=r"two panels are both called 'lung\.a_b'"):
        separate_panels(task, samples_of(S1="a b", S2="a-b"))
    clash = task_of(make_task, **{"lung": {"panels": "separate"}, "lung.a": {}})
    with pytest.raises(DataError, match=r"makes a data set 'lung\.a', and there is one"):
        separate_panels(clash, samples_of(S1="a"))
