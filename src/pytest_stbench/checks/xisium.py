"""Q18: spots formed of transcripts that do not stand, or are not filled, as a Xisium lattice says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.result import CheckResult, Finding, column, conclude, over, unjudged, worst_slide
from pytest_stbench.checks.subject import normalised
from pytest_stbench.checks.values import as_numbers, known_places
from pytest_stbench.checks.wording import count, on_slides, percent, ranked
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

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
    found: dict[str, _Spots] = {}
    visium: dict[str, list[float]] = {}
    unusable: list[str] = []
    for slide in dataset.slides():
        organ = normalised(slide.meta.organ or dataset.config.organ or "")
        total = as_numbers(slide.libsize)
        if (slide.meta.resolution or dataset.config.resolution) != "xisium":
            if normalised(slide.meta.technology or "").startswith("visium") and len(total):
                visium.setdefault(organ, []).append(float(np.median(total)))
            continue
        lattice = measured_lattice(dataset, slide, tolerance)
        if lattice is None:
            unusable.append(slide.meta.slide_id)
        else:
            found[slide.meta.slide_id] = _Spots(slide, lattice, organ, total, min_tissue)
    if not found and not unusable:
        return conclude([], passed="no slide has units of the resolution xisium")
    findings = [
        *_off_lattice(found, tolerance, min_six),
        *_filled_otherwise(found, max_area, min_tissue, max_thin),
        *_odd_depth(found, visium, max_depth_ratio),
        *unjudged(
            unusable, lambda slides: f"{on_slides(slides)}: fewer than two units with coordinates",
            "check the coordinates, or leave these slides out",
        ),
    ]  # fmt: skip
    least = min(column(found, "six").values(), default=None)
    six = "" if least is None else f", at least {percent(least)} of the inner units with six neighbours"
    return conclude(
        findings,
        passed=f"{count(len(found), 'slide')} on a hexagonal lattice{six}",
        statistic=least,
        threshold=None if least is None else min_six,
        details=_lattices(found),
    )


class _Spots:
    """What was measured on the spots of one slide; None where it could not be."""

    def __init__(
        self, slide: Slide, lattice: Lattice, organ: str, total: NDArray[np.float64], min_tissue: float
    ) -> None:
        self.lattice, self.organ = lattice, organ
        self.six, self.error = lattice.six, lattice.error
        self.median = float(np.median(total))
        self.area = _area_error(slide, lattice.pitch)
        there, tissue = slide.measures.get("transcripts"), slide.measures.get("tissue_share")
        self.surplus = None if there is None else float((total > as_numbers(there) + 0.5).mean())
        self.thin = None if tissue is None else float((as_numbers(tissue) < min_tissue).mean())


def _lattices(found: Mapping[str, _Spots]) -> dict[str, Any]:
    lattices = {name: spots.lattice for name, spots in found.items()}
    return {
        "pitch_um": {name: lattice.pitch for name, lattice in lattices.items()},
        "phase_um": {name: list(lattice.phase) for name, lattice in lattices.items()},
        "distance_cv": {name: lattice.spread for name, lattice in lattices.items()},
        "six_neighbours": {name: lattice.six for name, lattice in lattices.items()},
    }


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


def _off_lattice(found: Mapping[str, _Spots], tolerance: float, min_six: float) -> list[Finding]:
    """Return the slides whose spots stand at another distance, or have too few neighbours."""
    errors = {name: error for name, error in column(found, "error").items() if error > tolerance}
    few = {name: share for name, share in column(found, "six").items() if share < min_six}

    def shape(slide: str) -> str:
        square = found[slide].lattice.square
        return "a square lattice, not a hexagonal one" if square else "no regular hexagonal lattice"

    return [
        *worst_slide(
            errors,
            lambda slide: f"spots of slide {slide} stand {percent(errors[slide])} off the pitch of "
            f"{found[slide].lattice.pitch:g} um ({percent(tolerance)} allowed)",
            "form the spots anew with `bin: visium` (100 um) or `bin: tiled` (55 um), or correct "
            "`pitch_um:` and the scale of the coordinates",
            tolerance,
        ),
        *worst_slide(
            few,
            lambda slide: f"{percent(few[slide])} of the inner spots of slide {slide} have six neighbours at "
            f"{found[slide].lattice.pitch:g} um ({percent(min_six)} needed): {shape(slide)}",
            "form the spots anew with `bin: visium`, or declare `resolution: bin` for square bins",
            min_six, lowest=True,
        ),
    ]  # fmt: skip


def _filled_otherwise(
    found: Mapping[str, _Spots], max_area: float, min_tissue: float, max_thin: float
) -> list[Finding]:
    """Return the slides whose spots have another area, more counts than transcripts, or little tissue."""
    areas, surplus, thin = (column(found, name) for name in ("area", "surplus", "thin"))
    return [
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
    ]  # fmt: skip


def _odd_depth(found: Mapping[str, _Spots], visium: Mapping[str, list[float]], limit: float) -> list[Finding]:
    """Compare the depth of spots with Visium slides of the same organ, where there are any."""
    ratios = {}
    for name, spots in found.items():
        known = visium.get(spots.organ)
        reference = float(np.median(known)) if known else 0.0
        if reference > 0 and spots.median > 0:
            ratios[name] = spots.median / reference
    far = {name: abs(np.log(ratio)) for name, ratio in ratios.items() if not 1 / limit <= ratio <= limit}
    return worst_slide(
        far,
        lambda slide: f"spots of slide {slide} have {ratios[slide]:.2g} times the counts of Visium spots of "
        f"this organ (0.1 to {limit:g} expected)",
        "check which transcripts were counted (quality, controls) and how large the spots are",
        limit, status="warn", statistic=ratios[ranked(far)[0]] if far else None,
    )  # fmt: skip


PITCHES_UM = {"visium": 100.0, "tiled": 55.0}
FURTHER = 18

SURROUNDED_DEGREES = 100.0
"""No direction wider than this is free around an inner unit; one missing neighbour leaves 120."""

RING = 1.5
"""Neighbours within so many pitches tell whether a unit lies inside of the tissue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """What was measured on one slide; None where it could not be."""

    pitch: float
    error: float
    six: float | None
    square: bool
    spread: float
    phase: tuple[float, float]


def measured_lattice(dataset: Subject, slide: Slide, tolerance: float) -> Lattice | None:
    """Return what the units of a slide stand on; None where there is nothing to measure."""
    xy = known_places(slide)
    if xy is None:
        return None
    near = min(FURTHER + 1, len(xy))
    distance, neighbour = cKDTree(xy).query(xy, k=near)
    nearest = distance[:, 1]
    median = float(np.median(nearest))
    if not median > 0:
        return None
    declared = slide.meta.pitch_um or dataset.config.pitch_um
    pitches = (float(declared),) if declared and declared > 0 else tuple(PITCHES_UM.values())
    pitch = min(pitches, key=lambda value: abs(np.log(median / value)))
    inner = _surrounded(xy, distance, neighbour, median)
    at_pitch = (np.abs(distance[:, 1:] / pitch - 1) <= tolerance).sum(axis=1)
    at_median = (np.abs(distance[:, 1:] / median - 1) <= tolerance).sum(axis=1)
    lower = xy.min(axis=0)
    return Lattice(
        pitch=pitch,
        error=abs(median / pitch - 1),
        six=float((at_pitch[inner] == 6).mean()) if inner.any() else None,
        square=bool(inner.any() and np.median(at_median[inner]) == 4),
        spread=float(nearest.std() / nearest.mean()),
        phase=(float(lower[0] % pitch), float(lower[1] % (pitch * np.sqrt(3)))),
    )


def _surrounded(
    xy: NDArray[np.float64], distance: NDArray[np.float64], neighbour: NDArray[np.intp], median: float
) -> NDArray[np.bool_]:
    """Return which units have neighbours in every direction, (n,)."""
    to = xy[neighbour[:, 1:]] - xy[:, None, :]
    angle = np.degrees(np.arctan2(to[..., 1], to[..., 0]))
    # Beyond the ring an angle repeats the first one, which adds no direction.
    angle = np.where(distance[:, 1:] <= RING * median, angle, angle[:, :1])
    angle.sort(axis=1)
    gaps = np.diff(np.column_stack([angle, angle[:, 0] + 360.0]), axis=1)
    inner: NDArray[np.bool_] = gaps.max(axis=1) < SURROUNDED_DEGREES
    return inner
