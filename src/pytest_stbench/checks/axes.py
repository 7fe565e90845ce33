"""Places against array indices, and against what the file says of its unit; a part of Q07."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, worst_slide
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import percent, ranked
from pytest_stbench.data.readers.slide_rows import OVERLAP, WHOLE
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
    astray = {name: fit.residual for name, fit in fits.items() if fit.residual > MAX_RESIDUAL}
    straight = {name: fit for name, fit in fits.items() if name not in astray}
    stretched = {name: fit.stretch for name, fit in straight.items() if fit.stretch > max_stretch}
    mirrored = {name: 1.0 for name, fit in straight.items() if fit.mirrored and name not in stretched}
    return [
        *worst_slide(
            astray,
            lambda slide: f"units of slide {slide} lie {astray[slide]:.2g} pitches (rms) from where their "
            "array indices put them",
            "join places and units by name: one of the two is of other units, or of several sections",
            MAX_RESIDUAL,
        ),
        *worst_slide(
            stretched,
            lambda slide: f"one direction of slide {slide} is {stretched[slide]:.3g} times as long as its "
            f"array indices say ({max_stretch:g} allowed)",
            "check that `keys.spatial` names places and no array indices, and that `keys.array_row` "
            "and `keys.array_col` are not exchanged",
            max_stretch,
        ),
        *worst_slide(
            mirrored, lambda slide: f"places of slide {slide} are a mirror image of their array indices",
            "look at one slide with its image: x counts the columns of the image, y its rows",
            status="warn", tail=": x and y are exchanged, or the image was flipped", statistic=len(mirrored),
        ),
    ]  # fmt: skip


def other_units(notes: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Return the slides whose file says another unit of its coordinates than the one that is used."""

    def disagreeing(said: str, slides: Mapping[str, float]) -> list[Finding]:
        fix = "correct `scale`, or what the file says"
        return worst_slide(slides, lambda slide: f"slide {slide}: {said}", fix, statistic=len(slides))

    return [
        finding
        for note, numbers in notes.items()
        if note.startswith(DISAGREES)
        for finding in disagreeing(
            note.removeprefix(DISAGREES), {slide: 1.0 for slide, number in numbers.items() if number}
        )
    ]


def overlapping_fields(notes: Mapping[str, Mapping[str, int]], n_units: Mapping[str, int]) -> list[Finding]:
    """Return the slides whose fields of view lie on each other."""
    return [
        finding
        for note, numbers in notes.items()
        if note.startswith(OVERLAP)
        for finding in _overlapping(
            note.removeprefix(OVERLAP),
            {slide: n / n_units[slide] for slide, n in numbers.items() if n and slide in n_units},
            notes,
        )
    ]


def _overlapping(
    column: str, shares: Mapping[str, float], notes: Mapping[str, Mapping[str, int]]
) -> list[Finding]:
    whole = [
        note.removeprefix(WHOLE)
        for note, found in notes.items()
        if note.startswith(WHOLE) and any(found.get(slide) for slide in ranked(shares)[:1])
    ]
    return worst_slide(
        shares,
        lambda slide: f"{percent(shares[slide])} of the units of slide {slide} lie within another field of "
        f"view (obs[{column!r}])",
        f"name the places on the whole slide: `keys: {{{whole[0]}}}`"
        if whole
        else "write the places on the whole slide into the files (CosMx calls them "
        "CenterX_global_px, CenterY_global_px) and name them by `keys: {spatial: ...}` or "
        "`keys: {x: ..., y: ...}`",
        MIXED,
        tail=": their places are counted anew in every field",
    )  # fmt: skip
