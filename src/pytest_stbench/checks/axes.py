"""Places against array indices, and against what the file says of its unit; a part of Q07."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, others, percent, ranked
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.data.readers.fields import OVERLAP, WHOLE
from pytest_stbench.data.readers.units import DISAGREES
from pytest_stbench.data.sections import MIXED
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.kernels.grid_fit import MAX_RESIDUAL, grid_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.kernels.grid_fit import GridFit
    from pytest_stbench.spec.model import DatasetSpec


def fit_of(slide: Slide, config: DatasetSpec) -> GridFit | None:
    """Return how places and array indices of a slide lie to each other; None where that cannot be said."""
    meta = slide.meta
    lattice = lattice_of(meta.technology or config.technology, meta.resolution or config.resolution)
    if slide.array_index is None or lattice is None:
        return None
    xy = as_numbers(slide.xy_um)
    if xy.shape != (slide.n_units, 2):
        return None
    return grid_fit(xy, slide.array_index, hexagonal=lattice.kind == "hex")


def misplaced(fits: Mapping[str, GridFit], max_stretch: float) -> list[Finding]:
    """Return the slides whose places do not follow their array indices."""
    findings = []
    astray = ranked({name: fit.residual for name, fit in fits.items() if fit.residual > MAX_RESIDUAL})
    if astray:
        fit = fits[astray[0]]
        findings.append(
            Finding(
                status="fail",
                text=f"units of slide {astray[0]} lie {fit.residual:.2g} pitches (rms) from where their "
                f"array indices put them{others(astray)}",
                fix="join places and units by name: one of the two is of other units, or of several sections",
                statistic=fit.residual,
                threshold=MAX_RESIDUAL,
                slides=astray,
            )
        )
    stretched = ranked(
        {name: f.stretch for name, f in fits.items() if f.stretch > max_stretch and name not in astray}
    )
    if stretched:
        fit = fits[stretched[0]]
        findings.append(
            Finding(
                status="fail",
                text=f"one direction of slide {stretched[0]} is {fit.stretch:.3g} times as long as its array "
                f"indices say ({max_stretch:g} allowed){others(stretched)}",
                fix="check that `keys.spatial` names places and no array indices, and that `keys.array_row` "
                "and `keys.array_col` are not exchanged",
                statistic=fit.stretch,
                threshold=max_stretch,
                slides=stretched,
            )
        )
    wrong = {*astray, *stretched}
    mirrored = tuple(sorted(name for name, fit in fits.items() if fit.mirrored and name not in wrong))
    if mirrored:
        findings.append(
            Finding(
                status="warn",
                text=f"places of slide {mirrored[0]} are a mirror image of their array indices"
                f"{others(mirrored)}: x and y are exchanged, or the image was flipped",
                fix="look at one slide with its image: x counts the columns of the image, y its rows",
                statistic=len(mirrored),
                threshold=0.0,
                slides=mirrored,
            )
        )
    return findings


def other_units(notes: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Return the slides whose file says another unit of its coordinates than the one that is used."""
    said = {
        note.removeprefix(DISAGREES): tuple(sorted(slide for slide, number in slides.items() if number))
        for note, slides in notes.items()
        if note.startswith(DISAGREES)
    }
    return [
        Finding(
            status="fail",
            text=f"slide {slides[0]}: {text}{others(slides)}",
            fix="correct `scale`, or what the file says",
            statistic=len(slides),
            threshold=0.0,
            slides=slides,
        )
        for text, slides in said.items()
        if slides
    ]


def overlapping_fields(notes: Mapping[str, Mapping[str, int]], n_units: Mapping[str, int]) -> list[Finding]:
    """Return the slides whose fields of view lie on each other."""
    findings = []
    for note, numbers in notes.items():
        shares = {slide: n / n_units[slide] for slide, n in numbers.items() if n and slide in n_units}
        if not note.startswith(OVERLAP) or not shares:
            continue
        slides = ranked(shares)
        worst, column = slides[0], note.removeprefix(OVERLAP)
        whole = [
            other.removeprefix(WHOLE)
            for other, found in notes.items()
            if other.startswith(WHOLE) and found.get(worst)
        ]
        findings.append(
            Finding(
                status="fail",
                text=f"{percent(shares[worst])} of the units of slide {worst} lie within another field of "
                f"view (obs[{column!r}]){others(slides)}: their places are counted anew in every field",
                fix=f"name the places on the whole slide: `keys: {{{whole[0]}}}`"
                if whole
                else "write the places on the whole slide into the files (CosMx calls them "
                "CenterX_global_px, CenterY_global_px) and name them by `keys: {spatial: ...}` or "
                "`keys: {x: ..., y: ...}`",
                statistic=shares[worst],
                threshold=MIXED,
                slides=slides,
            )
        )
    return findings
