"""``stbench selftest``: negative controls through the shipped gates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pytest_stbench.run.selftest.trials import Trial


@click.command()
@click.option("--task", "names", multiple=True, metavar="NAME", help="A shipped task; may be repeated.")
def selftest(names: tuple[str, ...]) -> None:
    """Run models that know nothing through the gates of shipped tasks.

    Shuffled, depth alone, noise, the training mean, copies of the simple baseline, names, row order and a
    memory across folds. Exit code 1 if one of them passes.
    """
    from pytest_stbench.errors import StbenchError
    from pytest_stbench.registry import nearest
    from pytest_stbench.resources import tasks_dir
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.run.selftest.trials import DEFAULT_TASKS, run_selftest
    from pytest_stbench.spec import TASK_SUFFIX

    shipped = {path.name.removesuffix(TASK_SUFFIX): path for path in tasks_dir().rglob(f"*{TASK_SUFFIX}")}
    for name in names:
        if name not in shipped:
            raise StbenchError(
                f"--task: there is no shipped task {name!r}{nearest(name, shipped)}; see `stbench tasks list`"
            )
    trials = []
    for trial in run_selftest([shipped[name] for name in names or DEFAULT_TASKS], builtin_registry()):
        trials.append(trial)
        click.echo(_line(trial))
    applied = [trial for trial in trials if trial.verdict]
    passed = [trial for trial in trials if trial.passed]
    for trial in passed:
        click.echo(
            f"PASSED, AND MUST NOT: {trial.control} on {trial.metric} of {trial.task}: {trial.message}"
        )
    click.echo(
        f"{len(passed)} of {len(applied)} negative controls passed "
        f"({len(trials) - len(applied)} do not apply)"
    )
    sys.exit(1 if passed else 0)


def _line(trial: Trial) -> str:
    verdict = trial.verdict.replace("_", " ") or "-"
    first = trial.message.partition("\n")[0]
    return f"{trial.task:20} {trial.control:16} {trial.metric:24} {verdict:14} {first}"
