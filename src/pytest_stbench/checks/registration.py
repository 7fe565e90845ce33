"""Q20: images whose patches do not show the tissue that was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.image_fit import ImageFit, image_fit
from pytest_stbench.checks.result import CheckResult, Finding, column, conclude, over, unjudged, worst_slide
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, others, percent, ranked
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.checks.subject import Subject


@check(
    "Q20",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "patch_background": "fat is half white; a patch of four fifths of white shows no tissue",
        "warn_background": "a tenth of spots at the edge of the tissue is common",
        "fail_background": "with a third of spots on glass the image does not belong to the slide",
        "max_off_tissue": "8 real slides are below 1%, 30 simulated ones of scattered cells below 37%",
        "max_above": "a right place is better than nine of ten wrong ones 0.2 to 1 mm away",
        "max_above_slide": "7 of 480 good simulated slides are above it, none of 8 real ones, and two of "
        "three mirrored or shifted ones (tests/calibration/image_registration.py)",
        "max_scale": "scanners are exact to 1%; 5% moves a spot at 6 mm by 300 um",
    },
    checklist=("S1",),
    source="Ruifrok and Johnston 2001",
    after=("missing_coords",),
)
def image_registration(
    dataset: Subject,
    *,
    patch_background: float = 0.8,
    warn_background: float = 0.1,
    fail_background: float = 0.3,
    max_off_tissue: float = 0.4,
    max_above: float = 0.1,
    max_above_slide: float = 0.25,
    max_scale: float = 0.05,
) -> CheckResult:
    """Do image patches show the tissue that was measured: place, orientation, scale?

    Images are looked at with 8 um per pixel. Per slide, worst slide first: the share of units whose patch
    (112 um) is more than `patch_background` glass or mask, and of those outside of the image: each warns
    above `warn_background` and fails above `fail_background`. More than `max_off_tissue` of units whose patch
    is by more than `patch_background` beside the tissue warn: tissue is what is coloured (saturation above
    Otsu's threshold, pieces and holes of 0.01 mm2 and more), whatever grey the glass is; images without
    colour are not judged so. The um per pixel of the image may differ by
    `max_scale` from those that the coordinates in um and in pixels give, else it fails. Registration: the
    share of variance in log counts and in the ten leading components of the 50 highest genes that the
    optical density around a unit (red, green, blue) explains is held against 99 shifts of the image by
    0.2 to 1 mm (at most half of the section) in random directions (seed 0), each time for the units that
    stay in the image. So is the rank correlation of haematoxylin density with the number of cells, else the
    count. The share of shifts that do as well as the given place is taken for both, and the smaller one
    counts: tissue shows itself in one or the other. More than `max_above` of the shifts, mean over slides
    (the statistic), warn, and so do more than `max_above_slide` on a single one. Shifts that leave fewer than
    half of the units in the image are left aside. Slides without image, or with fewer than 30 units, are not
    judged.
    """
    found, unplaced = _looked_at(dataset, patch_background)
    if not found and not unplaced:
        return conclude([], passed="the data set has no image")
    blank, outside = column(found, "blank"), column(found, "outside")
    scales, ranks = column(found, "scale"), column(found, "rank")
    beside = column(found, "off_tissue")
    findings = [
        *_off_scale(scales, max_scale),
        *_on_glass(outside, blank, warn_background, fail_background),
        *_off_tissue(beside, max_off_tissue),
        *_misplaced(ranks, found, max_above, max_above_slide),
        *unjudged(
            unplaced,
            lambda slides: f"slide {slides[0]} has an image and no coordinates in it{others(slides)}",
            "name the coordinates in pixels of the image: `image: {spatial: ...}`",
        ),
    ]
    mean = float(np.mean(list(ranks.values()))) if ranks else None
    return conclude(
        findings,
        passed=f"{count(len(found), 'image')} looked at, at most {percent(max(blank.values(), default=0))} "
        "of a slide's units on background",
        statistic=mean,
        threshold=None if mean is None else max_above,
        details={
            "background": blank,
            "outside": outside,
            "off_tissue": beside,
            "scale_over_declared": scales,
            "explained": {name: seen.own for name, seen in found.items()},
            "shifts_as_good": ranks,
        },
    )


def _looked_at(dataset: Subject, patch_background: float) -> tuple[dict[str, ImageFit], list[str]]:
    """Return what was found on slides with an image, and those that have no places in it."""
    found: dict[str, ImageFit] = {}
    unplaced: list[str] = []
    for slide in dataset.slides():
        if slide.image is None or not slide.n_units:
            continue
        xy = None if slide.xy_px is None else as_numbers(slide.xy_px)
        if xy is None or xy.shape != (slide.n_units, 2):
            unplaced.append(slide.meta.slide_id)
        else:
            found[slide.meta.slide_id] = image_fit(slide, xy, patch_background)
    return found, unplaced


def _off_scale(scales: Mapping[str, float], limit: float) -> list[Finding]:
    errors = {name: max(scale, 1 / scale) - 1 for name, scale in scales.items()}
    beyond = {name: error for name, error in errors.items() if error > limit}
    ratio = scales[ranked(beyond)[0]] if beyond else 1.0
    return worst_slide(
        beyond,
        lambda slide: f"um per pixel of the image of slide {slide} are off by {percent(errors[slide])} from "
        f"those of the coordinates ({percent(limit)} allowed)",
        f"correct `image: {{um_per_px: ...}}` (declared value times {ratio:.3g}) or `scale:`",
        limit,
    )  # fmt: skip


def _off_tissue(beside: Mapping[str, float], limit: float) -> list[Finding]:
    return worst_slide(
        {name: share for name, share in beside.items() if share > limit},
        lambda slide: (
            f"{percent(beside[slide])} of the units of slide {slide} lie beside the tissue that its "
            f"image shows ({percent(limit)} allowed)"
        ),
        "look at the spots over the image: it may be turned, shifted, cropped or of another section",
        limit,
        status="warn",
    )


def _on_glass(
    outside: Mapping[str, float], blank: Mapping[str, float], warn: float, fail: float
) -> list[Finding]:
    return [
        *over(
            outside,
            lambda slide: f"{percent(outside[slide])} of the units of slide {slide} lie outside of the image",
            "check `image: {spatial: ..., um_per_px: ...}`, or that `alignment` maps the image to the "
            "cells and not back, and whether the image belongs to the slide",
            warn=warn, fail=fail,
        ),
        *over(
            blank,
            lambda slide: f"{percent(blank[slide])} of the units of slide {slide} lie on glass or mask, not "
            "on tissue",
            "check orientation and scale of the image (x and y swapped, mirrored, cropped), or drop units "
            "beside the tissue",
            warn=warn, fail=fail,
        ),
    ]  # fmt: skip


def _misplaced(
    ranks: Mapping[str, float], found: Mapping[str, ImageFit], limit: float, slide_limit: float
) -> list[Finding]:
    mean = float(np.mean(list(ranks.values()))) if ranks else 0.0
    bound = limit if mean > limit else max(limit, slide_limit)
    return worst_slide(
        {name: rank for name, rank in ranks.items() if rank > bound},
        lambda slide: f"{percent(ranks[slide])} of random shifts of the image of slide {slide} fit its "
        "counts as well as the given place does (colours explain "
        f"{percent(found[slide].own or 0)} of them; {percent(bound)} allowed)",
        "look at the spots over the image: it may be mirrored, rotated, shifted or of another section",
        bound,
        status="warn",
    )  # fmt: skip
