"""Panels, sites and technologies of a cohort."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pytest_stbench.data.simulate.expression import CORE, panel_genes, pool
from pytest_stbench.data.simulate.params import parse_params
from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.errors import DataError


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_panels_have_sizes_and_overlaps_of_published_ones(seed):
    params = parse_params({"panels": 4, "seed": seed})
    panels = [set(panel_genes(params, number)) for number in range(4)]
    assert [len(genes) for genes in panels] == [280, 322, 380, 343]
    overlaps = [len(a & b) / min(len(a), len(b)) for a, b in itertools.combinations(panels, 2)]
    assert min(overlaps) > 0.15
    assert max(overlaps) < 0.5
    assert CORE <= len(set.intersection(*panels)) < 60
    assert set.union(*panels) <= pool(params).keys()


def test_panels_are_sorted_and_stay_when_others_are_added():
    two, four = parse_params({"panels": [100, 120]}), parse_params({"panels": [100, 120, 90, 80]})
    assert panel_genes(two, 1) == panel_genes(four, 1) == tuple(sorted(panel_genes(two, 1)))


@pytest.mark.parametrize("resolution", ["spot", "cell"])
def test_slides_measure_the_panel_of_their_patient(simulated_config, resolution):
    config = simulated_config(
        resolution=resolution, panels=[60, 80], patients=2, units=100, slides_per_patient=2, image=False
    )
    source = open_source(config, (), ())
    for row in simulated_samples(config):
        slide = source.read(row.slide)
        size = {"P01": 60, "P02": 80}[row.patient]
        assert tuple(slide.genes) == source.genes(row.slide)
        assert slide.counts.shape[1] == size == len(slide.genes)
        assert row.panel.endswith(f"_{size}")


def test_every_combination_of_panel_site_and_technology_comes(simulated_config):
    rows = simulated_samples(
        simulated_config(panels=2, sites=3, technologies=["Xenium", "CosMx"], patients=12)
    )
    assert len({(row.panel, row.site, row.technology) for row in rows}) == 12
    assert {row.technology for row in rows} == {"Xenium", "CosMx"}


def test_too_few_patients_for_the_combinations(simulated_config):
    with pytest.raises(DataError, match="found 5, needs 6 or more, one for every combination"):
        simulated_samples(simulated_config(panels=2, sites=3, patients=5))


@pytest.mark.parametrize(
    ("many", "effect"),
    [
        ({"sites": 2}, "site_effect"),
        ({"technologies": ["A", "B"]}, "technology_effect"),
        ({"panels": [300, 300]}, "panel_effect"),
    ],
)
def test_effects_separate_groups(simulated_config, many, effect):
    """Patients 1 and 3 are of one group, 2 and 4 of the other."""

    def profiles(strength):
        config = simulated_config(
            **many, **{effect: strength}, setting="no_signal", patients=4, patient_effect=0, image=False
        )
        source = open_source(config, (), ())
        shared = sorted(set.intersection(*(set(source.genes(f"P0{n}S1")) for n in range(1, 5))))
        found = []
        for number in range(1, 5):
            slide = source.read(f"P0{number}S1")
            mean = slide.counts.sum(axis=0).A1[np.searchsorted(slide.genes, shared)]
            found.append(np.log(mean + 1.0) - np.log(mean + 1.0).mean())
        return found

    def apart(a, b):
        return np.sqrt(((a - b) ** 2).mean())

    one, two, three, four = profiles(1.0)
    assert min(apart(one, two), apart(one, four)) > 2 * max(apart(one, three), apart(two, four))
    one, two, three, _ = profiles(0.0)
    assert apart(one, two) < 1.5 * apart(one, three) + 0.05


def test_sites_stain_differently(simulated_config):
    config = simulated_config(sites=2, patients=2, units=60, genes=60)
    source = open_source(config, (), ())
    one_site = open_source(simulated_config(patients=2, units=60, genes=60), (), ())
    assert (source.read("P02S1").image.pixels() != one_site.read("P02S1").image.pixels()).any()
