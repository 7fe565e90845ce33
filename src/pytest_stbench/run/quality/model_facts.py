"""What checks ask of a model under test and of its pooled scores."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import Blocked, CellFailed, NotSupported
from pytest_stbench.errors import DataMissing
from pytest_stbench.run.quality.refit import beside_ceilings
from pytest_stbench.spec.defaults import primary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.checks.kept_state import Refitted
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun

MAIN = "main"
Scored = dict[str, dict[str, tuple[float | None, float | None]]]


def model_facts(run: TaskRun, contestant: Contestant) -> Mapping[str, Callable[[], Any]]:
    """Return what checks of scope ``model`` ask for, by the name of a parameter."""
    handle = contestant.handle

    there = [name for name in run.spec.datasets if name not in run.grid.missing]

    def hashes() -> dict[str, dict[str, tuple[str, ...]]]:
        from pytest_stbench.checks.corpora import slide_hash

        found = files()
        for name in there:
            for slide in run.views.dataset(name).slides():
                found[name][slide.meta.slide_id] += (slide_hash(slide),)
        return found

    def files() -> dict[str, dict[str, tuple[str, ...]]]:
        from pytest_stbench.checks.corpora import HASH

        opened = {name: run.views.dataset(name) for name in there}
        return {
            name: {
                slide: tuple(HASH + value for value in dataset.file_hashes(slide))
                for slide in dataset.slide_ids
            }
            for name, dataset in opened.items()
        }

    def pretraining() -> tuple[str, ...] | None:
        # What is shipped with this package is fitted on the training slides and on nothing else.
        return handle.pretraining if contestant.baseline or handle.declares_pretraining else None

    return {"pretraining": pretraining, "hashes": lambda: hashes, "files": lambda: files}


def pooled_primary(run: TaskRun, recorder: Recorder, contestant_of: Callable[[str], Contestant]) -> Scored:
    """Return the pooled primary metric of a model and of the simple baseline.

    By data set and split, then by setting. Both are None where something keeps them from being scored;
    what keeps all of them (``Blocked``, ``DataMissing``, ``NotSupported``) is raised.
    """
    found: Scored = {}
    obstacle: Exception | None = None
    scored = False
    for pool in run.grid.pools:
        place = f"{pool.dataset}-{pool.split}"
        pair: tuple[float | None, float | None] = (None, None)
        try:
            pair = _pooled(run, recorder, contestant_of(pool.dataset), pool)
            scored = True
        except (Blocked, DataMissing, NotSupported) as error:
            obstacle = obstacle or error
        found.setdefault(place, {})[pool.variant or MAIN] = pair
    if obstacle is not None and not scored:
        raise obstacle
    return found


def _pooled(
    run: TaskRun, recorder: Recorder, contestant: Contestant, pool: Pool
) -> tuple[float | None, float | None]:
    run.require_data(pool)
    run.require_method(contestant)
    simple = run.ladder(pool.dataset).simple
    for cell in pool.cells:
        run.ready_model(contestant, cell)
        if simple is not None:
            run.ready_baseline(simple, cell)
        if not pool.variant:
            with suppress(CellFailed):  # whoever needs ceilings does without
                run.ceilings(cell)
    return recorder.headlines(contestant, pool, primary_of(run.spec, run.family))


def results_facts(
    run: TaskRun,
    recorder: Recorder,
    label: str,
    scored: Scored,
    contestant_of: Callable[[str], Contestant],
    refitted: Callable[[], Refitted | str] | None = None,
) -> Mapping[str, Callable[[], Any]]:
    """Return what checks of scope ``results`` ask for, by the name of a parameter.

    `refitted` fits one fold again in a fresh process; None where that is not asked.
    """
    primary = primary_of(run.spec, run.family)
    metric = run.registry.metrics[primary]

    def part(which: int) -> dict[str, dict[str, float | None]]:
        return {place: {name: pair[which] for name, pair in by.items()} for place, by in scored.items()}

    def beside() -> dict[str, dict[str, tuple[float, float, float]]]:
        found = {}
        for pool in run.grid.pools:
            value, _ = scored.get(f"{pool.dataset}-{pool.split}", {}).get(pool.variant or MAIN, (None, None))
            contestant = contestant_of(pool.dataset)
            if value is not None and not pool.variant and contestant.baseline is None:
                of = recorder.facts.patients(pool.dataset)
                found[pool.id] = beside_ceilings(run, contestant, pool, primary, of)
        return found

    return {
        "model": lambda: label,
        "beside": beside,
        "best": lambda: metric.bounds[0 if metric.better == "down" else 1],
        "refitted": lambda: refitted,
        "simple": lambda: part(1),
        "values": lambda: {**recorder.known_headlines(primary), label: part(0)},
        "better": lambda: metric.better,
        "between": lambda: {
            pool.id: run.moments.slide_mean_correlation(pool.id)
            for pool in run.grid.pools
            if not pool.variant and not pool.within
        },
    }
