"""``stbench bin``: a table of transcripts counted into the units of a lattice."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.options import PATH
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.errors import StbenchError
from pytest_stbench.report.live import is_live, working

if TYPE_CHECKING:
    from pytest_stbench.data.binning.units import Binned
    from pytest_stbench.spec.model import BinSpec

SUFFIX = ".h5ad"
PASSES = 2
BLOCK_COUNTS = 1 << 24
"""Counts, zeros included, that are written at once."""

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
@click.argument("table", metavar="IN", type=PATH)
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
def bin_table(table: Path, out: Path, **parameters: Any) -> None:
    """Count the transcripts of the parquet or csv table IN into units and write them to OUT (.h5ad).

    Columns are found by the names vendors give them: x_location, x, x_um or global_x;
    feature_name, gene or target; qv where there is one; MIDCount or count where a row stands for
    several transcripts.
    """
    from pytest_stbench.data.binning.units import bin_transcripts
    from pytest_stbench.data.features import GENE
    from pytest_stbench.data.readers.transcripts import open_transcripts

    spec = _spec(parameters)
    _refuse_target(out)
    transcripts = open_transcripts(table)
    genes = tuple(dict.fromkeys(transcripts.features[transcripts.kinds == GENE].tolist()))
    with working(f"{table.name}, two passes", _rows(table)) as tell:
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            tell("", done, None)

        binned = bin_transcripts(transcripts, genes, spec, what=str(table), progress=advance)
    _write(out, binned, genes, spec)
    for line in _report(binned):
        click.echo(line)
    click.echo(f"wrote {out}")


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


def _refuse_target(out: Path) -> None:
    """Raise before any work is done where the result cannot be written."""
    if out.suffix != SUFFIX:
        raise StbenchError(f"{out}: the result is an AnnData file: name it NAME{SUFFIX}")
    if out.is_dir() or not out.parent.is_dir():
        what = (
            "is a folder: name a file"
            if out.is_dir()
            else f"cannot be written: there is no folder {out.parent}"
        )
        raise StbenchError(f"{out} {what}")


def _rows(table: Path) -> int | None:
    """Return the rows of all passes, where somebody watches and the file says how many it has."""
    if not is_live(sys.stderr) or table.suffix != ".parquet":
        return None
    import pyarrow.parquet as pq

    return PASSES * int(pq.read_metadata(table).num_rows)


@quiet_anndata()
def _write(out: Path, binned: Binned, genes: tuple[str, ...], spec: BinSpec) -> None:
    """Write an AnnData file beside its place and move it there when it is complete."""
    import anndata as ad
    import h5py
    import pandas as pd
    from anndata.io import sparse_dataset, write_elem

    units = binned.units
    index = units.array_index
    obs = {"array_row": index[:, 0], "array_col": index[:, 1], **binned.measures}
    settings = {key: value for key, value in spec.model_dump().items() if value is not None}
    result = ad.AnnData(
        obs=pd.DataFrame(obs, index=units.names),
        var=pd.DataFrame(index=list(genes)),
        uns={
            "bin": {**settings, "origin_um": list(spec.origin_um), "pitch_um": units.lattice.pitch_um},
            "notes": binned.notes,
            "spatial_units": "um",
        },
    )
    result.obsm["spatial"] = units.xy_um
    try:
        with tempfile.TemporaryDirectory(prefix=".stbench-", dir=out.parent) as staged:
            part = Path(staged) / out.name
            result.write_h5ad(part)
            step = max(1, BLOCK_COUNTS // max(1, len(genes)))
            with h5py.File(part, "r+") as file:
                # Block by block: all counts at once can be larger than the table they are taken from.
                write_elem(file, "X", binned.table.take(units.ids[:step]))
                whole: Any = sparse_dataset(file["X"])
                for start in range(step, len(units.ids), step):
                    whole.append(binned.table.take(units.ids[start : start + step]))
            os.replace(part, out)  # noqa: PTH105  # the one call that is atomic on every system
    except OSError as error:
        raise StbenchError(f"cannot write {out}: {error.strerror or error}") from None


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
