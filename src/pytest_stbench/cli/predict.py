"""``stbench predict``: the store filled without pytest, here or on a cluster; pytest scores from it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.dask_options import dask_option, resources_option
from pytest_stbench.cli.options import PATH, data_root_option
from pytest_stbench.cli.tasks import task_files
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.cluster.orders import CellJob
    from pytest_stbench.registry import Registry

FORMS = "import:PACKAGE.MODULE:ATTRIBUTE, baseline:NAME or an installed model by its name"


@click.command()
@click.argument("tasks", nargs=-1, required=True, type=PATH)
@click.option("--model", required=True, metavar="NAME", help=f"{FORMS}.")
@dask_option
@resources_option(
    "What a worker must offer to be given cells of the model (gpu=1); baselines run on any worker."
)
@data_root_option("Folder that paths in task files are relative to.")
@click.option("--stbench-store", "store", type=PATH, default=Path(".stbench"), show_default=True)
@click.option("--stbench-retry", "retry", is_flag=True, help="Run a model again that ended its process.")
def predict(tasks: tuple[Path, ...], where: str | None, resources: Mapping[str, float], **given: Any) -> None:
    """Predict the cells of TASKS (task files, or folders of them) and keep the predictions in the store.

    The data are judged, the model and all baselines are fitted and asked as pytest does it; pytest with the
    same model and store then scores, and computes none of it again. What the store has is not computed.

    Exit code 0: all predictions are in the store, or the model has no method for them; 1: some are not;
    2: wrong usage, or nobody who can do it; 130: interrupted.
    """
    from pytest_stbench.cluster.giving import given_out, ordered
    from pytest_stbench.cluster.telling import Telling
    from pytest_stbench.run.installed import builtin_registry

    _refuse_model(given["model"])
    if resources and (where is None or where.startswith("local:")):
        raise click.UsageError("--resources is for workers of a scheduler: --dask tcp://HOST:PORT")
    jobs, missing = _jobs(
        [path.resolve() for path in task_files(tasks)], given, builtin_registry(), apart=bool(resources)
    )
    asked = {"model": given["model"], "retry": given["retry"]}
    with ordered("predict", asked, given["store"], given["data_root"]) as order:
        telling = Telling(len(jobs), order.store)
        for line in missing:
            telling.say(line)
        sys.exit(given_out(where, order, jobs, telling, resources))


def _refuse_model(model: str) -> None:
    from pytest_stbench.collection.model_choice import split_choice

    form, _ = split_choice(model)
    if form in ("fixture", "predictions"):
        what = "a fixture lives in a run of pytest" if form == "fixture" else "these are predicted already"
        raise click.UsageError(f"--model {model}: {what}; name {FORMS}")


def _jobs(
    files: list[Path], given: Mapping[str, Any], registry: Registry, *, apart: bool
) -> tuple[list[CellJob], list[str]]:
    """Return the jobs of all task files, and which data are not on this machine.

    `apart`: the model and the baselines of a cell are jobs of their own.
    """
    from pytest_stbench.cluster.orders import CellJob
    from pytest_stbench.cluster.predicting import mark_of
    from pytest_stbench.collection.model_choice import model_label
    from pytest_stbench.data.roots import data_roots
    from pytest_stbench.run.separate_panels import task_and_grid
    from pytest_stbench.spec.validate import load_task

    jobs: list[CellJob] = []
    missing: list[str] = []
    for path in files:
        task = load_task(path, registry)
        mark = mark_of(task.spec, registry)
        task, grid = task_and_grid(
            task, data_roots(path.parent, given["data_root"]), registry, given["store"]
        )
        name = task.spec.name
        missing += [f"{name}: {data} is not on this machine: {why}" for data, why in grid.missing.items()]
        seen: set[str] = set()
        cells = [cell for pool in grid.pools for cell in pool.cells]
        common = {"task": str(path), "fingerprint": mark}
        for view, cell in {cell.view: cell for cell in cells}.items():
            label = f"checks {name} {view}"
            jobs.append(
                CellJob(**common, cell=cell.id, label=label, model=False, baselines=False, checks=True)
            )
        for cell in cells:
            # Of several seeds of a fold the first one stands for the baselines, as in a run of pytest.
            ladder = cell.whole_fold not in seen
            seen.add(cell.whole_fold)
            label = f"{model_label(given['model'])} {name} {cell.id}"
            job = CellJob(
                task=str(path), fingerprint=mark, cell=cell.id, label=label, baselines=ladder and not apart
            )
            jobs.append(job)
            if ladder and apart:
                label = f"baselines {name} {cell.id}"
                jobs.append(replace(job, label=label, model=False, baselines=True))
    if not jobs:
        raise StbenchError("\n".join(missing) or "the task files have no cell")
    return jobs, missing
