"""Every defect does what its line says, at several strengths, and nothing else touches the data."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from pytest_stbench.checks import CHECKS
from pytest_stbench.checks.run import run_check
from pytest_stbench.data.binning.source import BinnedSource
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.data.simulate.defects.apply import ON_GENES, ON_SLIDES, ON_UNITS, keeps_transcripts
from pytest_stbench.data.simulate.defects.names import DEFECTS, NOT_IN_DATA
from pytest_stbench.data.simulate.params import parse_params
from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.errors import DataError
from pytest_stbench.registry import load_target
from pytest_stbench.spec.model import BinSpec, DatasetSpec
from pytest_stbench.splits.table import Fold

COHORT = {"patients": 4, "units": 100, "genes": 120}
SLIDES = ("P01S1", "P02S1", "P03S1", "P04S1")


def config_of(defects, **params):
    return DatasetSpec(source="simulated", params={**COHORT, **params, "defects": defects})


def rows_of(defects, **params):
    return simulated_samples(config_of(defects, **params))


@pytest.mark.parametrize("name", [name for name in DEFECTS if name != "xisium_geometry"])
@pytest.mark.parametrize("resolution", ["spot", "cell"])
def test_slides_with_a_defect_hold_together(name, resolution):
    if resolution == "cell" and name.startswith("xisium"):
        pytest.skip("a defect of lattices")
    config = config_of({name: 0.5}, resolution=resolution, image=name.startswith("image"))
    source = open_source(config, simulated_samples(config), ())
    slide = source.read("P04S1")
    n = len(slide.unit_names)
    assert tuple(slide.genes) == source.genes("P04S1")
    assert slide.counts.shape == (n, len(slide.genes))
    assert slide.xy_um.shape == (n, 2)
    assert all(len(values) == n for values in (*slide.labels.values(), *slide.measures.values()))
    assert slide.slide_id == "P04S1"
    assert ("transcripts" in source.offers()) == (slide.transcripts is not None)


def content(defects, *, with_image):
    """All there is of a cohort: the samples table, slides, and pixels if they are asked for."""
    small = {"units": 40, "genes": 60}
    source = open_source(config_of(defects, **small), (), ())
    found = [repr(rows_of(defects, **small))]
    for slide in map(source.read, SLIDES):
        parts = (slide.counts.toarray(), slide.xy_um, slide.xy_px, slide.unit_names, slide.genes)
        found += [np.ascontiguousarray(part).tobytes() for part in parts]
        found += [str(slide.image.mpp), str(slide.labels["niche"].tolist())]
        found += [slide.image.pixels().tobytes()] if with_image else []
    return found


@functools.cache
def content_without_defect(*, with_image):
    return content({}, with_image=with_image)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_changes_something_and_is_the_same_each_time(name):
    with_image = name.startswith("image")
    once, again = (content({name: 0.5}, with_image=with_image) for _ in range(2))
    assert once == again != content_without_defect(with_image=with_image)


def test_every_check_of_the_data_has_a_defect():
    for check in CHECKS:
        if check.scope in ("dataset", "split", "task"):
            assert check.name in DEFECTS or check.name in NOT_IN_DATA, check.name
    assert not set(DEFECTS) & set(NOT_IN_DATA)
    assert {*ON_UNITS, *ON_GENES, *ON_SLIDES} < set(DEFECTS)


@pytest.mark.parametrize(
    ("defects", "message"),
    [
        ({"gene_id": 0.5}, r"unknown defect 'gene_id'; did you mean 'gene_ids'\?"),
        ({"gene_ids": 0}, "gene_ids: found 0, expected a number above 0, at most 1"),
        ({"gene_ids": 1.5}, "gene_ids: found 1.5"),
        ({"gene_ids": True}, "gene_ids: found True"),
        ({"gene_ids": float("nan")}, "gene_ids: found nan"),
        ({"too_few_patients": 1}, "too_few_patients is no defect of the data: set `patients` to 3 or fewer"),
        ([], r"params.defects: found \[\], expected a mapping of NAME: STRENGTH"),
    ],
)
def test_mistakes(defects, message):
    with pytest.raises(DataError, match=message):
        parse_params({"defects": defects})


def test_defects_of_lattices_need_one():
    with pytest.raises(DataError, match="xisium_geometry spoils a lattice and needs resolution: spot"):
        parse_params({"resolution": "cell", "defects": {"xisium_geometry": 1}})


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("image_registration.shift", {"image": False}, "spoils the image and needs image: true"),
        ("patient_leakage", {"patients": 1}, "needs patients: 2 or more"),
        ("panel_effect", {"patients": 1}, "needs patients: 2 or more"),
        ("class_imbalance.one_patient", {"patients": 1}, "needs patients: 2 or more"),
        ("slide_leakage", {"patients": 1}, "is between slides and needs two or more"),
        ("panel_mismatch", {"patients": 1}, "is between slides and needs two or more"),
    ],
)
def test_defects_that_could_do_nothing_are_refused(name, params, message):
    with pytest.raises(DataError, match=f"params.defects: {name}.* {message}"):
        parse_params({**params, "defects": {name: 0.5}})
    parse_params({"patients": 1, "slides_per_patient": 2, "defects": {"slide_leakage": 0.5}})
    parse_params({"patients": 1, "image": False, "defects": {"class_imbalance": 0.5}})


def test_spots_of_spoilt_cells_are_spoilt():
    config = config_of({"gene_sparsity": 1}, resolution="cell", units=600, image=False)
    spots = BinnedSource(open_source(config, (), ()), BinSpec(geometry="tiled"), {"P01S1": "cell"}).read(
        "P01S1"
    )
    plain = config_of({}, resolution="cell", units=600, image=False)
    whole = BinnedSource(open_source(plain, (), ()), BinSpec(geometry="tiled")).read("P01S1")
    assert spots.counts.sum() < 0.1 * whole.counts.sum()


def test_labels_and_images_leave_transcripts_alone():
    assert keeps_transcripts(parse_params({"defects": {"label_alignment.shifted": 1}}))
    assert not keeps_transcripts(parse_params({"defects": {"empty_units": 0.1}}))


@pytest.mark.parametrize("share", [1, 0.3])
def test_a_crop_has_no_transcripts_of_the_cells_left_out(share):
    source = open_source(config_of({"slide_leakage": share}, resolution="cell", image=False), (), ())
    slide = source.read("P04S1")
    assert ("transcripts" in source.offers()) == (share == 1)
    assert (slide.transcripts is None) == (share < 1)


SEEN = {
    "metadata_missing": 0.5,
    "patient_leakage": 0.3,
    "panel_mismatch": 0.6,
    "duplicate_units": 0.1,
    "duplicate_units.names": 0.05,
    "duplicate_units.places": 0.05,
    "empty_units": 0.5,
    "normalised_not_counts": 0.25,
    "normalised_not_counts.scaled": 0.25,
    "gene_ids": 0.3,
    "gene_ids.dates": 0.1,
    "gene_ids.mouse": 0.3,
    "nonfinite_negative": 0.01,
    "nonfinite_negative.negative": 0.01,
    "nonfinite_negative.infinite": 0.01,
    "missing_coords": 0.01,
    "missing_coords.zero": 0.25,
    "missing_coords.index": 0.25,
    "missing_coords.pixels": 0.25,
}
"""A strength at which the check of this name must fail."""


def outcome(name, defects):
    (check,) = [check for check in CHECKS if check.name == name]
    config = config_of(defects, image=False).model_copy(update={"aliases": False})
    samples = load_samples(config, "sim", ())
    dataset = Dataset("sim", config, samples, ())
    fold = Fold(name="P01", train=SLIDES[1:], test=SLIDES[:1])
    arguments = {"dataset": dataset, "samples": samples, "folds": (fold,), "claim": "population"}
    return run_check(check, load_target(check.target), arguments).status


@functools.cache
def outcome_without_defect(name):
    return outcome(name, {})


@pytest.mark.parametrize("name", SEEN)
def test_checks_see_the_defect_and_pass_without_it(name):
    check = name.split(".")[0]
    assert outcome_without_defect(check) in ("pass", "warn")
    assert outcome(check, {name: SEEN[name]}) == "fail"


def test_documentation_lists_every_defect():
    page = (Path(__file__).parents[4] / "docs" / "simulated.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` | {text} |" in page for name, text in {**DEFECTS, **NOT_IN_DATA}.items())
