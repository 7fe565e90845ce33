"""``stbench new``: a task file that runs, from somebody's own data."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_stbench.cli.files import write_all
from pytest_stbench.cli.said import PARAM
from pytest_stbench.errors import StbenchError
from pytest_stbench.spec import TASK_SUFFIX


@click.command()
@click.argument("name")
@click.option("--data", "pattern", required=True, help="Files or folders, such as 'slides/*.h5ad'.")
@click.option(
    "--data-root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="The folder that --data is relative to; default: this one.",
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

    Nothing is ever overwritten.
    """
    from pytest_stbench.data.propose.detect import detect
    from pytest_stbench.data.propose.from_h5ad import propose_h5ad
    from pytest_stbench.data.propose.from_reader import propose_by_reader
    from pytest_stbench.data.propose.text import (
        panel_name,
        panel_text,
        samples_name,
        samples_text,
        task_text,
    )
    from pytest_stbench.run.registry import builtin_registry
    from pytest_stbench.spec.rules.design import NAME_PATTERN

    if not NAME_PATTERN.fullmatch(name):
        message = f"found name {name!r}; allowed: letters, digits, '_', '.', '-'"
        raise StbenchError(message)
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
    files = {str(task): task_text(name, proposal, task).encode()}
    if proposal.table:
        files[samples_name(name)] = samples_text(proposal).encode()
    if proposal.family == "imputation" and proposal.observed:
        files[panel_name(name)] = panel_text(proposal).encode()
    write_all(Path(), files)
    _require_valid(task, files, builtin_registry())
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
            message = (
                f"--set {setting}: expected params.NAME=VALUE, a setting of the reader; everything else is "
                "written into the task file"
            )
            raise click.UsageError(message)
        found[key.removeprefix(PARAM)] = value
    return found


def _require_valid(task: Path, files: dict[str, bytes], registry: object) -> None:
    """Take the files back if the task is not valid, which is a fault of this command."""
    from pytest_stbench.errors import TaskFileError
    from pytest_stbench.spec.validate import load_task

    try:
        load_task(task, registry)  # type: ignore[arg-type]  # the registry is passed through
    except TaskFileError:
        for name in files:
            Path(name).unlink(missing_ok=True)
        raise
