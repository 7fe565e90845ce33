"""``stbench bin``: tables of transcripts counted into the units of a lattice."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.dask_options import dask_option
from pytest_stbench.cli.options import PATH
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import StbenchError
from pytest_stbench.report.live import is_live, working

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.data.binning.units import Binned
    from pytest_stbench.spec.model import BinSpec

SUFFIX = ".h5ad"
PASSES = 2
UNFINISHED = ".stbench-bin"
"""Folder beside the files, in which a command keeps what it has done until all is."""
FATES = {
    "kept": "kept",
    "low_qv": "low quality",
    "control": "controls",
    "not_finite": "without coordinates",
    "outside_discs": "between discs",
    "outside_tissue": "outside the tissue",
}
"""Where transcripts went: the note without ``transcripts_``, and how it is printed; others as they are."""


@click.command(name="bin")
@click.argument("tables", metavar="IN...", type=PATH, nargs=-1, required=True)
@click.argument("out", metavar="OUT", type=PATH)
@click.option(
    "--geometry",
    type=click.Choice(("visium", "tiled", "square")),
    required=True,
    help="Discs of 55 um at 100 um, hexagons of 55 um without gaps, or squares.",
)
@click.option("--size-um", type=float, help="Side of squares in um.")
@click.option("--min-qv", type=float, default=20.0, show_default=True, help="Least quality of a transcript.")
@click.option(
    "--min-tissue",
    type=float,
    default=0.5,
    show_default=True,
    help="Least share of tissue of a unit, 0 to 1.",
)
@click.option(
    "--origin-um",
    type=(float, float),
    default=(0.0, 0.0),
    metavar="X Y",
    help="Shift of the lattice from the lower corner of the tissue.",
)
@dask_option
def bin_table(tables: tuple[Path, ...], out: Path, where: str | None, **parameters: Any) -> None:
    """Count the transcripts of the parquet or csv tables IN into units and write them to OUT.

    OUT is a file (.h5ad) for one table, or a folder for one or several. In a folder a file is named by its
    table; where tables share a name, and where it is that of every Xenium or MERSCOPE run (transcripts,
    detected_transcripts), by the folder of its table.

    Columns are found by the names vendors give them: x_location, x, x_um or global_x;
    feature_name, gene or target; qv where there is one; MIDCount or count where a row stands for
    several transcripts.

    Exit code of several tables, or with --dask, 0: all are written; 1: some are not; 2: wrong usage, or
    nobody who can do it; 130: interrupted, and the same command writes the others.
    """
    spec = _spec(parameters)
    folder = _folder(tables, out)
    if folder is None and where is None:
        _one(tables[0], out, spec)
        return
    sys.exit(_several(tables, out, folder, spec, where))


def _one(table: Path, out: Path, spec: BinSpec) -> None:
    from pytest_stbench.data.binning.files import bin_file

    with working(f"{table.name}, two passes", _rows(table)) as tell:
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            tell("", done, None)

        binned = bin_file(table, out, spec, progress=advance)
    for line in _report(binned):
        click.echo(line)
    click.echo(f"wrote {out}")


def _several(
    tables: tuple[Path, ...], out: Path, folder: Path | None, spec: BinSpec, where: str | None
) -> int:
    """Count tables as jobs; what is half done lies in a folder of its own, which goes when all is done."""
    from pytest_stbench.cluster.binning import finished, jobs_of
    from pytest_stbench.cluster.giving import given_out, ordered
    from pytest_stbench.cluster.telling import Telling

    target = folder or out.parent
    jobs = jobs_of(tables, target)
    if folder is None:
        jobs = [replace(job, out=str(out.absolute())) for job in jobs]
    absent = [str(table) for table in tables if not table.exists()]
    if absent:
        raise StbenchError(f"there is no {listing(absent)}: nothing was counted")
    with ordered("bin", spec.model_dump(mode="json"), target / UNFINISHED) as order:
        telling = Telling(len(jobs), str(target.absolute()), doing="counting", made="files written")
        code = given_out(where, order, jobs, telling, {})
    if code == 0:
        finished(target / UNFINISHED)
    return code


def _spec(parameters: dict[str, Any]) -> BinSpec:
    from pydantic import ValidationError

    from pytest_stbench.spec.model import BinSpec

    square = parameters["geometry"] == "square"
    if square != (parameters["size_um"] is not None):
        message = "--size-um is the side of squares: it goes with --geometry square and with no other"
        raise click.UsageError(message)
    try:
        return BinSpec(**parameters)
    except ValidationError as error:
        faults = (
            f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']} (found {fault['input']})"
            for fault in error.errors()
        )
        raise click.UsageError("; ".join(faults)) from None


def _folder(tables: tuple[Path, ...], out: Path) -> Path | None:
    """Return the folder that files are written to, None where OUT is a file.

    Raises before any work is done where the result cannot be written.
    """
    named = out.suffix == SUFFIX
    if named and len(tables) > 1:
        raise StbenchError(
            f"{out}: {len(tables)} tables are written to a folder: name one that is no *{SUFFIX}"
        )
    if not named and (out.is_dir() or len(tables) > 1):
        if out.exists() and not out.is_dir():
            raise StbenchError(f"{out} is a file: name a folder for {len(tables)} tables")
        if not out.parent.is_dir():
            raise StbenchError(f"{out} cannot be made: there is no folder {out.parent}")
        return out
    if not named:
        raise StbenchError(
            f"{out}: the result is an AnnData file: name it NAME{SUFFIX}, or a folder that is there"
        )
    if out.is_dir() or not out.parent.is_dir():
        what = (
            "is a folder: name a file"
            if out.is_dir()
            else f"cannot be written: there is no folder {out.parent}"
        )
        raise StbenchError(f"{out} {what}")
    return None


def _rows(table: Path) -> int | None:
    """Return the rows of all passes, where somebody watches and the file says how many it has."""
    if not is_live(sys.stderr) or table.suffix != ".parquet":
        return None
    import pyarrow.parquet as pq

    return PASSES * int(pq.read_metadata(table).num_rows)


def _report(binned: Binned) -> list[str]:
    notes = binned.notes
    fates = [note.removeprefix("transcripts_") for note in notes if note.startswith("transcripts_")]
    # the genes are those of the table itself, so that none is unlisted
    further = [fate for fate in fates if fate not in FATES and fate not in ("read", "unlisted")]
    named = {**FATES, **{fate: fate.replace("_", " ") for fate in further}}
    parts = [f"{notes[f'transcripts_{fate}']:,} {text}" for fate, text in named.items()]
    return [
        f"transcripts: {notes['transcripts_read']:,} read = {' + '.join(parts)}",
        f"units: {len(binned.units.ids):,} kept, {notes['units_outside_tissue']:,} with too little tissue",
    ]
