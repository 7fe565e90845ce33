"""``stbench tasks`` and ``stbench validate``: task files that come with the package; mistakes in any."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_stbench.cli.files import write_all
from pytest_stbench.cli.options import PATH
from pytest_stbench.errors import Problem, StbenchError, TaskFileError
from pytest_stbench.report.width import flush_left
from pytest_stbench.resources import tasks_dir
from pytest_stbench.spec import TASK_SUFFIX

HEADER = ("NAME", "FAMILY", "CLAIM", "DATASETS", "NEEDS DATA")


@click.group()
def tasks() -> None:
    """List or copy the shipped task files; add task packs."""


@tasks.command(name="list")
def list_tasks() -> None:
    """List the shipped task files and the task packs: those of the project, and those that are installed.

    Of a task: name, family, claim, data sets, whether data must be fetched. Files of record of packs are
    looked for in this folder and the folders in it.
    """
    from pytest_stbench.cli.packs import pack_lines
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.spec.validate import load_task

    registry = builtin_registry()
    rows = [HEADER]
    for path in sorted(tasks_dir().rglob(f"*{TASK_SUFFIX}")):
        spec = load_task(path, registry).spec
        embedded = all(dataset.source == "simulated" for dataset in spec.datasets.values())
        rows.append(
            (spec.name, spec.family, spec.claim, ", ".join(spec.datasets), "no" if embedded else "yes")
        )
    click.echo("\n".join([*flush_left(rows), *pack_lines(Path())]))


@tasks.command(name="add")
@click.argument("pack", metavar="PACKAGE|DIR")
@click.option(
    "--to", "folder", type=PATH, metavar="DIR", default=Path("tasks"), show_default=True,
    help="Folder of the project that pytest collects; the file of record is written there.",
)  # fmt: skip
def add_pack(pack: str, folder: Path) -> None:
    """Add a task pack to the project: pytest then collects its tasks with those of DIR.

    PACKAGE is an installed package, or the name of a pack it brings; DIR a folder with a stbench-pack.yaml.
    What was added is written to NAME.stbench-pack.json: keep it in your repository. Adding it again takes a
    newer one.
    """
    from pytest_stbench.cli.files import write_atomically
    from pytest_stbench.cli.packs import added

    path, record, lines = added(pack, folder)
    write_atomically(path, record.text.encode())
    for line in lines:
        click.echo(line)
    click.echo(f"run them with: pytest {folder} --stbench-model=ridge")


@tasks.command(name="copy")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--force", is_flag=True, help="Overwrite files that differ.")
def copy_tasks(folder: Path, force: bool) -> None:  # noqa: FBT001  # click passes options by keyword
    """Copy the shipped task files and their fragments to DIR, to run and change them there."""
    from pytest_stbench.spec.extends import FRAGMENT_SUFFIX

    source = tasks_dir()
    suffixes = (TASK_SUFFIX, FRAGMENT_SUFFIX)
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*.yaml"))
        if path.name.endswith(suffixes)
    }
    if folder.exists() and not folder.is_dir():
        raise StbenchError(f"{folder} is a file: name a folder")
    changed = [name for name, data in files.items() if _differs(folder / name, data)]
    if changed and not force:
        names = ", ".join(changed)
        raise StbenchError(
            f"{names} in {folder} would be overwritten: nothing was copied; use --force or another folder"
        )
    write_all(folder, files)
    click.echo(f"copied {len(files)} files to {folder}; run them with: pytest {folder} --stbench-model=ridge")


def _differs(path: Path, data: bytes) -> bool:
    """Return whether there is something at `path` that is not `data`."""
    if path.is_symlink() or path.is_file():
        return not path.is_file() or path.read_bytes() != data
    return path.exists()


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH)
def validate(files: tuple[Path, ...]) -> None:
    """Check task files, or all task files in folders, and print every mistake.

    Exit code 2 if there is one.
    """
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.spec.validate import load_task

    registry = builtin_registry()
    problems: list[Problem] = []
    for path in task_files(files):
        try:
            load_task(path, registry)
        except TaskFileError as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
        else:
            click.echo(f"{path}: valid")
    if problems:
        raise TaskFileError(problems)


def task_files(paths: tuple[Path, ...]) -> list[Path]:
    """Return the task files among `paths` and below the folders among them.

    Raises ``StbenchError`` for a file that pytest would not collect, and a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(path.rglob(f"*{TASK_SUFFIX}"))
            if not below:
                raise StbenchError(f"{path} has no task files (NAME{TASK_SUFFIX})")
            found.extend(below)
        elif path.exists() and not path.name.endswith(TASK_SUFFIX):
            raise StbenchError(
                f"{path} is no task file: pytest collects NAME{TASK_SUFFIX}; "
                "fragments are checked with the files that extend them"
            )
        else:
            found.append(path)
    return list(dict.fromkeys(found))
