from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec


def test_one_row_per_slide(simulated_config):
    rows = simulated_samples(simulated_config(patients=2, slides_per_patient=2))
    assert [(row.slide, row.patient) for row in rows] == [
        ("P01S1", "P01"),
        ("P01S2", "P01"),
        ("P02S1", "P02"),
        ("P02S2", "P02"),
    ]


def test_required_fields_are_there(simulated_config):
    row = simulated_samples(simulated_config())[0]
    assert (row.technology, row.resolution, row.panel, row.organ) == (
        "Visium",
        "spot",
        "simulated_300",
        "breast",
    )


def test_declared_fields_go_first():
    config = DatasetSpec(source="simulated", organ="lung", panel="v2", site="A")
    assert {(row.organ, row.panel, row.site) for row in simulated_samples(config)} == {("lung", "v2", "A")}


def test_wrong_parameters_are_refused(simulated_config):
    with pytest.raises(DataError, match=r"params\.patient: unknown"):
        simulated_samples(simulated_config(patient=3))


def test_table_agrees_with_the_slides(simulated_config):
    config = simulated_config(patients=2, slides_per_patient=2, units=30, genes=60, image=False)
    rows = simulated_samples(config)
    source = open_source(config, rows, ())
    for row in rows:
        slide = source.read(row.slide)
        assert slide.slide_id == row.slide
        assert source.member(row.slide).patient == row.patient
        assert tuple(slide.genes) == source.genes(row.slide)
        assert slide.counts.shape == (30, 60)


def test_collection_loads_no_numpy():
    code = (
        "import sys\n"
        "from pytest_stbench.data.simulate import simulated_samples\n"
        "from pytest_stbench.spec.model import DatasetSpec\n"
        "assert len(simulated_samples(DatasetSpec(source='simulated'))) == 6\n"
        "assert not {'numpy', 'scipy', 'pandas'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_of_the_package_stays_what_it_is():
    """`truth` is a function of a module of its name, whose import must not take its place."""
    code = (
        "from pytest_stbench.data import simulate\n"
        "assert simulate.truth is simulate.truth\n"
        "assert simulate.truth.__name__ == 'truth'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
