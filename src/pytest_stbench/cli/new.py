"""``stbench new``: a task file that runs, from somebody's own data."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_stbench.cli.files import write_all
from pytest_stbench.cli.options import PARAM, data_root_option
from pytest_stbench.errors import StbenchError
from pytest_stbench.spec import TASK_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.data.propose.proposal import Proposal

MAX_BYTES = 200_000_000
"""Data is read and cut before its task file is written, unless it is larger than this together."""


@click.command()
@click.argument("name")
@click.option("--data", "pattern", required=True, help="Files or folders, such as 'slides/*.h5ad'.")
@data_root_option(
    "The folder that --data is relative to; default: this one.",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
)
@click.option("--patient-from-name", is_flag=True, help="Guess patients from the names of the slides.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="params.NAME=VALUE",
    help="A setting of the reader, such as params.table of SpatialData stores.",
)
def new(
    name: str,
    pattern: str,
    data_root: Path,
    patient_from_name: bool,  # noqa: FBT001  # click passes options by keyword
    settings: tuple[str, ...],
) -> None:
    """Write NAME.stbench.yaml for the data found, with comments on what is left to fill in.

    The file runs: slides that its split cannot use are left out and named, and where none is left no
    file is written. Nothing is ever overwritten.
    """
    from pytest_stbench.data.propose.detect import detect
    from pytest_stbench.data.propose.from_h5ad import propose_h5ad
    from pytest_stbench.data.propose.from_reader import propose_by_reader
    from pytest_stbench.data.propose.proposal import panel_name, samples_name
    from pytest_stbench.spec.rules.design import NAME_PATTERN

    if not NAME_PATTERN.fullmatch(name):
        raise StbenchError(f"found name {name!r}; allowed: letters, digits, '_', '.', '-'")
    task = Path(f"{name}{TASK_SUFFIX}")
    for path in (task, Path(samples_name(name)), Path(panel_name(name))):
        if path.exists() or path.is_symlink():
            message = f"{path} is there already and is never overwritten: remove it, or choose another name"
            raise StbenchError(message)
    found = detect(pattern, data_root)
    params = params_of(settings)
    if found.source == "h5ad":
        if params:
            message = f"--set params.{next(iter(params))}: the reader of {found.what} has no settings"
            raise click.UsageError(message)
        proposal = propose_h5ad(found, data_root, patient_from_name=patient_from_name)
    else:
        proposal = propose_by_reader(found, data_root, patient_from_name=patient_from_name, params=params)
    proposal.notes += [f"not taken: {other}; --data names it" for other in found.others]
    files = _that_runs(name, proposal, data_root, found.paths)
    write_all(Path(), files)
    n = len(proposal.patients)
    known = f"{n} patient{'s' if n != 1 else ''}" if proposal.patients_known else "patients not known"
    click.echo(f"{proposal.what}: {len(proposal.rows)} slides, {known}, {proposal.n_genes:,} genes")
    for note in [
        *proposal.notes,
        *(f"not found: {key}: {advice}" for key, advice in proposal.missing.items()),
    ]:
        click.echo(f"  {note}")
    click.echo(f"wrote {', '.join(files)}")
    option = "" if data_root.resolve() == Path().resolve() else f" --stbench-data={data_root}"
    click.echo(f"next: pytest {task}{option} --stbench-model=ridge")


def params_of(settings: tuple[str, ...]) -> dict[str, str]:
    """Return the settings of a reader that options name. Raises ``UsageError`` for anything else."""
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.removeprefix(PARAM) or not key.startswith(PARAM):
            raise click.UsageError(
                f"--set {setting}: expected params.NAME=VALUE, a setting of the reader; everything else is "
                "written into the task file"
            )
        found[key.removeprefix(PARAM)] = value
    return found


def _that_runs(name: str, proposal: Proposal, root: Path, data: Sequence[Path]) -> dict[str, bytes]:
    """Return the files of a task that runs; slides it cannot use are taken out of the proposal.

    Raises ``StbenchError`` where no slide is left. Data of more than :data:`MAX_BYTES` is not tried, nor
    stores that cannot be read before somebody fills in their scale.
    """
    unscaled = proposal.dataset["source"] == "spatialdata" and "scale" in proposal.missing
    if unscaled:
        proposal.notes.append("this file runs when `scale` is filled in: the store does not say its unit")
    small = _bytes(data) <= MAX_BYTES and not unscaled
    while True:
        files = _files_of(name, proposal)
        with tempfile.TemporaryDirectory(prefix="stbench-") as folder:
            write_all(Path(folder), files)
            bad = _unusable(Path(folder) / f"{name}{TASK_SUFFIX}", root, tried=small)
        if not bad:
            return files
        left = [row for row in proposal.rows if row.slide not in bad]
        if not left:
            raise StbenchError(_why_none(proposal, bad))
        proposal.notes += [f"left out: {slide}: {why}" for slide, why in bad.items()]
        proposal.rows = left
        proposal.dataset["slides"] = [row.slide for row in left]


def _files_of(name: str, proposal: Proposal) -> dict[str, bytes]:
    from pytest_stbench.data.propose.proposal import (
        panel_name,
        panel_text,
        samples_name,
        samples_text,
        task_text,
    )

    task = f"{name}{TASK_SUFFIX}"
    files = {task: task_text(name, proposal, Path(task)).encode()}
    if proposal.table:
        files[samples_name(name)] = samples_text(proposal).encode()
    if proposal.family == "imputation" and proposal.observed:
        files[panel_name(name)] = panel_text(proposal).encode()
    return files


def _unusable(path: Path, root: Path, *, tried: bool) -> dict[str, str]:
    """Return the slides that the task at `path` cannot use, each with the reason; see that it is valid."""
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.run.quality.usable_slides import unusable
    from pytest_stbench.run.separate_panels import task_and_grid
    from pytest_stbench.spec.validate import load_task

    registry = builtin_registry()
    task = load_task(path, registry)
    if not tried:
        return {}
    roots = (root, path.parent)
    task, grid = task_and_grid(task, roots, registry)
    (pool,) = grid.pools
    return unusable(task.spec, grid.samples[pool.dataset], pool, roots, registry)


def _why_none(proposal: Proposal, bad: Mapping[str, str]) -> str:
    slide, why = next(iter(bad.items()))
    others = f" ({len(bad) - 1} other slide{'s' if len(bad) > 2 else ''} likewise)" if len(bad) > 1 else ""
    if proposal.split != "within":
        advice = "`stbench check` says what of the data is at fault"
    elif not proposal.patients_known:
        advice = (
            "patients are not known, so slides can only be cut: say who is who in a samples.csv beside the "
            "data (columns slide and patient), or by --patient-from-name, and slides are held out by patient"
        )
    else:
        advice = "all slides are of one patient, so they can only be cut: add slides of a second patient"
    if "scale" in proposal.missing:
        advice += " (no file says um per unit, so coordinates were taken as um)"
    return f"no task that runs, and no file is written: slide {slide}: {why}{others}; {advice}"


def _bytes(paths: Sequence[Path]) -> int:
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file())
