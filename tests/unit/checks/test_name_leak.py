"""Names and rows that tell labels, and names that tell places alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.checks.leaking_names import name_leak
from pytest_stbench.checks.name_features import bins, squares_of, words
from pytest_stbench.splits.table import Fold, Sample

NICHES = np.array(["immune", "stroma", "tumour"], dtype=object)


@pytest.fixture
def cohort(make_slide):
    """Six patients with niches in stripes; `name` gives the name of a unit, `rows` an order."""

    def make(*, patients=6, name=None, rows=None, blobs=5.0, labelled=True):
        slides, samples = [], []
        for place in range(patients):
            made = make_slide(f"S{place}", seed=place)
            rng = np.random.default_rng(place)
            field = np.sin(made.xy_um / (200 * blobs) + rng.uniform(0, 6, 2)).sum(axis=1)
            field += 0.4 * rng.normal(size=made.n_units)
            niche = NICHES[np.digitize(field, [-0.5, 0.5])]
            order = np.arange(made.n_units) if rows is None else rows(made, niche, rng)
            made, niche = made.select(order), niche[order]
            names = (
                made.unit_names
                if name is None
                else np.array([name(u, niche[u], rng) for u in range(len(niche))])
            )
            slides.append(replace(made, unit_names=names, labels={"niche": niche} if labelled else {}))
            samples.append(Sample(slide=f"S{place}", patient=f"P{place}"))
        return SimpleNamespace(name="d", samples=samples, slides=lambda: iter(slides))

    return make


def barcode(unit, niche, rng):
    return "".join(rng.choice(list("ACGT"), 16)) + "-1"


CLEAN = {
    "numbers": lambda unit, niche, rng: f"cell{unit}",
    "rows and columns": lambda unit, niche, rng: f"{unit // 20}x{unit % 20}",
    "barcodes": barcode,
    "fields of view": lambda unit, niche, rng: f"F{unit // 80:03d}_{unit}",
    "one word": lambda unit, niche, rng: "s",
    "nothing": lambda unit, niche, rng: "",
}


@pytest.mark.parametrize("kind", CLEAN)
def test_names_that_tell_places_alone_pass(cohort, kind):
    found = name_leak(cohort(name=CLEAN[kind]))
    assert found.status == "pass", found.message
    assert found.statistic < 0.05


ORDERS = {
    "drawn": lambda made, niche, rng: rng.permutation(made.n_units),
    "down the columns": lambda made, niche, rng: np.lexsort((made.xy_um[:, 1], made.xy_um[:, 0].round(-2))),
    "up": lambda made, niche, rng: np.arange(made.n_units)[::-1],
}


@pytest.mark.parametrize("kind", ORDERS)
def test_orders_of_places_pass(cohort, kind):
    assert name_leak(cohort(rows=ORDERS[kind])).status == "pass"


TELLING = {
    "label first": lambda unit, niche, rng: f"{niche}_{unit}",
    "label last": lambda unit, niche, rng: f"{barcode(unit, niche, rng)}_{niche[:3]}",
    "without a gap": lambda unit, niche, rng: f"{niche}{barcode(unit, niche, rng)}",
    "code": lambda unit, niche, rng: f"x{list(NICHES).index(niche)}-{unit}",
    "half of them": lambda unit, niche, rng: f"{niche if unit % 2 else ''}{unit}",
}


@pytest.mark.parametrize("kind", TELLING)
def test_names_that_hold_the_label_are_found(cohort, kind):
    found = name_leak(cohort(name=TELLING[kind]))
    assert found.status == "warn"
    assert "names of the units predict niche in patients that were left out" in found.message
    assert found.message.endswith(found.fix)
    assert found.statistic > (0.2 if kind == "half of them" else 0.9)


SORTED = {
    "label": lambda made, niche, rng: np.lexsort((rng.random(made.n_units), niche.astype(str))),
    "depth": lambda made, niche, rng: np.argsort(-made.libsize),
}


@pytest.mark.parametrize("kind", SORTED)
def test_rows_in_the_order_of_the_truth_are_found(cohort, kind):
    found = name_leak(cohort(rows=SORTED[kind], name=barcode))
    assert found.status == "warn"
    assert f"the order of the units predicts {'niche' if kind == 'label' else 'depth'}" in found.message


def test_numbers_in_names_that_count_sorted_rows_are_found(cohort):
    found = name_leak(cohort(rows=SORTED["depth"], name=CLEAN["numbers"], labelled=False))
    assert [finding.status for finding in found.findings] == ["warn", "warn"]
    assert {finding.text.split(" predict")[0] for finding in found.findings} == {
        "names of the units", "the order of the units",
    }  # fmt: skip


def test_slides_that_no_fold_trains_on_are_not_looked_at(cohort):
    made = cohort(name=TELLING["label first"])
    train = tuple(sample.slide for sample in made.samples)
    assert name_leak(made, folds=[Fold(name="a", train=train[:5], test=train[5:])]).status == "warn"
    none = name_leak(made, folds=[Fold(name="a", train=train[:1], test=train[1:])])
    assert none.status == "skip"
    assert "1 patient with 50 units or more" in none.message


def test_one_patient_cannot_be_judged(cohort):
    found = name_leak(cohort(patients=1))
    assert found.status == "skip"
    assert "add patients" in found.fix


def test_slides_of_unknown_patients_are_left_out_and_counted(cohort):
    made = cohort(patients=4, name=lambda unit, niche, rng: f"{niche}_{unit}")
    some = [*made.samples[:2], *(replace(sample, patient=None) for sample in made.samples[2:])]
    found = name_leak(SimpleNamespace(name="d", samples=[*some[:1], *some[2:]], slides=made.slides))
    assert found.status == "skip", "they may be of the one person who is known"
    assert "1 patient with 50 units or more; 3 slides without a patient left out" in found.message
    found = name_leak(SimpleNamespace(name="d", samples=some, slides=made.slides))
    assert found.status == "warn"
    clean = cohort(patients=4)
    found = name_leak(SimpleNamespace(name="d", samples=some, slides=clean.slides))
    assert "(2 patients; 2 slides without a patient left out)" in found.message


def test_the_row_order_of_a_clean_file_changes_no_verdict(cohort):
    one = name_leak(cohort(name=barcode))
    other = name_leak(cohort(name=barcode, rows=ORDERS["drawn"]))
    assert (one.status, other.status) == ("pass", "pass")


def test_broken_values_end_with_a_result(cohort):
    made = cohort()
    spoilt = [
        replace(slide, xy_um=np.full_like(slide.xy_um, np.nan), libsize=np.full(slide.n_units, np.nan))
        for slide in made.slides()
    ]
    made.slides = lambda: iter(spoilt)
    assert name_leak(made).status in ("pass", "warn")


def test_what_a_name_is_made_of():
    (first, second) = words(["Tum_10", "Tum_900"])
    assert "tum" in first
    assert (2, 10) in first
    assert ("number 2", 0) in first
    assert ("number 2", 10) in second
    assert words(["", "  "]) == [(), ()]
    assert words(["٣²", "9" * 400])[1][0][0] == "number 0"


def test_equal_values_share_a_bin_and_squares_hold_about_sixteen():
    assert bins("x", np.zeros(5)) == [(("x", 0),)] * 5
    square = squares_of(np.stack(np.meshgrid(np.arange(32.0), np.arange(32.0)), axis=-1).reshape(-1, 2))
    assert 10 <= np.bincount(square).mean() <= 22
    assert squares_of(np.full((4, 2), np.nan)).tolist() == [0] * 4
