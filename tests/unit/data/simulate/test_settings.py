"""What each setting promises, shown by least squares on patients that were held out."""

from __future__ import annotations

import pytest

NOISE = 0.035


@pytest.mark.parametrize("name", ["colour", "image", "coords", "depth", "polarity", "cellularity"])
def test_null_nothing_predicts(cohort, name):
    assert abs(cohort("no_signal").score(name)) < NOISE


def test_null_genes_do_not_predict_each_other(cohort):
    assert abs(cohort("no_signal").score("observed", penalty=300.0)) < NOISE


@pytest.mark.parametrize("setting", ["default", "no_signal", "depth", "morphology"])
def test_genes_have_spatial_structure(cohort, setting):
    assert cohort(setting).moran() > 0.1


def test_depth_is_all_that_predicts(cohort):
    in_depth = cohort("depth")
    depth, image = in_depth.score("depth"), in_depth.score("image")
    assert depth > 0.5
    assert image < depth - 0.25
    assert in_depth.score("coords") < depth - 0.25


def test_depth_explains_what_the_image_seems_to_know(cohort):
    in_depth = cohort("depth")
    assert in_depth.score("image") > 0.05
    assert abs(in_depth.score("image", adjust="depth")) < NOISE


def test_morphology_colour_beats_everything_but_a_better_look(cohort):
    in_morphology = cohort("morphology")
    colour = in_morphology.score("colour")
    assert colour > 0.25
    assert colour > max(0.0, in_morphology.score("coords"), in_morphology.score("depth")) + 0.15


def test_morphology_polarity_is_worth_more_than_colour_alone(cohort):
    in_morphology = cohort("morphology")
    assert in_morphology.score("image") > in_morphology.score("colour") + 0.05


def test_morphology_does_not_depend_on_depth(cohort):
    assert abs(cohort("morphology").score("depth")) < 0.1


def test_default_is_a_mixture(cohort):
    in_default = cohort("default")
    colour, image = in_default.score("colour"), in_default.score("image")
    assert colour > 0.15
    assert image > colour + 0.02
    assert 0.0 < in_default.score("depth") < colour
    assert in_default.score("observed", penalty=300.0) > image


@pytest.mark.parametrize("setting", ["default", "no_signal", "depth", "morphology"])
def test_most_units_pass_the_filter_and_genes_are_detected(cohort, setting):
    made = cohort(setting)
    assert all(0.9 < share <= 1.0 for share in made.kept_share.values())
    detected = [slide.detected >= 0.1 for slide in made.slides.values()]
    assert sum(all(gene) for gene in zip(*detected, strict=True)) >= 100


def test_image_tells_polarity_by_halves_and_not_by_colour(cohort):
    made = cohort("morphology")
    # both are smooth over few and small slides: chance alone reaches 0.17 in a mean of six patients
    assert abs(made.score("colour", target="polarity")) < 0.25
    assert made.score("halves", target="polarity") > 0.75
