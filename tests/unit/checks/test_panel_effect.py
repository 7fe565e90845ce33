from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pytest_stbench.checks import panel_effect, panel_split
from pytest_stbench.splits.table import Fold, Sample


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_panels_of_a_clean_cohort_agree(simulated, seed):
    result = panel_effect(simulated(patients=6, panels=2, seed=seed)[0])
    assert result.status == "pass"
    assert 0 < result.statistic < 0.1


@pytest.mark.parametrize("strength", [0.3, 0.5, 1.0])
def test_probes_that_differ_warn(simulated, strength):
    result = panel_effect(simulated(patients=6, defects={"panel_effect": strength})[0])
    assert result.status == "warn"
    assert result.genes


def made(make_slide, name, panel, level, seed=0, organ="breast", n_units=60, **more):
    counts = np.random.default_rng(seed).poisson(level, (n_units, len(level)))
    return make_slide(name, counts=counts, panel_id=panel, organ=organ, **more)


def test_rank_difference_is_that_of_the_panels(make_slide, make_dataset):
    level = np.linspace(5, 60, 20)
    slides = [made(make_slide, "A", "a", level), made(make_slide, "B", "b", level[::-1])]
    result = panel_effect(make_dataset(slides))
    # The ranks of 20 genes in opposite order differ by 0.5 in the median.
    assert result.statistic == pytest.approx(0.5, abs=0.03)
    assert result.status == "warn"
    assert set(result.genes[:2]) == {"GENE0", "GENE19"}


def test_other_organs_and_one_panel_are_not_compared(make_slide, make_dataset):
    level = np.linspace(5, 60, 20)
    other = [made(make_slide, "A", "a", level), made(make_slide, "B", "b", level[::-1], organ="lung")]
    assert panel_effect(make_dataset(other)).status == "pass"
    one = [made(make_slide, "A", "a", level), made(make_slide, "B", "a", level[::-1])]
    assert panel_effect(make_dataset(one)).status == "pass"


@pytest.mark.parametrize("panels", ["a", "ab"])
def test_counts_of_all_slides_are_never_there_together(make_slide, make_dataset, panels):
    level = np.linspace(5, 60, 30)
    slides = [
        made(make_slide, f"S{i}", panels[i % len(panels)], level, seed=i, n_units=2000, side=50)
        for i in range(16)
    ]
    size = slides[0].counts.data.nbytes + slides[0].counts.indices.nbytes
    dataset = make_dataset(slides)
    panel_effect(dataset)
    tracemalloc.start()
    try:
        panel_effect(dataset)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (0.5 if panels == "a" else 8) * size


def test_variance_between_patients_is_no_panel_effect(make_slide, make_dataset):
    rng = np.random.default_rng(3)
    slides = [
        made(make_slide, f"S{i}", "ab"[i % 2], 20 * rng.lognormal(0, 0.2, 20), seed=i) for i in range(8)
    ]
    result = panel_effect(make_dataset(slides))
    assert result.status == "pass"
    assert result.details["breast"]["variance_ratio"] < 1


def fold(train, test, **more):
    return Fold(name="f", train=tuple(train), test=tuple(test), **more)


TABLE = [Sample(slide=s, patient=s, panel=p) for s, p in zip("abcd", ("x", "x", "y", "Y "), strict=True)]


@pytest.mark.parametrize(
    ("folds", "status", "share"),
    [
        ([fold("ac", "bd")], "pass", 0.0),
        ([fold("ab", "cd")], "fail", 1.0),
        ([fold("ac", "bd"), fold("ab", "c")], "warn", 0.5),
        ([fold("a", "a", within=True)], "pass", None),
        ([], "pass", None),
    ],
)
def test_panels_on_one_side(folds, status, share):
    result = panel_split(folds, TABLE)
    assert (result.status, result.statistic) == (status, share)


def test_a_split_by_panel_is_meant_so():
    assert panel_split([fold("ab", "cd")], TABLE, split="lopanel").status == "pass"


def test_one_panel_has_no_sides():
    assert panel_split([fold("a", "b")], TABLE[:2]).status == "pass"
