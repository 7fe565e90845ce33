"""The verdict on a pooled score: rules of the task, yardsticks of the pool, what holds a pass back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.gate import judge, judge_within, margin_floor, required_references, rules_for
from pytest_stbench.kernels.sketch import alike
from pytest_stbench.registry import SIMPLE
from pytest_stbench.run.scores.pooling import difference_error
from pytest_stbench.spec.defaults import primary_of, shows_itself

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.gate import Floor
    from pytest_stbench.results.record import Verdict, VerdictRecord
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.scores.pooling import PooledScore
    from pytest_stbench.run.scores.scoring import CellScores
    from pytest_stbench.run.task_run import TaskRun

SHOWS_ITSELF = (
    "the truth is silver: an algorithm made it of the expression that the model is given, so agreement with "
    "it is no evidence; judge by annotated labels, or hand out the image alone (`input: image`)"
)


def floor_of(
    run: TaskRun,
    metric: str,
    model: PooledScore,
    trivial: PooledScore | None,
    simple: PooledScore | None,
    patient_of: Mapping[str, str],
) -> Floor:
    """Return the least margin of `beats` on a metric.

    From the headlines of T and S, and the larger Monte Carlo standard error of the differences to them.
    """
    t, s = (score.headline.value if score else None for score in (trivial, simple))
    errors = [difference_error(model, score, patient_of) for score in (trivial, simple) if score]
    noise = max((error for error in errors if error is not None), default=None)
    return margin_floor(t, s, run.registry.metrics[metric].bounds, monte_carlo=noise)


def verdict_of(
    run: TaskRun,
    contestant: Contestant,
    pool: Pool,
    metric: str,
    score: PooledScore,
    *,
    yardsticks: Mapping[str, PooledScore],
    floor: Floor,
    comparison: Mapping[str, Any] | None,
    pooled: Callable[[str], tuple[PooledScore, PooledScore | None]],
) -> VerdictRecord | None:
    """Return the verdict on one pooled score, None where nothing is asked of it.

    Parameters
    ----------
    run, contestant, pool, metric
        What is judged.
    score
        The pooled score of the model.
    yardsticks
        Pooled scores of its yardsticks by name.
    floor
        The least margin of `beats`.
    comparison
        How the score compares with a stored run; None without one.
    pooled
        Gives the pooled score of another metric: of the model, and of the simple baseline if there is one.
    """
    spec, family = run.spec, run.family
    ladder = run.ladder(pool.dataset)
    simple = ladder.simple.name if ladder.simple else SIMPLE
    primary = metric == primary_of(spec, family)
    required = {
        name: margin for name, margin in required_references(family, simple).items() if name in yardsticks
    }
    gate = spec.gates.get(metric)
    rules = rules_for(gate, required=required, primary=primary, resolve={SIMPLE: simple}, floor=floor)
    record = run.registry.metrics[metric]
    references = rules.references.keys() | rules.min_patient_difference.keys() | required.keys()
    found = (judge_within if pool.within else judge)(
        score.per_patient, rules, task=spec.name, dataset=pool.dataset, variant=pool.variant,
        split=pool.split, model=contestant.label, metric=metric, better=record.better, bounds=record.bounds,
        references={name: other.per_patient for name, other in yardsticks.items()},
        baseline=contestant.baseline, primary=primary,
        same_as=tuple(name for name in _same_as(run, contestant, pool) if name in references),
        stored=comparison["per_patient"] if comparison and not comparison["refused"] else None,
        stored_name=comparison["name"] if comparison else "",
        refused="; ".join(comparison["refused"]) if comparison else "",
    )  # fmt: skip
    if shows_itself(spec, family):
        found = _held_back(found, "not_evaluable", SHOWS_ITSELF)
    if primary and family.constraint:
        found = _held_back(found, "fail", _broken(run, family.constraint, simple, *pooled(family.constraint)))
    return found


def _broken(run: TaskRun, name: str, simple: str, model: PooledScore, yardstick: PooledScore | None) -> str:
    """Return how the model is worse than the simple baseline by the metric `name`, or nothing.

    A model without a value is worse than a baseline that has one.
    """
    if yardstick is None:
        return ""
    sign = 1.0 if run.registry.metrics[name].better == "up" else -1.0
    found, bar = model.headline.value, yardstick.headline.value
    if math.isnan(bar) or sign * (found - bar) >= 0:
        return ""
    found_text = "has no value," if math.isnan(found) else f"{found:.3f} is worse than"
    return f"{name} {found_text} {bar:.3f} of {simple}, which no passing model may be"


def _held_back(verdict: VerdictRecord | None, instead: Verdict, why: str) -> VerdictRecord | None:
    """Return `verdict`, or `instead` of a pass where there is something against it."""
    if verdict is None or verdict.verdict != "pass" or not why:
        return verdict
    return replace(verdict, verdict=instead, message=f"{verdict.message}; but {why}")


def _same_as(run: TaskRun, contestant: Contestant, pool: Pool) -> tuple[str, ...]:
    """Return the baselines of the ladder whose predictions a model's are, in every cell of the pool.

    Predictions are compared, not scores: a model may reach the score of a baseline by other means. Those of
    a built-in baseline under its own name are not looked at.
    """
    if contestant.baseline is not None:
        return ()
    return tuple(
        record.name
        for record in run.ladder(pool.dataset).baselines
        if all(_same(run.scores(contestant, cell), run.baseline_scores(record, cell)) for cell in pool.cells)
    )


def _same(model: CellScores, baseline: CellScores) -> bool:
    ours, theirs = model.sketches, baseline.sketches
    return bool(ours) and ours.keys() == theirs.keys() and all(alike(ours[key], theirs[key]) for key in ours)
