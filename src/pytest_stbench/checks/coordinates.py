"""Q07: coordinates that are missing or not in micrometres."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.axes import fit_of, misplaced, other_units, overlapping_fields
from pytest_stbench.checks.result import (
    WITHHOLDS,
    CheckResult,
    Finding,
    conclude,
    count,
    on_slides,
    others,
    ranked,
)
from pytest_stbench.checks.subject import normalised
from pytest_stbench.checks.table import PITCH_COLUMNS, number_in
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.data.readers.units import MEASURED
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.kernels.grid_fit import GridFit

LATTICES = frozenset({"spot", "xisium", "bin"})
XISIUM_PITCHES_UM = (100.0, 55.0)


@check(
    "Q07",
    severity="fail",
    scope="dataset",
    reasons={
        "min_ratio": "distortion and gaps of an array move the median spacing by less than 20%",
        "max_ratio": "the counterpart of min_ratio",
        "min_cell_um": "the smallest nuclei have a diameter of about 5 um",
        "max_stretch": "30 sections of ST and 2 of Visium have 1.001 to 1.013; exchanged indices have 3",
    },
    checklist=("S1",),
    after=("controls_in_matrix",),
    withholds=True,
)
def missing_coords(
    dataset: Subject,
    *,
    notes: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    min_ratio: float = 0.8,
    max_ratio: float = 1.25,
    min_cell_um: float = 1.0,
    max_stretch: float = 1.1,
) -> CheckResult:
    """Are coordinates complete, spread out and in micrometres?

    Any coordinate that is missing or not finite fails, and so does an axis on which all units of
    a slide have one value. For spots and bins the median distance to the nearest neighbour (the
    statistic, divided by the pitch) must lie between `min_ratio` and `max_ratio`; the pitch is
    the slide's, the data set's (``pitch_um``) or that of the technology (Visium 100, ST v1 200,
    Visium HD 16, xisium 100 or 55 um). A spacing that the samples table gives (``pitch_um``) is held
    against that of the technology in the same way. A lattice of unknown pitch gives ``skip``. Cells
    have no pitch, but the median distance of their centres is at least `min_cell_um`; pixels of cells
    cannot be told from micrometres.

    Where the unit was itself measured by the distance of neighbours (from `notes`), that distance tests
    nothing: ``skip``. A file that says another unit than the one that is used fails, with both sizes. Units
    with array indices whose places are stretched by more than `max_stretch` in one direction, or do not
    follow the indices, fail; places that are a mirror image of the indices, as by an exchange of x and y,
    warn. Fields of view that lie on each other fail: a fifth of the units, or more, is in the middle of
    another field. What judges by places is not asked where these are in a wrong unit or in wrong fields.
    """
    findings: list[Finding] = []
    ratios: dict[str, float] = {}
    missing: dict[str, int] = {}
    flat: list[str] = []
    single: list[str] = []
    unknown: list[str] = []
    medians: dict[str, tuple[float, float]] = {}
    crowded: dict[str, float] = {}
    fits: dict[str, GridFit] = {}
    measured = sorted(slide for slide, number in notes.get(MEASURED, {}).items() if number)
    n_units: dict[str, int] = {}
    for slide in dataset.slides():
        name = slide.meta.slide_id
        n_units[name] = slide.n_units
        fit = fit_of(slide, dataset.config)
        if fit is not None:
            fits[name] = fit
        xy = as_numbers(slide.xy_um)
        if xy.shape != (slide.n_units, 2):
            missing[name] = slide.n_units
            continue
        finite = np.isfinite(xy).all(axis=1)
        if not finite.all():
            missing[name] = int((~finite).sum())
        elif len(xy) < 2:  # one point has neither range nor neighbour
            single.append(name)
        elif (np.ptp(xy, axis=0) == 0).any():
            flat.append(name)
        elif (resolution := slide.meta.resolution or dataset.config.resolution) in LATTICES:
            pitches = _pitches(dataset, slide)
            if name in measured:
                continue
            if not pitches:
                unknown.append(name)
                continue
            median = _median_neighbour(xy)
            pitch = min(pitches, key=lambda value: (abs(np.log(median / value)), value))
            ratios[name], medians[name] = median / pitch, (median, pitch)
        elif resolution == "cell" and (median := _median_neighbour(xy)) < min_cell_um:
            crowded[name] = median
    astray = overlapping_fields(notes, {name: n for name, n in n_units.items() if n})
    findings += astray
    findings += other_units(notes)
    findings += _declared(dataset, min_ratio, max_ratio)
    if missing:
        slides = ranked(missing)
        findings.append(
            Finding(
                status="fail",
                text=f"{count(missing[slides[0]], 'unit')} without coordinates on slide {slides[0]}"
                f"{others(slides)}",
                fix="fill the coordinates of every unit (`keys: {spatial: ...}`), or leave the unit out",
                statistic=sum(missing.values()),
                threshold=0.0,
                slides=slides,
            )
        )
    if flat:
        findings.append(
            Finding(
                status="fail",
                text=f"all units of slide {sorted(flat)[0]} have the same x or the same y{others(flat)}",
                fix="check `keys: {spatial: ...}`: it must name x and y of each unit",
                statistic=0.0,
                threshold=0.0,
                slides=tuple(sorted(flat)),
            )
        )
    astray += (scale := _wrong_scale(ratios, medians, min_ratio, max_ratio))
    findings += scale
    findings += misplaced(fits, max_stretch)
    if crowded:
        astray.append(_crowded(crowded, min_cell_um))
        findings.append(astray[-1])
    if unknown:
        findings.append(
            Finding(
                status="skip",
                text=f"no pitch is known for the technology, so the spacing of {on_slides(sorted(unknown))} "
                "cannot be judged",
                fix="write `pitch_um:` (centre to centre, in um) under the data set",
                slides=tuple(sorted(unknown)),
            )
        )
    if measured:
        findings.append(
            Finding(
                status="skip",
                text=f"the unit of {on_slides(measured)} was measured by the distance of neighbours, which "
                "then cannot test it",
                fix="write the size of a pixel as `scale: {um_per_px: ...}`, as the scanner says it",
                slides=tuple(measured),
            )
        )
    if single or not n_units:
        findings.append(
            Finding(
                status="skip",
                text=f"{count(len(single), 'slide')} with fewer than two units" if single else "no slide",
                fix="check `path:` and the files behind it",
                slides=tuple(sorted(single)),
            )
        )
    worst = max(ratios.values(), key=lambda ratio: abs(np.log(ratio)), default=None)
    spacing = f", median spacing {worst:.3g} x the pitch at worst" if worst else ""
    return conclude(
        findings,
        passed=f"coordinates of {count(len(n_units), 'slide')} are complete{spacing}",
        statistic=worst,
        threshold=None if worst is None else (min_ratio if worst < 1 else max_ratio),
        details={
            "spacing_over_pitch": ratios,
            **({WITHHOLDS: "; ".join(finding.text for finding in astray)} if astray else {}),
        },
    )


def _declared(dataset: Subject, min_ratio: float, max_ratio: float) -> list[Finding]:
    """Return the slides whose spacing, as the samples table gives it, is not that of their technology."""
    ratios: dict[str, float] = {}
    said: dict[str, tuple[float, float]] = {}
    for sample in dataset.samples:
        pitch = number_in(sample, PITCH_COLUMNS)
        technology = sample.technology or dataset.config.technology
        lattice = lattice_of(technology, sample.resolution or dataset.config.resolution)
        bins = normalised(technology or "").startswith("visiumhd")  # its tables name the smallest bins
        if pitch is None or lattice is None or bins or dataset.config.pitch_um is not None:
            continue
        if not min_ratio <= pitch / lattice.pitch_um <= max_ratio:
            ratios[sample.slide], said[sample.slide] = pitch / lattice.pitch_um, (pitch, lattice.pitch_um)
    if not ratios:
        return []
    slides = ranked({name: abs(float(np.log(ratio))) for name, ratio in ratios.items()})
    pitch, expected = said[slides[0]]
    return [
        Finding(
            status="fail",
            text=f"the samples table gives slide {slides[0]} a spacing of {pitch:.3g} um, its technology has "
            f"{expected:g} um{others(slides)}",
            fix="correct the pixel size, or the technology; write `pitch_um:` if the array is another one",
            statistic=ratios[slides[0]],
            threshold=min_ratio if ratios[slides[0]] < 1 else max_ratio,
            slides=slides,
        )
    ]


def _pitches(dataset: Subject, slide: Slide) -> tuple[float, ...]:
    for value in (slide.meta.pitch_um, dataset.config.pitch_um):
        if value is not None and 0 < value < np.inf:
            return (float(value),)
    resolution = slide.meta.resolution or dataset.config.resolution
    if resolution == "xisium":
        return XISIUM_PITCHES_UM
    lattice = lattice_of(slide.meta.technology or dataset.config.technology, resolution)
    return (lattice.pitch_um,) if lattice else ()


def _median_neighbour(xy: NDArray[np.float64]) -> float:
    """Return the median distance to the nearest other place; units at one place count once."""
    places = np.unique(xy, axis=0)
    distances, _ = cKDTree(places).query(places, k=2)
    return float(np.median(distances[:, 1]))


def _crowded(medians: Mapping[str, float], least: float) -> Finding:
    slides = tuple(sorted(medians, key=lambda name: (medians[name], name)))
    return Finding(
        status="fail",
        text=f"cells of slide {slides[0]} are {medians[slides[0]]:.3g} apart (median), nearer than "
        f"cells can lie in um{others(slides)}",
        fix="set `scale: {um_per_px: ...}` to get um: these may be array indices or millimetres",
        statistic=medians[slides[0]],
        threshold=least,
        slides=slides,
    )


def _wrong_scale(
    ratios: dict[str, float], medians: dict[str, tuple[float, float]], low: float, high: float
) -> list[Finding]:
    off = sorted(
        (name for name, ratio in ratios.items() if not low <= ratio <= high),
        key=lambda name: (-abs(float(np.log(ratios[name]))), name),
    )
    if not off:
        return []
    median, pitch = medians[off[0]]
    guess = "array indices" if median <= 2.5 else "pixels"  # steps of an array index are 1 or 2
    return [
        Finding(
            status="fail",
            text=f"neighbours on slide {off[0]} are {median:.3g} apart where the pitch is {pitch:g} um"
            f"{others(off)}; these may be {guess}",
            fix=f"set `scale: {{um_per_px: ...}}` to get um (here: about times {pitch / median:.3g}), "
            "or correct `pitch_um:`",
            statistic=ratios[off[0]],
            threshold=low if ratios[off[0]] < low else high,
            slides=tuple(off),
        )
    ]
