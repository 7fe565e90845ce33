"""What of h5ad files is read: slides, counts, symbols, places, and how these become um.

``stbench new`` and ``stbench check`` take all of it from here, and the reader reads every one of these
keys.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.column_names import SLIDE
from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.readers.annotations import EXACT
from pytest_stbench.data.readers.units import NEIGHBOURS
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.h5ad import H5adFacts
    from pytest_stbench.data.propose.proposal import Proposal
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


CELL_SPACING_UM = (2.0, 60.0)


def add_scale(proposal: Proposal, files: list[H5adFacts], by: str | None) -> None:
    """Find how coordinates become um, and how far apart neighbours are: what the files say.

    Raises ``DataError`` where a file says two sizes of one unit.
    """
    lattice = lattice_of(proposal.dataset.get("technology"), proposal.resolution)
    if files[0].place is None or files[0].place.get("spatial", "") is None:
        return
    pitches = {facts.pitch_um() for facts in files}
    if len(pitches) == 1 and (pitch := pitches.pop()) is not None and lattice is None:
        proposal.dataset["pitch_um"] = float(f"{pitch:.6g}")
    try:
        scale, remark = scale_of(files, by, lattice)
    except LookupError as error:
        proposal.missing["scale"] = _unsaid(files, by, lattice, str(error))
        return
    if scale is not None:
        proposal.dataset["scale"] = scale
    if remark is not None:
        proposal.remarks["scale"] = remark


def _unsaid(files: list[H5adFacts], by: str | None, lattice: Lattice | None, having: str) -> str:
    """Return what is to be done where not every file says its unit."""
    if having:
        return f"only some slides say um per unit ({having}): those left are taken as um"
    spacing = median(facts.spacing(by) for facts in files)
    if lattice is not None:
        return (
            f"um per unit of the coordinates: neighbours are {spacing:.4g} apart (median), and do not lie as "
            f"on a lattice of {lattice.pitch_um:g} um, so it cannot be told"
        )
    low, high = CELL_SPACING_UM
    plausible = "plausible" if low <= spacing <= high else "NOT PLAUSIBLE for cells in um"
    return (
        f"left out, so coordinates are taken as um: the nearest neighbour is {spacing:.3g} away "
        f"(median), {plausible}"
    )


def add_image(proposal: Proposal, files: list[H5adFacts], by: str | None, root: Path) -> None:
    """Declare the images beside the files where every slide has one with a known scale."""
    slides = [row.slide for row in proposal.rows]
    homes = dict.fromkeys(facts.path.parent for facts in files)
    places = [place for home in homes for place in (home, home / "images", home.parent / "images")]
    for place in places:
        for suffix in vocabulary.IMAGES:
            having = [slide for slide in slides if (place / f"{slide}.{suffix}").is_file()]
            if not having or not place.is_relative_to(root):
                continue
            path = (place.relative_to(root) / f"{{slide}}.{suffix}").as_posix()
            wanted = [facts for facts in files if set(facts.slides_by(by)) & set(having)]
            scales = {facts.image_scale for facts in wanted}
            spatial = next(
                (name for name in ("spatial_image",) if all(name in facts.obsm for facts in wanted)),
                "spatial",
            )
            scale = scales.pop() if len(scales) == 1 else None
            if len(having) < len(slides):
                proposal.notes.append(
                    f"images of {len(having)} of {len(slides)} slides ({path}): a task on expression from "
                    "H&E is one more "
                    f"file, with `slides: [{', '.join(having)}]` and `image:`"
                )
            elif scale is None:
                proposal.missing["image"] = f"{path} is there; its um per px is not known, so it is not used"
            else:
                proposal.image = True
                proposal.dataset["image"] = {"path": path, "um_per_px": f"uns:{scale}", "spatial": spatial}
            return
