"""Q18: spots formed of transcripts that do not stand, or are not filled, as a Xisium lattice says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    conclude,
    count,
    on_slides,
    others,
    over,
    percent,
    ranked,
)
from pytest_stbench.checks.subject import normalised
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.xisium_lattice import PITCHES_UM, Lattice, measured_lattice
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide

AREA_SHARES = {"visium": 0.2743, "tiled": 1.0}
"""Area of a unit over that of the lattice cell around it: a disc of 55 um at 100 um pitch, no gap."""


@check(
    "Q18",
    severity="fail",
    scope="dataset",
    reasons={
        "tolerance": "a computed lattice is exact; rounding to a pixel moves a spot by less than 1 um",
        "min_six": "inner units of a hexagonal lattice have six neighbours, but for a hole or two",
        "max_area": "0.274 of the tissue lies in Visium discs: another share is another geometry",
        "min_tissue": "less than half a spot of tissue is a thinner spot, not lower expression",
        "max_thin": "a third of edge spots is a wrong tissue mask",
        "max_depth_ratio": "targeted panels and whole transcriptomes differ within tenfold per spot",
    },
    checklist=("S1",),
    after=("controls_in_matrix",),
)
def xisium_geometry(
    dataset: Subject,
    *,
    tolerance: float = 0.02,
    min_six: float = 0.95,
    max_area: float = 0.05,
    min_tissue: float = 0.5,
    max_thin: float = 0.3,
    max_depth_ratio: float = 10.0,
) -> CheckResult:
    """Do spots formed of transcripts stand, and are they filled, as the Xisium lattice says?

    Per slide of resolution ``xisium``: the median distance to the nearest neighbour may differ from
    the pitch by `tolerance`; of the inner units (no free direction of 100 degrees around them) at
    least `min_six` have six neighbours at the pitch give or take `tolerance`; the area of a unit
    over that of its lattice cell (0.274 ``visium``, 1 ``tiled``) may be off by `max_area`; and a
    spot cannot hold more counts than transcripts lie in it. All these fail. More than `max_thin` of
    the spots with less than `min_tissue` of their area in tissue warn, and so does a median count
    beyond `max_depth_ratio` times that of Visium slides of the same organ in the data set, either
    way. The statistic is the smallest share of inner units with six neighbours. ``details`` record
    pitch, phase and spread of distances. Slides of other resolutions are not judged.
    """
    pitch_errors: dict[str, float] = {}
    without_six: dict[str, float] = {}
    areas: dict[str, float] = {}
    surplus: dict[str, float] = {}
    thin: dict[str, float] = {}
    medians: dict[str, float] = {}
    organs: dict[str, str] = {}
    visium: dict[str, list[float]] = {}
    found: dict[str, Lattice] = {}
    unusable: list[str] = []
    for slide in dataset.slides():
        name = slide.meta.slide_id
        organ = normalised(slide.meta.organ or dataset.config.organ or "")
        total = as_numbers(slide.libsize)
        if (slide.meta.resolution or dataset.config.resolution) != "xisium":
            if normalised(slide.meta.technology or "").startswith("visium") and len(total):
                visium.setdefault(organ, []).append(float(np.median(total)))
            continue
        organs[name] = organ
        lattice = measured_lattice(dataset, slide, tolerance)
        if lattice is None:
            unusable.append(name)
            continue
        found[name] = lattice
        pitch_errors[name] = lattice.error
        if lattice.six is not None:
            without_six[name] = 1 - lattice.six
        medians[name] = float(np.median(total))
        share = _area_error(slide, lattice.pitch)
        if share is not None:
            areas[name] = share
        there = slide.measures.get("transcripts")
        if there is not None:
            surplus[name] = float((total > as_numbers(there) + 0.5).mean())
        tissue = slide.measures.get("tissue_share")
        if tissue is not None:
            thin[name] = float((as_numbers(tissue) < min_tissue).mean())
    if not organs:
        return conclude([], passed="no slide has units of the resolution xisium")
    findings = [
        *_wrong_pitch(pitch_errors, found, tolerance),
        *_few_with_six(without_six, found, min_six),
        *over(
            areas,
            lambda slide: f"units of slide {slide} have an area {percent(areas[slide])} off that of their "
            "geometry",
            "form the spots anew with `bin: visium` (discs of 55 um) or `bin: tiled` (hexagons)",
            fail=max_area,
        ),
        *over(
            surplus,
            lambda slide: f"{percent(surplus[slide])} of the spots of slide {slide} hold more counts than "
            "transcripts lie in them",
            "count every transcript into one spot only, or form the spots anew with `bin:`",
            fail=0.0,
        ),
        *over(
            thin,
            lambda slide: f"{percent(thin[slide])} of the spots of slide {slide} have less than "
            f"{percent(min_tissue)} tissue",
            "raise `min_tissue` of `bin:`, so that spots at the edge are left out",
            warn=max_thin,
        ),
        *_odd_depth(medians, organs, visium, max_depth_ratio),
    ]  # fmt: skip
    if unusable:
        findings.append(
            Finding(
                status="skip",
                text=f"{on_slides(sorted(unusable))}: fewer than two units with coordinates",
                fix="check the coordinates, or leave these slides out",
                slides=tuple(sorted(unusable)),
            )
        )
    least = 1 - max(without_six.values()) if without_six else None
    return conclude(
        findings,
        passed=f"{count(len(found), 'slide')} on a hexagonal lattice"
        + (
            f", at least {percent(least)} of the inner units with six neighbours" if least is not None else ""
        ),
        statistic=least,
        threshold=None if least is None else min_six,
        details={
            "pitch_um": {name: lattice.pitch for name, lattice in found.items()},
            "phase_um": {name: list(lattice.phase) for name, lattice in found.items()},
            "distance_cv": {name: lattice.spread for name, lattice in found.items()},
            "six_neighbours": {name: lattice.six for name, lattice in found.items()},
        },
    )


def _area_error(slide: Slide, pitch: float) -> float | None:
    area = slide.measures.get("area_um2")
    geometry = next((name for name, value in PITCHES_UM.items() if abs(pitch / value - 1) < 0.25), None)
    if area is None or geometry is None:
        return None
    values = as_numbers(area)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    share = float(np.median(values)) / (pitch**2 * np.sqrt(0.75))
    return float(abs(share / AREA_SHARES[geometry] - 1))


def _wrong_pitch(
    errors: Mapping[str, float], found: Mapping[str, Lattice], tolerance: float
) -> list[Finding]:
    slides = ranked({name: error for name, error in errors.items() if error > tolerance})
    if not slides:
        return []
    worst = slides[0]
    return [
        Finding(
            status="fail",
            text=f"spots of slide {worst} stand {percent(errors[worst])} off the pitch of "
            f"{found[worst].pitch:g} um ({percent(tolerance)} allowed){others(slides)}",
            fix="form the spots anew with `bin: visium` (100 um) or `bin: tiled` (55 um), or correct "
            "`pitch_um:` and the scale of the coordinates",
            statistic=errors[worst],
            threshold=tolerance,
            slides=slides,
        )
    ]


def _few_with_six(
    without: Mapping[str, float], found: Mapping[str, Lattice], min_six: float
) -> list[Finding]:
    slides = ranked({name: share for name, share in without.items() if 1 - share < min_six})
    if not slides:
        return []
    worst = slides[0]
    shape = "a square lattice, not a hexagonal one" if found[worst].square else "no regular hexagonal lattice"
    return [
        Finding(
            status="fail",
            text=f"{percent(1 - without[worst])} of the inner spots of slide {worst} have six neighbours at "
            f"{found[worst].pitch:g} um ({percent(min_six)} needed): {shape}{others(slides)}",
            fix="form the spots anew with `bin: visium`, or declare `resolution: bin` for square bins",
            statistic=1 - without[worst],
            threshold=min_six,
            slides=slides,
        )
    ]


def _odd_depth(
    medians: Mapping[str, float],
    organs: Mapping[str, str],
    visium: Mapping[str, list[float]],
    limit: float,
) -> list[Finding]:
    """Compare the depth of spots with Visium slides of the same organ, where there are any."""
    ratios = {}
    for name, median in medians.items():
        known = visium.get(organs[name])
        reference = float(np.median(known)) if known else 0.0
        if reference > 0 and median > 0:
            ratios[name] = median / reference
    far = ranked({name: abs(np.log(ratio)) for name, ratio in ratios.items()})
    far = tuple(name for name in far if not 1 / limit <= ratios[name] <= limit)
    if not far:
        return []
    return [
        Finding(
            status="warn",
            text=f"spots of slide {far[0]} have {ratios[far[0]]:.2g} times the counts of Visium spots of "
            f"this organ (0.1 to {limit:g} expected){others(far)}",
            fix="check which transcripts were counted (quality, controls) and how large the spots are",
            statistic=ratios[far[0]],
            threshold=limit,
            slides=far,
        )
    ]
