"""What the checks of a model and of its results say of a model on a generated cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.calls.contestants import user_contestant
from pytest_stbench.data.samples import load_samples
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.quality.model_facts import ModelFacts, ResultsFacts, pooled_primary
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.selftest.control_models import MEMORY, Memory
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import family_of, metrics_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide
    from pytest_stbench.registry import Registry
    from pytest_stbench.spec.model import TaskFile


DEPTH = "depth"
"""Name of the model that was told the depth of every unit."""


class ToldDepth:
    """A model that was told the total count of every unit, and gives it for every gene.

    ``totals`` maps a slide to the log total of each unit by name.
    """

    unit_names = "as given"

    def __init__(self, totals: Mapping[str, Mapping[str, float]]) -> None:
        self._totals = totals

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, g): the same column for each of the `genes`."""
        told = self._totals[slide.meta.slide_id]
        column = np.array([told[name] for name in slide.units.obs_names], np.float32)
        return np.repeat(column[:, None], len(genes), axis=1)


def model_verdicts(
    task: TaskFile,
    registry: Registry,
    *,
    store: Path,
    model: str,
    pretraining: tuple[str, ...] | None,
    names: Collection[str],
) -> dict[str, str]:
    """Return the status of every check of scope ``model`` or ``results`` among `names`.

    `model` is a baseline, ``depth`` or ``memory``; `pretraining` is what it is said to have
    seen, None where nothing is declared.
    """
    wanted = [r for r in registry.checks if r.scope in ("model", "results") and r.name in names]
    if not wanted:
        return {}
    runner = Runner(RunSettings(store=store), registry)
    grid = make_grid(task, lambda name, config: load_samples(config, name, ()), registry.splits)
    metrics = metrics_of(task.spec, family_of(task.spec, registry))
    run, recorder = runner.task_run(task, grid, metrics, ())
    dataset = next(iter(task.spec.datasets))
    if model == DEPTH:
        totals = {
            slide.meta.slide_id: dict(
                zip(slide.unit_names.tolist(), np.log1p(slide.libsize).tolist(), strict=True)
            )
            for slide in run.views.dataset(dataset).slides()
        }
        contestant = user_contestant(model, ToldDepth(totals))
    elif model == MEMORY:
        Memory.seen.clear()
        contestant = user_contestant(model, Memory)
    else:
        contestant = run.baseline(model, dataset)
    told = ModelFacts(run, contestant)
    told.pretraining = pretraining
    facts = {"model": told}
    if any(record.scope == "results" for record in wanted):
        scored = pooled_primary(run, recorder, lambda _dataset: contestant)
        facts["results"] = ResultsFacts(run, recorder, model, scored, lambda _dataset: contestant)
    found: dict[str, str] = {
        record.name: run.checking.run(record, tested=facts[record.scope]).status for record in wanted
    }
    runner.close()
    return found
