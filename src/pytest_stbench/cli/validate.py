"""``stbench validate``: all mistakes of task files, without touching any data."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_stbench.errors import Problem, StbenchError, TaskFileError
from pytest_stbench.spec import TASK_SUFFIX


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
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
