"""What the items of a pytest session share: settings, registry, runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_stbench.collection.keep_option import level_of, parts_of
from pytest_stbench.collection.plan_items import TaskItems
from pytest_stbench.collection.progress import progress_of
from pytest_stbench.collection.skips import keep_exits_honest
from pytest_stbench.data.roots import data_roots
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.machine import machine_of
from pytest_stbench.run.separate_panels import task_and_grid
from pytest_stbench.run.settings import AFRESH_PLUGIN, RunSettings
from pytest_stbench.spec.defaults import family_of, metrics_of
from pytest_stbench.spec.given_gates import metric_of
from pytest_stbench.spec.pack import pack_said
from pytest_stbench.spec.validate import load_task

if TYPE_CHECKING:
    from pytest_stbench.run.runner import Runner
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun

RUNNER: pytest.StashKey[Runner] = pytest.StashKey()
ARGUMENTS = "stbench_arguments"
"""Under ``-n``: where a worker finds the command line of the run."""


def run_settings(config: pytest.Config) -> RunSettings:
    """Return the settings the command line and environment give."""
    data = config.getoption("stbench_data")
    compare = config.getoption("stbench_compare")
    keep = level_of(config)
    models = config.getoption("stbench_keep_models")
    return RunSettings(
        data=_from_invocation(config, data) if data else None,
        store=_from_invocation(config, config.getoption("stbench_store")),
        retry=config.getoption("stbench_retry"),
        no_skip=config.getoption("stbench_no_skip"),
        compare=_from_invocation(config, compare) if compare else None,
        run_id=getattr(config, "workerinput", {}).get("testrunuid"),
        keep=keep,
        parts=parts_of(config) if keep else Path(),
        keep_models=_from_invocation(config, models) if models else None,
        machine=machine_of(config.getoption("stbench_device"), os.environ),
        afresh=config.pluginmanager.has_plugin(AFRESH_PLUGIN),
    )


def _from_invocation(config: pytest.Config, path: str) -> Path:
    return (config.invocation_params.dir / path).resolve()


def mark_families(config: pytest.Config) -> None:
    """Register a marker for each family, so that ``-m niches`` chooses its tasks."""
    for family in builtin_registry().families.names:
        config.addinivalue_line("markers", f"{family}: stbench tasks of the family {family}")


def load_items(path: Path, config: pytest.Config) -> TaskItems:
    """Load a task file and lay out its items. Raises ``StbenchError``."""
    registry = builtin_registry()
    settings = run_settings(config)
    pack_said(path)  # a pack that cannot be used is refused before anything of it runs
    task = load_task(path, registry)
    asked = config.getoption("stbench_gate")
    if asked:
        scored = {metric.name for metric in metrics_of(task.spec, family_of(task.spec, registry))}
        gates = [text for text in asked if metric_of(text) in scored]
        task = load_task(path, registry, gates=gates) if gates else task
    roots = data_roots(path.parent, settings.data)

    # What was learnt of a file under its size and times is no proof of what it says.
    kept = None if settings.no_skip else settings.store
    task, grid = task_and_grid(task, roots, registry, kept)
    choices = list(config.getoption("stbench_model")) or (
        [f"fixture:{task.spec.model}"] if task.spec.model else []
    )
    return TaskItems(
        task=task,
        grid=grid,
        registry=registry,
        metrics=metrics_of(task.spec, family_of(task.spec, registry)),
        choices=choices,
    )


def runner_of(config: pytest.Config) -> Runner:
    """Return the runner of the session; numpy and its kind are imported here, not before."""
    if RUNNER not in config.stash:
        from pytest_stbench.run.runner import Runner

        keep_exits_honest(config)
        config.stash[RUNNER] = Runner(run_settings(config), builtin_registry(), progress_of(config))
    return config.stash[RUNNER]


def task_run_of(config: pytest.Config, items: TaskItems) -> tuple[TaskRun, Recorder]:
    """Return run and recorder of a task file."""
    runner = runner_of(config)
    roots = data_roots(items.task.path.parent, runner.settings.data)
    return runner.task_run(items.task, items.grid, items.metrics, roots)
