"""What of h5ad files is read: slides, counts, symbols, places, and how these become um.

``stbench new`` and ``stbench check`` take all of it from here, and the reader reads every one of these
keys.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.column_names import SLIDE
from pytest_stbench.data.readers.libraries import EXACT
from pytest_stbench.data.readers.units import NEIGHBOURS
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.data.propose.h5ad import H5adFacts
    from pytest_stbench.data.technology import Lattice

SAME = 0.01
"""Sizes of a unit that differ by less are one."""


def slide_column(files: Sequence[H5adFacts]) -> str | None:
    """Return the column of obs that tells the slides apart by its name, or None where file names do."""
    return next((column for column in SLIDE if _fits(files, column)), None)


def slide_column_of_data(files: Sequence[H5adFacts], notes: list[str]) -> str | None:
    """Return the column that tells the slides apart; None where file names do.

    A column with a usual name, or the name of the file, holds only where the data do not say that its slides
    are several sections each; then it is the column that tells these apart, and `notes` say so.
    Raises ``DataError`` where none does.
    """
    first: tuple[str, str, tuple[str, ...]] | None = None
    for column in (*(name for name in SLIDE if _fits(files, name)), None):
        found = _several(files, column)
        if found is None:
            return column
        first = first or found
    assert first is not None  # the name of the file is always tried
    slide, sign, apart = first
    for column in apart:
        if all(facts.load(column) for facts in files) and _fits(files, column):
            notes.append(f"slides are told apart by obs[{column!r}]: without it, of {slide}, {sign}")
            return column
    raise DataError(
        f"{slide} holds several sections: {sign}; no column of obs tells them apart in every file, so write "
        "the section of each unit into obs['slide']"
    )


def _fits(files: Sequence[H5adFacts], column: str) -> bool:
    """Return whether a column names the slide of every unit, and each slide in one file."""
    if not all(column in facts.columns and (facts.columns[column][1] >= 0).all() for facts in files):
        return False
    slides = [slide for facts in files for slide in facts.slides_by(column)]
    return len(set(slides)) == len(slides) and sum(facts.n_units for facts in files) >= 10 * len(slides)


def _several(files: Sequence[H5adFacts], column: str | None) -> tuple[str, str, tuple[str, ...]] | None:
    """Return the first slide that holds several sections, how that is seen, and what tells them apart."""
    for facts in files:
        for slide, (signs, apart) in facts.sections(column).items():
            if signs:
                worst = max(signs, key=lambda sign: sign.share)
                what = f"{100 * worst.share:.3g}% {worst.text}"
                return f"{facts.path.name}, slide {slide}" if column else facts.path.name, what, apart
    return None


def readable_keys(files: Sequence[H5adFacts]) -> dict[str, Any]:
    """Return the keys that name counts, symbols, coordinates and array indices, where all files agree.

    Keys that stand for what is read without them are left out.
    """
    keys: dict[str, Any] = {}
    first = files[0]
    if first.counts.name not in (None, "X") and _agree(facts.counts.name for facts in files):
        keys["counts"] = first.counts.name
    if first.gene is not None and _agree(facts.gene for facts in files):
        keys["gene"] = first.gene
    if first.array is not None and _agree(facts.array for facts in files):
        keys["array_row"], keys["array_col"] = first.array
    if first.place not in (None, {"spatial": "spatial"}) and _agree(_text(facts.place) for facts in files):
        keys |= first.place or {}
    return keys


def notes_on_counts(files: Sequence[H5adFacts]) -> list[str]:
    """Return what a reader must know of the matrices: what else is there, and what was not taken."""
    texts: dict[str, list[str]] = {}
    for facts in files:
        counts = facts.counts
        if counts.part:
            text = (
                f"counts are those of layer {counts.name}, which by its name holds a part of them: write "
                "the sum of all parts into layers['counts']"
            )
            texts.setdefault(text, []).append(facts.path.name)
        if counts.others:
            beside = ", ".join(
                f"{name} ({100 * share:.3g}% as many)" for name, share in counts.others.items()
            )
            text = f"counts are those of {counts.name}; other matrices of whole numbers: {beside}"
            texts.setdefault(text, []).append(facts.path.name)
    several = len(files) > 1
    return [f"{listing(names, 3)}: {text}" if several else text for text, names in texts.items()]


def notes_on_units(files: Sequence[H5adFacts], by: str | None) -> list[str]:
    """Return what a reader must know of the units: those off tissue, libraries, codes without names."""
    notes = []
    off = {facts.path.name: facts.off_tissue for facts in files if facts.off_tissue}
    if off:
        notes.append(
            f"{sum(off.values()):,} units off tissue (obs['in_tissue']) are left out, of {listing(off, 3)}"
        )
    several = len(files) > 1
    bare = sorted({name for facts in files for name in facts.bare[several]})
    if bare:
        notes.append(
            f"codes without names in {listing(f'obs[{name!r}]' for name in bare)}: number 0 of one file need "
            "not be number 0 of another: write the names as text"
        )
    if by is None:
        notes += [
            f"{facts.path.name}: uns['spatial'] has {len(facts.libraries)} libraries, "
            f"{listing(facts.libraries, 3)}, and the file is one slide: is it?"
            for facts in files
            if len(facts.libraries) > 1
        ]
    return notes


def scale_of(
    files: Sequence[H5adFacts], by: str | None, lattice: Lattice | None
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the scale of the coordinates as a task file says it, with a remark; (None, None) for um.

    ``uns:KEY`` where all files have the same usual key, a number where all slides have the same size,
    else ``file``.

    Raises
    ------
    DataError
        A file says two sizes of one unit.
    LookupError
        Not every file says a size: its text tells which do.
    """
    if files[0].place is None or files[0].place.get("spatial", "") is None:
        return None, None
    said = {slide: unit for facts in files for slide, unit in facts.units(by, lattice).items()}
    known = {slide: unit for slide, unit in said.items() if unit is not None}
    if len(known) < len(said):
        raise LookupError(listing(known) if known else "")
    key = next((key for key in files[0].scales if all(key in facts.scales for facts in files)), None)
    if key is not None:
        return {"um_per_px": f"uns:{key}"}, None
    sizes = [unit.um for unit in known.values()]
    middle = median(sizes)
    tested = not any(unit.where.startswith(NEIGHBOURS) for unit in known.values())
    one, *_ = known.values()
    if all(abs(size / middle - 1) <= SAME for size in sizes):
        if abs(middle - 1) <= EXACT:
            return None, None
        if tested:
            return {"um_per_px": float(f"{middle:.4g}")}, one.where
    shown = listing((f"{slide} {unit.um:.4g}" for slide, unit in known.items()), 3)
    doubt = "" if tested else "; nothing else says it, so the check of these distances cannot test it"
    return {"um_per_px": "file"}, f"{shown} um, by {one.where}{doubt}"


def _agree(values: Iterable[Any]) -> bool:
    return len(set(values)) == 1


def _text(place: dict[str, str | None] | None) -> str:
    return repr(place)
