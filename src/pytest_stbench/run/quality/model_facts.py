"""What checks ask of a model under test and of its pooled scores."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_stbench.calls.failures import Blocked, CellFailed, NotSupported
from pytest_stbench.errors import DataMissing
from pytest_stbench.run.quality.facts import TestedFacts
from pytest_stbench.run.quality.refit import per_patient_ceilings
from pytest_stbench.spec.defaults import primary_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.checks.fold_state import Refitted
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun

    Hashes = dict[str, dict[str, tuple[str, ...]]]

MAIN = "main"
Scored = dict[str, dict[str, tuple[float | None, float | None]]]


class ModelFacts(TestedFacts):
    """What a model says it was trained on before, and what its test slides are."""

    def __init__(self, run: TaskRun, contestant: Contestant) -> None:
        super().__init__(run, contestant.label)
        handle = contestant.handle
        # What is shipped with this package is fitted on the training slides and on nothing else.
        self.pretraining = handle.pretraining if contestant.baseline or handle.declares_pretraining else None
        self.given = run.reference.sources
        self._there = [name for name in run.spec.datasets if name not in run.grid.missing]

    def hashes(self) -> Hashes:
        """Return of every slide the hashes of its files and of its counts, by data set."""
        from pytest_stbench.checks.corpora import slide_hash

        found = self.files()
        for name in self._there:
            for slide in self._run.views.dataset(name).slides():
                found[name][slide.meta.slide_id] += (slide_hash(slide),)
        return found

    def files(self) -> Hashes:
        """Return of every slide the hashes of its files, by data set."""
        from pytest_stbench.checks.corpora import HASH

        opened = {name: self._run.views.dataset(name) for name in self._there}
        return {
            name: {
                slide: tuple(HASH + value for value in dataset.file_hashes(slide))
                for slide in dataset.slide_ids
            }
            for name, dataset in opened.items()
        }


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


class ResultsFacts(TestedFacts):
    """The pooled primary metric of a model; `refitted` fits one fold again, None where that is not asked."""

    def __init__(
        self,
        run: TaskRun,
        recorder: Recorder,
        label: str,
        scored: Scored,
        contestant_of: Callable[[str], Contestant],
        refitted: Callable[[], Refitted | str] | None = None,
    ) -> None:
        super().__init__(run, label)
        self._recorder, self._scored, self._contestant_of = recorder, scored, contestant_of
        self._primary = primary_of(run.spec, run.family)
        metric = run.registry.metrics[self._primary]
        self.better = metric.better
        self.best = metric.bounds[0 if metric.better == "down" else 1]
        self.refitted = refitted
        self.simple = self._part(1)

    def _part(self, which: int) -> dict[str, dict[str, float | None]]:
        return {place: {name: pair[which] for name, pair in by.items()} for place, by in self._scored.items()}

    @property
    def values(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """The headlines of every model so far, by data set and split, then by setting."""
        return {**self._recorder.known_headlines(self._primary), self.model: self._part(0)}

    @property
    def beside(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Value, ceiling and standard error of the ceiling of every patient, in the main setting."""
        found = {}
        for pool in self._run.grid.pools:
            place = f"{pool.dataset}-{pool.split}"
            value, _ = self._scored.get(place, {}).get(pool.variant or MAIN, (None, None))
            contestant = self._contestant_of(pool.dataset)
            if value is not None and not pool.variant and contestant.baseline is None:
                patients = self._recorder.facts.patients(pool.dataset)
                found[pool.id] = per_patient_ceilings(self._run, contestant, pool, self._primary, patients)
        return found

    @property
    def between(self) -> dict[str, float | None]:
        """How far the mean of each slide alone correlates with the truth, by split."""
        return {
            pool.id: self._run.slide_variance.slide_mean_correlation(pool.id)
            for pool in self._run.grid.pools
            if not pool.variant and not pool.within
        }
