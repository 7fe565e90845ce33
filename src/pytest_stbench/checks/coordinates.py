"""Q07: coordinates that are missing or not in micrometres."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.axes import fit_of, misplaced, other_units, overlapping_fields
from pytest_stbench.checks.result import WITHHOLDS, CheckResult, Finding, conclude, unjudged, worst_slide
from pytest_stbench.checks.subject import normalised
from pytest_stbench.checks.table import PITCH_COLUMNS, number_in
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, on_slides, ranked
from pytest_stbench.data.readers.units import MEASURED
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
    found = _Places()
    measured = {slide for slide, number in notes.get(MEASURED, {}).items() if number}
    for slide in dataset.slides():
        found.look(slide, dataset, min_cell_um, measured=slide.meta.slide_id in measured)
    ratios = found.ratios
    fields = overlapping_fields(notes, {name: n for name, n in found.n_units.items() if n})
    scale = found.wrong_scale(min_ratio, max_ratio)
    crowded = found.nearer_than_cells(min_cell_um)
    astray = [*fields, *scale, *crowded]
    findings = [
        *fields,
        *other_units(notes),
        *_declared(dataset, min_ratio, max_ratio),
        *found.incomplete(),
        *scale,
        *misplaced(found.fits, max_stretch),
        *crowded,
        *found.unjudged(measured),
    ]
    worst = max(ratios.values(), key=lambda ratio: abs(np.log(ratio)), default=None)
    spacing = f", median spacing {worst:.3g} x the pitch at worst" if worst else ""
    return conclude(
        findings,
        passed=f"coordinates of {count(len(found.n_units), 'slide')} are complete{spacing}",
        statistic=worst,
        threshold=None if worst is None else (min_ratio if worst < 1 else max_ratio),
        details={
            "spacing_over_pitch": ratios,
            **({WITHHOLDS: "; ".join(finding.text for finding in astray)} if astray else {}),
        },
    )


class _Places:
    """What the places of all slides tell, slide by slide."""

    def __init__(self) -> None:
        self.n_units: dict[str, int] = {}
        self.fits: dict[str, GridFit] = {}
        self.ratios: dict[str, float] = {}
        self._medians: dict[str, tuple[float, float]] = {}
        self._missing: dict[str, int] = {}
        self._crowded: dict[str, float] = {}
        self._flat: list[str] = []
        self._single: list[str] = []
        self._without_pitch: list[str] = []

    def look(self, slide: Slide, dataset: Subject, min_cell_um: float, *, measured: bool) -> None:
        """Take note of one slide."""
        name = slide.meta.slide_id
        self.n_units[name] = slide.n_units
        fit = fit_of(slide, dataset.config)
        if fit is not None:
            self.fits[name] = fit
        xy = as_numbers(slide.xy_um)
        if xy.shape != (slide.n_units, 2):
            self._missing[name] = slide.n_units
            return
        finite = np.isfinite(xy).all(axis=1)
        resolution = slide.meta.resolution or dataset.config.resolution
        if not finite.all():
            self._missing[name] = int((~finite).sum())
        elif len(xy) < 2:  # one point has neither range nor neighbour
            self._single.append(name)
        elif (np.ptp(xy, axis=0) == 0).any():
            self._flat.append(name)
        elif resolution in LATTICES and not measured:
            pitches = _pitches(dataset, slide)
            if not pitches:
                self._without_pitch.append(name)
                return
            median = _median_neighbour(xy)
            pitch = min(pitches, key=lambda value: (abs(np.log(median / value)), value))
            self.ratios[name], self._medians[name] = median / pitch, (median, pitch)
        elif resolution == "cell" and (median := _median_neighbour(xy)) < min_cell_um:
            self._crowded[name] = median

    def incomplete(self) -> list[Finding]:
        """Return the slides without places, or with all of them on one line."""
        missing = self._missing
        return [
            *worst_slide(
                missing,
                lambda slide: f"{count(missing[slide], 'unit')} without coordinates on slide {slide}",
                "fill the coordinates of every unit (`keys: {spatial: ...}`), or leave the unit out",
                statistic=sum(missing.values()),
            ),
            *worst_slide(
                dict.fromkeys(self._flat, 0.0),
                lambda slide: f"all units of slide {slide} have the same x or the same y",
                "check `keys: {spatial: ...}`: it must name x and y of each unit",
            ),
        ]

    def wrong_scale(self, low: float, high: float) -> list[Finding]:
        """Return the slides whose units do not lie a pitch apart."""
        ratios = self.ratios
        off = {name: abs(float(np.log(r))) for name, r in ratios.items() if not low <= r <= high}
        if not off:
            return []
        worst = ranked(off)[0]
        median, pitch = self._medians[worst]
        guess = "array indices" if median <= 2.5 else "pixels"  # steps of an array index are 1 or 2
        return worst_slide(
            off,
            lambda slide: (
                f"neighbours on slide {slide} are {median:.3g} apart where the pitch is {pitch:g} um"
            ),
            f"set `scale: {{um_per_px: ...}}` to get um (here: about times {pitch / median:.3g}), "
            "or correct `pitch_um:`",
            low if ratios[worst] < low else high,
            tail=f"; these may be {guess}",
            statistic=ratios[worst],
        )

    def nearer_than_cells(self, least: float) -> list[Finding]:
        """Return the slides of cells whose centres nearly coincide."""
        return worst_slide(
            self._crowded,
            lambda slide: f"cells of slide {slide} are {self._crowded[slide]:.3g} apart (median), nearer "
            "than cells can lie in um",
            "set `scale: {um_per_px: ...}` to get um: these may be array indices or millimetres",
            least, lowest=True,
        )  # fmt: skip

    def unjudged(self, measured: Collection[str]) -> list[Finding]:
        """Return what nothing can be said of."""
        single = tuple(sorted(self._single))
        found = [
            *unjudged(
                self._without_pitch,
                lambda slides: f"no pitch is known for the technology, so the spacing of {on_slides(slides)} "
                "cannot be judged",
                "write `pitch_um:` (centre to centre, in um) under the data set",
            ),
            *unjudged(
                measured,
                lambda slides: f"the unit of {on_slides(slides)} was measured by the distance of neighbours, "
                "which then cannot test it",
                "write the size of a pixel as `scale: {um_per_px: ...}`, as the scanner says it",
            ),
        ]  # fmt: skip
        if single or not self.n_units:
            text = f"{count(len(single), 'slide')} with fewer than two units" if single else "no slide"
            fix = "check `path:` and the files behind it"
            found.append(Finding(status="skip", text=text, fix=fix, slides=single))
        return found


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
    far = {name: abs(float(np.log(ratio))) for name, ratio in ratios.items()}
    ratio = ratios[ranked(far)[0]] if far else 1.0
    return worst_slide(
        far,
        lambda slide: f"the samples table gives slide {slide} a spacing of {said[slide][0]:.3g} um, its "
        f"technology has {said[slide][1]:g} um",
        "correct the pixel size, or the technology; write `pitch_um:` if the array is another one",
        min_ratio if ratio < 1 else max_ratio, statistic=ratio,
    )  # fmt: skip


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
