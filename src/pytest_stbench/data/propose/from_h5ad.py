"""A data set proposed from h5ad files: slides, patients, labels, scale and technology."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.propose.h5ad import IN_OBS, MAX_LEVELS, H5adFacts, read_facts
from pytest_stbench.data.propose.h5ad_keys import (
    add_image,
    add_scale,
    notes_on_counts,
    notes_on_units,
    readable_keys,
    slide_column_of_data,
)
from pytest_stbench.data.propose.proposal import SPOT_GENES, Proposal, Row, proposed_panel
from pytest_stbench.data.propose.sheet import use_sheet
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.detect import Detected

NO_COLUMN = "file"
MIN_CELLS = 4_000


def propose_h5ad(found: Detected, root: Path, *, patient_from_name: bool) -> Proposal:
    """Return what the files say.

    Raises ``DataError`` where a file cannot be read, has no raw counts or no coordinates.
    """
    files = [read_facts(path) for path in found.paths]
    _require(files)
    notes: list[str] = []
    by = slide_column_of_data(files, notes)
    proposal = Proposal(
        what=found.what,
        dataset={"source": "h5ad", "path": found.pattern},
        rows=[],
        slide_column=by or NO_COLUMN,
        notes=notes,
    )
    keys: dict[str, Any] = {"patient": "patient", "slide": proposal.slide_column}
    _add_rows(proposal, files, by, keys, found, root, patient_from_name=patient_from_name)
    files = _used(proposal, files, by)
    if by is None and "samples" not in proposal.dataset:
        # Without a table the reader takes file names by itself where obs has no column `slide`.
        del keys["slide"]
    _add_labels(proposal, files, by, keys)
    keys |= readable_keys(files)
    if "counts" in keys:
        proposal.remarks["keys"] = f"the counts are in {keys['counts']}, not in X"
    proposal.notes += [*notes_on_counts(files), *notes_on_units(files, by)]
    proposal.dataset["keys"] = keys
    _add_technology(proposal, files)
    _require_lattice(proposal, files)
    add_scale(proposal, files, by)
    add_image(proposal, files, by, root)
    _add_panel(proposal, files)
    for key, sources in (("organ", ("organ", "tissue")), ("disease", ("disease",))):
        if "disease" in keys and key == "disease":
            continue
        value = said_by_all(files, sources)
        if value is not None:
            proposal.dataset[key] = value
        else:
            proposal.missing[key] = "what a score may be claimed for"
    proposal.missing["preservation"] = "FFPE or fresh_frozen"
    return proposal


def _require(files: list[H5adFacts]) -> None:
    for facts in files:
        if facts.counts.name is None:
            raise DataError(
                f"{facts.path}: neither X nor a layer nor raw holds counts (whole numbers from 0); "
                "benchmarks need raw counts: write the file with them in X or in layers['counts']"
            )
        if facts.place is None:
            raise DataError(
                f"{facts.path}: no coordinates in obsm['spatial'], nor x and y or array_row and array_col in "
                f"obs; obsm has {listing(facts.obsm)}, obs has {listing(facts.all_columns)}"
            )
    counts = {str(facts.counts.name) for facts in files}
    places = {" and ".join(str(name) for name in (facts.place or {}).values()) for facts in files}
    for name, values in (("counts", counts), ("coordinates", places)):
        if len(values) > 1:
            raise DataError(
                f"the files keep their {name} in different places, {listing(sorted(values))}; "
                "one task file names one place: --data takes the files of one kind"
            )


def _require_lattice(proposal: Proposal, files: list[H5adFacts]) -> None:
    indices = files[0].place == {"spatial": None}
    if indices and lattice_of(proposal.dataset.get("technology"), proposal.resolution) is None:
        raise DataError(
            f"{files[0].path}: units have array indices and no places, and the files do not say of which "
            "technology: write it into uns['technology'] (ST, Visium, Visium HD), or places into "
            "obsm['spatial']"
        )


def _add_rows(
    proposal: Proposal,
    files: list[H5adFacts],
    by: str | None,
    keys: dict[str, Any],
    found: Detected,
    root: Path,
    *,
    patient_from_name: bool,
) -> None:
    """Add slides with their patients, or the reason why a slide is left out."""
    column = shared_column(files, vocabulary.PATIENT)
    left_out: dict[str, str] = {}
    for facts in files:
        for slide in facts.slides_by(by):
            values = facts.values(column, by, slide) if column else ("",)
            known = [value for value in values if not vocabulary.is_unknown(value)]
            if not len(facts.rows(by, slide)):
                left_out[slide] = "none of its units lies under tissue"
            elif len(values) > 1:
                left_out[slide] = f"units of several patients ({listing(v or 'no value' for v in values)})"
            else:
                proposal.rows.append(Row(slide=slide, patient=known[0] if known else None))
    unknown = [row.slide for row in proposal.rows if row.patient is None]
    if unknown and len(unknown) < len(proposal.rows):
        left_out |= dict.fromkeys(unknown, "its patient is not known")
        proposal.rows = [row for row in proposal.rows if row.patient is not None]
    if not proposal.rows:
        message = f"no slide is left: {'; '.join(f'{slide}: {why}' for slide, why in left_out.items())}"
        raise DataError(message)
    proposal.notes += [f"left out: {slide}: {why}" for slide, why in left_out.items()]
    readable = column is not None and by is not None and not unknown
    misleading = any("slide" in facts.columns for facts in files)
    if column is not None and not unknown and by is None and not left_out and not misleading:
        readable = True
    if readable and column is not None:
        keys["patient"] = column
        if left_out:
            proposal.dataset["slides"] = [row.slide for row in proposal.rows]
        return
    if not proposal.patients and by is None and use_sheet(proposal, found, root, keys):
        return
    proposal.table = True
    proposal.dataset["samples"] = "SAMPLES"
    if not proposal.patients:
        note_unknown_patients(proposal, patient_from_name=patient_from_name)


def note_unknown_patients(proposal: Proposal, *, patient_from_name: bool) -> None:
    """Say what follows from unknown patients, or guess them from the names where that is asked."""
    if patient_from_name:
        for row in proposal.rows:
            row.patient = vocabulary.patient_in_name(row.slide)
        proposal.notes.append(
            "PATIENTS ARE A GUESS from the names of the slides (what stands before the first _ - . or "
            "space, or before "
            "the last digits): check every row of the samples table before a score is believed"
        )
        return
    proposal.notes.append(
        "the files do not say which slides are of one patient. Fill the column `patient` of the samples "
        "table; until "
        "then slides cannot be held out honestly, and only blocks within a slide are scored"
    )


def _used(proposal: Proposal, files: list[H5adFacts], by: str | None) -> list[H5adFacts]:
    """Return the files of the slides that are left."""
    slides = {row.slide for row in proposal.rows}
    return [facts for facts in files if slides & set(facts.slides_by(by))]


def shared_column(files: Sequence[H5adFacts], names: tuple[str, ...], *, coded: bool = False) -> str | None:
    """Return the first of `names` that is a column of all files, in none of them of codes without names.

    With `coded` in one of them of codes.
    """
    several = len(files) > 1
    shared = [name for name in names if all(name in facts.columns for facts in files)]
    bare = {name for name in shared if any(facts.is_code(name, several=several) for facts in files)}
    return next((name for name in shared if (name in bare) is coded), None)


def said_by_all(files: Sequence[H5adFacts], names: tuple[str, ...]) -> str | None:
    """Return what all files say in words under the first of `names` that each has; None where they differ."""
    said = {next((facts.texts[name] for name in names if name in facts.texts), None) for facts in files}
    return said.pop() if len(said) == 1 else None


def _add_labels(proposal: Proposal, files: list[H5adFacts], by: str | None, keys: dict[str, Any]) -> None:
    for key, names in (("niche", vocabulary.NICHE), ("cell_type", vocabulary.CELL_TYPE)):
        column = next((name for name in names if any(_labels(facts, name) for facts in files)), None)
        if column is None:
            proposal.missing[f"keys.{key}"] = "a column of obs with labels; scores by label need it"
        elif all(column in facts.columns for facts in files):
            keys[key] = column
        else:
            having = [facts.path.stem for facts in files if column in facts.columns]
            proposal.missing[f"keys.{key}"] = f"obs[{column!r}] stands in some files only ({listing(having)})"
    further: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("disease", vocabulary.DISEASE),
        ("site", vocabulary.SITE),
    )
    for key, names_of_key in further:
        shared = shared_column(files, names_of_key)
        constant = shared is not None and all(
            len(values) == 1 and values[0]
            for facts in files
            for slide in facts.slides_by(by)
            for values in [facts.values(shared, by, slide)]
        )
        if constant and not proposal.table:
            keys[key] = shared


def _labels(facts: H5adFacts, name: str) -> bool:
    return name in facts.columns and 2 <= len(facts.columns[name][0]) <= MAX_LEVELS


def _add_technology(proposal: Proposal, files: list[H5adFacts]) -> None:
    said = {next((facts.texts[key] for key in IN_OBS if key in facts.texts), None) for facts in files}
    guesses = {vocabulary.technology_in(text) for text in said if text}
    guess = guesses.pop() if len(guesses) == 1 and None not in said else None
    remark = "as the files say"
    if guess is None and all(facts.even for facts in files):
        guess, remark = (
            ("Visium", "spot"),
            "a guess: row + column of the array is even everywhere, as on Visium",
        )
    if guess is not None:
        proposal.dataset["technology"], proposal.resolution = guess
        proposal.remarks["technology"] = remark
    else:
        proposal.missing["technology"] = (
            "ST, Visium, Visium HD, Xenium, CosMx, MERSCOPE ...; a check fails without it"
        )
        typed = any(name in facts.columns for facts in files for name in vocabulary.CELL_TYPE)
        many = median(facts.n_units for facts in files) >= MIN_CELLS
        proposal.resolution = "cell" if (typed or many) and files[0].array is None else "spot"
        proposal.remarks["resolution"] = "a guess by the number of units: spot, bin or cell"
    proposal.dataset["resolution"] = proposal.resolution


def _add_panel(proposal: Proposal, files: list[H5adFacts]) -> None:
    times = Counter(gene for facts in files for gene in set(facts.genes))
    everywhere = [gene for gene, count in times.items() if count == len(files)]
    shared = len(everywhere)
    smallest = min(len(set(facts.genes)) for facts in files)
    whole = smallest >= SPOT_GENES
    proposal.n_genes = len(times) if whole else shared
    proposal.observed = proposed_panel(everywhere) if whole else ()
    proposal.name_panel(max(len(facts.genes) for facts in files), whole=whole)
    if whole and shared < len(times):
        proposal.dataset["absent_gene"] = "zero"
        proposal.remarks["absent_gene"] = (
            f"{shared:,} of {len(times):,} genes are in all files; a gene that a file lacks was not "
            "detected there"
        )
    elif shared < len(times):
        proposal.notes.append(
            f"the files measure different genes: {shared:,} of {len(times):,} are in all of them, and only "
            "those are used"
        )
