"""What each setting promises, shown by least squares on patients that were held out.

One test holds all that is asserted of a setting, so that its cohort is drawn once.
"""

from __future__ import annotations

NOISE = 0.035


def holds_for_every_setting(made):
    """Genes have a place on the slide, most units pass the filter and genes are detected."""
    assert made.moran() > 0.1
    assert all(0.9 < share <= 1.0 for share in made.kept_share.values())
    detected = [slide.detected >= 0.1 for slide in made.slides.values()]
    assert sum(all(gene) for gene in zip(*detected, strict=True)) >= 100


def test_null_nothing_predicts_and_genes_do_not_predict_each_other(cohort):
    null = cohort("no_signal")
    holds_for_every_setting(null)
    for name in ("colour", "image", "coords", "depth", "polarity", "cellularity"):
        assert abs(null.score(name)) < NOISE, name
    assert abs(null.score("observed", penalty=300.0)) < NOISE


def test_depth_is_all_that_predicts_and_explains_what_the_image_seems_to_know(cohort):
    in_depth = cohort("depth")
    holds_for_every_setting(in_depth)
    depth, image = in_depth.score("depth"), in_depth.score("image")
    assert depth > 0.5
    assert image < depth - 0.25
    assert in_depth.score("coords") < depth - 0.25
    assert image > 0.05
    assert abs(in_depth.score("image", adjust="depth")) < NOISE


def test_morphology_is_in_the_image_and_polarity_is_worth_more_than_colour_alone(cohort):
    in_morphology = cohort("morphology")
    holds_for_every_setting(in_morphology)
    colour, depth = in_morphology.score("colour"), in_morphology.score("depth")
    assert colour > 0.25
    assert colour > max(0.0, in_morphology.score("coords"), depth) + 0.15
    assert in_morphology.score("image") > colour + 0.05
    assert abs(depth) < 0.1
    # both are smooth over few and small slides: chance alone reaches 0.17 in a mean of six patients
    assert abs(in_morphology.score("colour", target="polarity")) < 0.25
    assert in_morphology.score("halves", target="polarity") > 0.75


def test_default_is_a_mixture(cohort):
    in_default = cohort("default")
    holds_for_every_setting(in_default)
    colour, image = in_default.score("colour"), in_default.score("image")
    assert colour > 0.15
    assert image > colour + 0.02
    assert 0.0 < in_default.score("depth") < colour
    assert in_default.score("observed", penalty=300.0) > image
