"""Scores and verdicts of a task as records."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_stbench.gate import judge, judge_within, required_references, rules_for
from pytest_stbench.metrics.aggregate import headline, patient_values
from pytest_stbench.registry import SIMPLE
from pytest_stbench.results.record import ScoreRecord
from pytest_stbench.run.ceilings import skill
from pytest_stbench.run.cells import Pool
from pytest_stbench.run.facts import Facts
from pytest_stbench.run.pooling import pool_scores
from pytest_stbench.spec.defaults import input_class_of, primary_of, shows_itself

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.registry import Baseline
    from pytest_stbench.results.record import Verdict, VerdictRecord
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.contestants import Contestant
    from pytest_stbench.run.pooling import PooledScore
    from pytest_stbench.run.scoring import CellScores
    from pytest_stbench.run.stored_run import StoredRun
    from pytest_stbench.run.task_run import TaskRun

Role = Literal["model", "baseline", "control"]

SHOWS_ITSELF = (
    "the truth is silver: an algorithm made it of the expression that the model is given, so agreement with "
    "it is no evidence; judge by annotated labels, or hand out the image alone (`input: image`)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Everything known of one metric over all folds.

    ``scores`` has the model first, then its ladder; ``verdict`` is that of the one rule for the
    primary metric, else of the gates; ``gate`` is what the gates of the file alone come to.
    """

    scores: tuple[ScoreRecord, ...]
    verdict: VerdictRecord | None
    gate: VerdictRecord | None
    comparison: Mapping[str, Any] | None


class Recorder:
    """Makes the records of one task run."""

    def __init__(self, run: TaskRun, stored: StoredRun | None) -> None:
        self._run = run
        self._spec = run.spec
        self._stored = stored
        self.facts = Facts(run)
        self._headlines: dict[tuple[str, str, str, str], tuple[float | None, float | None]] = {}

    def fold(self, contestant: Contestant, cell: Cell, metric: str) -> ScoreRecord:
        """Return the score of one fold, with the trivial and the simple baseline beside it."""
        score = self._pool([(cell, self._run.scores(contestant, cell))], cell, metric)
        ladder = self._run.ladder(cell.dataset)
        beside = {
            record.name: self._pool([(cell, self._run.baseline_scores(record, cell))], cell, metric)
            for record in (ladder.trivial, ladder.simple)
            if record is not None
        }
        return self._record(
            score, cell, metric, role="model", name=contestant.label, contestant=contestant,
            fold=cell.fold.name, seed=cell.seed if cell.seed_in_id else None,
            ceiling=self._ceiling([cell], metric), trivial=beside[ladder.trivial.name],
            simple=beside.get(ladder.simple.name) if ladder.simple else None,
        )  # fmt: skip

    def pooled(self, contestant: Contestant, pool: Pool, metric: str) -> Pooled:
        """Return the score over all folds, the ladder, and the verdict."""
        ladder = self._run.ladder(pool.dataset)
        run = self._run
        score = self._pool([(cell, run.scores(contestant, cell)) for cell in pool.cells], pool, metric)
        first = tuple(cell for cell in pool.cells if cell.seed == pool.cells[0].seed)
        beside: dict[str, tuple[Baseline, PooledScore]] = {
            record.name: (
                record,
                self._pool([(c, run.baseline_scores(record, c)) for c in first], pool, metric),
            )
            for record in ladder.baselines
        }
        for control in ladder.controls:
            parts = [(cell, run.control_scores(control, contestant, cell)) for cell in pool.cells]
            beside[control.name] = (control, self._pool(parts, pool, metric))
        trivial = beside[ladder.trivial.name][1]
        simple = beside[ladder.simple.name][1] if ladder.simple else None
        ceiling = self._ceiling(first, metric)
        record = self._record(
            score, pool, metric, role="model", name=contestant.label, contestant=contestant,
            trivial=trivial, simple=simple, ceiling=ceiling,
        )  # fmt: skip
        others = tuple(
            self._record(
                found, pool, metric, role="control" if yardstick.kind == "control" else "baseline",
                name=f"{name}({contestant.label})" if yardstick.kind == "control" else name,
                trivial=trivial, simple=simple, ceiling=ceiling,
            )
            for name, (yardstick, found) in beside.items()
        )  # fmt: skip
        values = {name: found.per_patient for name, (_, found) in beside.items()}
        better = run.registry.metrics[metric].better
        comparison = self._stored.comparison(self.facts, record, pool, better) if self._stored else None
        place = f"{pool.dataset}-{pool.split}"
        self._headlines[metric, contestant.label, place, pool.variant or "main"] = (
            record.value,
            record.baseline,
        )
        verdict, gate = self._verdicts(contestant, pool, metric, score, values, comparison)
        return Pooled(scores=(record, *others), verdict=verdict, gate=gate, comparison=comparison)

    def headlines(self, contestant: Contestant, pool: Pool, metric: str) -> tuple[float | None, float | None]:
        """Return the pooled headline of a model and that of the simple baseline, made once."""
        key = (metric, contestant.label, f"{pool.dataset}-{pool.split}", pool.variant or "main")
        if key not in self._headlines:
            self.pooled(contestant, pool, metric)
        return self._headlines[key]

    def known_headlines(self, metric: str) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return the pooled headlines made so far: of each model by data set and split, then setting."""
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for (name, model, place, setting), (value, _) in self._headlines.items():
            if name == metric:
                found.setdefault(model, {}).setdefault(place, {})[setting] = value
        return found

    def _verdicts(
        self,
        contestant: Contestant,
        pool: Pool,
        metric: str,
        score: PooledScore,
        values: Mapping[str, Mapping[str, float]],
        comparison: Mapping[str, Any] | None,
    ) -> tuple[VerdictRecord | None, VerdictRecord | None]:
        """Return the verdict that is shown and the one the item's outcome follows."""
        ladder = self._run.ladder(pool.dataset)
        simple = ladder.simple.name if ladder.simple else ""
        primary = metric == primary_of(self._spec, self._run.family)
        required = {
            name: margin
            for name, margin in required_references(self._run.family, simple).items()
            if name in values
        }
        facts: dict[str, Any] = {
            "task": self._spec.name,
            "dataset": pool.dataset,
            "variant": pool.variant,
            "split": pool.split,
            "model": contestant.label,
            "metric": metric,
            "better": self._run.registry.metrics[metric].better,
            "references": values,
            "baseline": contestant.baseline,
            "primary": primary,
            "stored": comparison["per_patient"] if comparison and not comparison["refused"] else None,
            "stored_name": comparison["name"] if comparison else "",
        }
        spec = self._spec.gates.get(metric)

        def judged(*, held_to_rule: bool) -> VerdictRecord | None:
            rules = rules_for(spec, required=required, primary=held_to_rule, resolve={SIMPLE: simple})
            return (judge_within if pool.within else judge)(score.per_patient, rules, **facts)

        shown, gate = judged(held_to_rule=primary), judged(held_to_rule=False) if spec else None
        if shows_itself(self._spec, self._run.family):
            shown, gate = (_held_back(found, "not_evaluable", SHOWS_ITSELF) for found in (shown, gate))
        if primary and self._run.family.constraint:
            broken = self._broken_constraint(contestant, pool)
            shown, gate = (_held_back(found, "fail", broken) for found in (shown, gate))
        return shown, gate

    def _broken_constraint(self, contestant: Contestant, pool: Pool) -> str:
        """Return how the model is worse than the simple baseline by the family's constraint, or nothing.

        A model without a value is worse than a baseline that has one.
        """
        run, name = self._run, self._run.family.constraint
        simple = run.ladder(pool.dataset).simple
        if simple is None:
            return ""
        first = tuple(cell for cell in pool.cells if cell.seed == pool.cells[0].seed)
        model = self._pool([(cell, run.scores(contestant, cell)) for cell in pool.cells], pool, name)
        yardstick = self._pool([(cell, run.baseline_scores(simple, cell)) for cell in first], pool, name)
        sign = 1.0 if run.registry.metrics[name].better == "up" else -1.0
        found, bar = model.headline.value, yardstick.headline.value
        if math.isnan(bar) or sign * (found - bar) >= 0:
            return ""
        found_text = "has no value," if math.isnan(found) else f"{found:.3f} is worse than"
        return f"{name} {found_text} {bar:.3f} of {simple.name}, which no passing model may be"

    def _pool(self, parts: Sequence[tuple[Cell, CellScores]], place: Cell | Pool, metric: str) -> PooledScore:
        return pool_scores(parts, metric, self.facts.patients(place.dataset))

    def _ceiling(self, cells: Sequence[Cell], metric: str) -> float:
        """Return the ceiling of a headline: over slides, patients and folds as the scores are."""
        by_slide = {
            slide: value for cell in cells for slide, value in self._run.ceilings(cell)[metric].items()
        }
        return headline(patient_values(by_slide, self.facts.patients(cells[0].dataset))).value

    def _record(
        self,
        score: PooledScore,
        place: Cell | Pool,
        metric: str,
        *,
        role: Role,
        name: str,
        trivial: PooledScore | None,
        simple: PooledScore | None,
        ceiling: float,
        contestant: Contestant | None = None,
        fold: str | None = None,
        seed: int | None = None,
    ) -> ScoreRecord:
        within = place.within if isinstance(place, Pool) else place.fold.within
        interval = None if within else score.reported.interval
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
            ceiling=ceiling,
            skill=skill(score.headline.value, simple.headline.value, ceiling, better) if simple else None,
            undefined=dict(score.undefined),
            flags=score.flags,
            seconds=score.seconds,
            peak_memory_mb=score.peak_memory_mb,
            seed_sd=score.seed_sd,
            input_class=(contestant.handle.input_class if contestant else None)
            or input_class_of(self._spec, self._run.family),
        )


def _held_back(verdict: VerdictRecord | None, instead: Verdict, why: str) -> VerdictRecord | None:
    """Return `verdict`, or `instead` of a pass where there is something against it."""
    if verdict is None or verdict.verdict != "pass" or not why:
        return verdict
    return replace(verdict, verdict=instead, message=f"{verdict.message}; but {why}")
