"""Scores and verdicts of a task as records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_stbench.gate import intervals_for, stand
from pytest_stbench.metrics.aggregate import headline, patient_values
from pytest_stbench.results.record import ScoreRecord
from pytest_stbench.run.cells import Pool
from pytest_stbench.run.provenance.task_records import TaskRecords
from pytest_stbench.run.scores.ceilings import skill
from pytest_stbench.run.scores.pool_verdict import floor_of, verdict_of
from pytest_stbench.run.scores.pooling import headline_error, pool_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.gate import Reported, Stand
    from pytest_stbench.registry import Baseline
    from pytest_stbench.results.record import VerdictRecord
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.scores.pooling import PooledScore
    from pytest_stbench.run.scores.scoring import CellScores
    from pytest_stbench.run.scores.stored_run import StoredRun
    from pytest_stbench.run.task_run import TaskRun

    Parts = Sequence[tuple[Cell, CellScores]]

OWN_NAMES = "unit_names_as_given"
"""Flag of scores of a model that was given the names of units as the data set has them."""

Role = Literal["model", "baseline", "control"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Everything known of one metric over all folds.

    ``scores`` has the model first, then its ladder; ``verdict`` is that of the gates of the file, and where
    it has none on the primary metric that of the one rule, by which no item fails.
    """

    scores: tuple[ScoreRecord, ...]
    verdict: VerdictRecord | None
    comparison: Mapping[str, Any] | None


class Recorder:
    """Makes the records of one task run."""

    def __init__(self, run: TaskRun, stored: StoredRun | None) -> None:
        self._run = run
        self._spec = run.spec
        self._stored = stored
        self.facts = TaskRecords(run)
        self._headlines: dict[tuple[str, str, str, str], tuple[float | None, float | None]] = {}
        self._yardsticks: dict[tuple[str, str, str], PooledScore] = {}
        self._parts: dict[tuple[str, str], Parts] = {}
        self._prepared: set[tuple[str, str]] = set()

    def prepare(self, contestant: Contestant, place: Cell | Pool) -> None:
        """Score the model and its whole ladder on what a score stands on. Raises ``Blocked``."""
        key = (contestant.key, place.id)
        if key in self._prepared:
            return
        for cell in place.cells if isinstance(place, Pool) else (place,):
            self._run.ready(contestant, cell)
            self.facts.lock(cell)
        self._prepared.add(key)

    def fold(self, contestant: Contestant, cell: Cell, metric: str) -> ScoreRecord:
        """Return the score of one fold, with the trivial and the simple baseline beside it."""
        ladder, patients = self._run.ladder(cell.dataset), self.facts.patients(cell.dataset)
        score = pool_scores([(cell, self._run.scores(contestant, cell))], metric, patients)
        yardsticks = {
            record.name: pool_scores([(cell, self._run.baseline_scores(record, cell))], metric, patients)
            for record in (ladder.trivial, ladder.simple)
            if record is not None
        }
        return self._record(
            score, self._reported([score], metric)[0], cell, metric, role="model", name=contestant.label,
            contestant=contestant, fold=cell.fold.name, seed=cell.seed if cell.seed_in_id else None,
            ceiling=self._ceiling([cell], metric), trivial=yardsticks[ladder.trivial.name],
            simple=yardsticks.get(ladder.simple.name) if ladder.simple else None,
        )  # fmt: skip

    def pooled(self, contestant: Contestant, pool: Pool, metric: str) -> Pooled:
        """Return the score over all folds, the ladder, and the verdict."""
        run, ladder = self._run, self._run.ladder(pool.dataset)
        patients = self.facts.patients(pool.dataset)
        score = self._model(contestant, pool, metric)
        yardsticks: dict[str, PooledScore] = {
            record.name: self._yardstick(record, pool, metric) for record in ladder.baselines
        }
        for control in ladder.controls:
            parts = [(cell, run.control_scores(control, contestant, cell)) for cell in pool.cells]
            yardsticks[control.name] = pool_scores(parts, metric, patients)
        controls = {control.name for control in ladder.controls}
        trivial = yardsticks[ladder.trivial.name]
        simple = yardsticks[ladder.simple.name] if ladder.simple else None
        ceiling = self._ceiling(_first_seed(pool), metric)
        better = run.registry.metrics[metric].better
        floor = floor_of(run, metric, score, trivial, simple, patients)
        own, *theirs = self._reported([score, *yardsticks.values()], metric)
        found = None
        if simple is not None and not pool.within:
            found = stand(score.per_patient, simple.per_patient, metric=metric, better=better, floor=floor)
        record = self._record(
            score, own, pool, metric, role="model", name=contestant.label, contestant=contestant,
            trivial=trivial, simple=simple, ceiling=ceiling, found=found,
        )  # fmt: skip
        others = tuple(
            self._record(
                other, reported, pool, metric, role="control" if name in controls else "baseline",
                name=f"{name}({contestant.label})" if name in controls else name,
                trivial=trivial, simple=simple, ceiling=ceiling,
            )
            for (name, other), reported in zip(yardsticks.items(), theirs, strict=True)
        )  # fmt: skip
        comparison = self._stored.comparison(self.facts, record, pool, better) if self._stored else None
        self._headlines[_headline_key(contestant, pool, metric)] = (record.value, record.baseline)

        def of_both(name: str) -> tuple[PooledScore, PooledScore | None]:
            yardstick = self._yardstick(ladder.simple, pool, name) if ladder.simple else None
            return self._model(contestant, pool, name), yardstick

        verdict = verdict_of(
            run, contestant, pool, metric, score, yardsticks=yardsticks, floor=floor, comparison=comparison,
            pooled=of_both,
        )  # fmt: skip
        return Pooled(scores=(record, *others), verdict=verdict, comparison=comparison)

    def headlines(self, contestant: Contestant, pool: Pool, metric: str) -> tuple[float | None, float | None]:
        """Return the pooled headline of a model and that of the simple baseline, made once."""
        key = _headline_key(contestant, pool, metric)
        if key not in self._headlines:
            simple = self._run.ladder(pool.dataset).simple
            self._headlines[key] = (
                self._model(contestant, pool, metric).headline.value,
                self._yardstick(simple, pool, metric).headline.value if simple else None,
            )
        return self._headlines[key]

    def known_headlines(self, metric: str) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return the pooled headlines made so far: of each model by data set and split, then setting."""
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for (name, model, place, setting), (value, _) in self._headlines.items():
            if name == metric:
                found.setdefault(model, {}).setdefault(place, {})[setting] = value
        return found

    def _model(self, contestant: Contestant, pool: Pool, metric: str) -> PooledScore:
        key = (contestant.key, pool.id)
        if key not in self._parts:
            self._parts[key] = [(cell, self._run.scores(contestant, cell)) for cell in pool.cells]
        return pool_scores(self._parts[key], metric, self.facts.patients(pool.dataset))

    def _yardstick(self, record: Baseline, pool: Pool, metric: str) -> PooledScore:
        """Return the pooled score of a baseline, which a model's seed does not concern; made once."""
        place = pool.id
        key = (record.name, place, metric)
        if key not in self._yardsticks:
            of_all = (f"baseline {record.name}", place)
            if of_all not in self._parts:
                run = self._run
                self._parts[of_all] = [(c, run.baseline_scores(record, c)) for c in _first_seed(pool)]
            patients = self.facts.patients(pool.dataset)
            self._yardsticks[key] = pool_scores(self._parts[of_all], metric, patients)
        return self._yardsticks[key]

    def _reported(self, scores: Sequence[PooledScore], metric: str) -> list[Reported]:
        """Return the headlines of a model and its ladder with their intervals, made in one go."""
        bounds = self._run.registry.metrics[metric].bounds
        return intervals_for([score.per_patient.values() for score in scores], bounds)

    def _ceiling(self, cells: Sequence[Cell], metric: str) -> tuple[float, float | None]:
        """Return the ceiling of a headline, over slides, patients and folds as the scores are, and its SE."""
        by_slide = {
            slide: found for cell in cells for slide, found in self._run.ceilings(cell)[metric].items()
        }
        values = {slide: found.value for slide, found in by_slide.items()}
        errors = {slide: found.error for slide, found in by_slide.items()}
        patients = self.facts.patients(cells[0].dataset)
        return headline(patient_values(values, patients)).value, headline_error(errors, values, patients)

    def _record(
        self,
        score: PooledScore,
        reported: Reported,
        place: Cell | Pool,
        metric: str,
        *,
        role: Role,
        name: str,
        trivial: PooledScore | None,
        simple: PooledScore | None,
        ceiling: tuple[float, float | None],
        contestant: Contestant | None = None,
        fold: str | None = None,
        seed: int | None = None,
        found: Stand | None = None,
    ) -> ScoreRecord:
        within = place.within if isinstance(place, Pool) else place.fold.within
        interval = None if within else reported.interval
        better = self._run.registry.metrics[metric].better
        return ScoreRecord(
            **self.facts.place(place),
            fold=fold,
            seed=seed,
            role=role,
            model=name,
            metric=metric,
            value=score.headline.value,
            per_patient=dict(score.per_patient),
            per_slide=dict(score.per_slide),
            n_patients=score.headline.n_patients,
            n_units=score.n_units,
            n_genes=score.n_genes,
            ci_low=interval.low if interval else None,
            ci_high=interval.high if interval else None,
            ci_method=interval.method if interval else None,
            median=score.headline.median,
            min=score.headline.min,
            max=score.headline.max,
            trivial=trivial.headline.value if trivial else None,
            baseline=simple.headline.value if simple else None,
            ceiling=ceiling[0],
            ceiling_se=ceiling[1],
            monte_carlo_se=score.error,
            skill=skill(score.headline.value, simple.headline.value, ceiling[0], better) if simple else None,
            standing=found.word if found else None,
            difference=found.difference if found else None,
            difference_low=found.low if found else None,
            undefined=dict(score.undefined),
            flags=(*score.flags, OWN_NAMES) if contestant and contestant.handle.own_names else score.flags,
            seconds=score.seconds,
            peak_memory_mb=score.peak_memory_mb,
            seed_sd=score.seed_sd,
            input_class=(contestant.handle.input_class if contestant else None)
            or self._run.family.input_class,
        )


def _headline_key(contestant: Contestant, pool: Pool, metric: str) -> tuple[str, str, str, str]:
    return metric, contestant.label, f"{pool.dataset}-{pool.split}", pool.variant or "main"


def _first_seed(pool: Pool) -> tuple[Cell, ...]:
    return tuple(cell for cell in pool.cells if cell.seed == pool.cells[0].seed)
