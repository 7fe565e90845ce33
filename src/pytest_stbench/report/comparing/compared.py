"""Two runs side by side: the scores that belong together, what they gained, and what cannot be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_stbench.errors import ResultsError
from pytest_stbench.gate.gains import Gain, after_holm, gains
from pytest_stbench.results.comparable import Counterparts, why_not_comparable
from pytest_stbench.results.earlier import Earlier, load_earlier
from pytest_stbench.results.reference import Reference
from pytest_stbench.results.run_changes import changes, paired_differences
from pytest_stbench.run.installed import builtin_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.results.run_changes import PatientChange
    from pytest_stbench.results.schema import Results

Pool = tuple[str, str, str, str]
"""Task, data set, variant and split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One score in both runs.

    ``holds`` says of a primary metric whether the gain or loss holds after Holm over all of them.
    ``excluded`` are patients without a value on one side.
    """

    before: ScoreRecord
    after: ScoreRecord
    better: str
    primary: bool
    gain: Gain
    excluded: tuple[str, ...]
    holds: bool = False

    @property
    def pool(self) -> Pool:
        """Where it was measured."""
        return pool_of(self.after)


@dataclass(slots=True)
class Comparison:
    """What came of comparing a run with an earlier one."""

    earlier: Earlier
    later: Earlier
    found: list[Compared] = field(default_factory=list)
    refused: dict[str, list[Pool | str]] = field(default_factory=dict)
    only_earlier: list[ScoreRecord] = field(default_factory=list)
    only_later: list[ScoreRecord] = field(default_factory=list)
    undirected: int = 0
    undefined: int = 0

    def changes_of(self, one: Compared) -> tuple[PatientChange, ...]:
        """Return what every patient and slide gained or lost by one score."""
        task, dataset, *_ = one.pool
        data = next((d for d in self._results.datasets if (d.task, d.name) == (task, dataset)), None)
        patients = data.patients if data else {}
        return changes(one.after, one.before, better=one.better, patient_of=patients)

    @property
    def _results(self) -> Results | Reference:
        return self.later.results


def pool_of(score: ScoreRecord) -> Pool:
    """Return task, data set, variant and split of a score."""
    return score.task, score.dataset, score.variant, score.split


def comparisons(paths: Sequence[Path]) -> Iterator[Comparison]:
    """Yield how each run but the first compares with that, one at a time.

    Raises
    ------
    ResultsError
        Where fewer than two are given, a file cannot be used or stands there twice, or the first run and
        another one have nothing that may be compared.
    """
    if len(paths) < 2:
        raise ResultsError(f"{paths[0]}: name two runs or more, the one to compare with first")
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise ResultsError(f"{path}: the file is given twice: name each run once")
        seen.add(path.resolve())
    earlier = load_earlier(paths[0])
    for path in paths[1:]:
        yield compare(earlier, load_earlier(path))


def compare(earlier: Earlier, later: Earlier) -> Comparison:
    """Return how `later` compares with `earlier`, pool by pool.

    Raises
    ------
    ResultsError
        Where they are the same run, or nothing of them may be compared.
    """
    _require_two_runs(earlier, later)
    comparison = Comparison(earlier, later)
    counterparts = Counterparts(earlier.results)
    used: set[int] = set()
    pairs: list[tuple[ScoreRecord, ScoreRecord]] = []
    known = {task.name for task in earlier.results.tasks}
    for pool, scores in _pools(later.results).items():
        if pool[0] not in known:
            comparison.only_later += scores
            continue
        reasons = _refused(pool, earlier, later)
        if reasons:
            comparison.refused.setdefault("; ".join(reasons), []).append(pool)
            continue
        for score in scores:
            try:
                before = counterparts.of(score)
            except ResultsError as error:
                comparison.refused.setdefault(str(error), []).append(f"model {score.model}")
                continue
            if before is None:
                comparison.only_later.append(score)
            else:
                used.add(id(before))
                pairs.append((before, score))
    refused = {pool for places in comparison.refused.values() for pool in places}
    comparison.only_earlier = [
        score
        for pool, scores in _pools(earlier.results).items()
        for score in scores
        if id(score) not in used and pool not in refused
    ]
    _judge(comparison, pairs)
    if not pairs:
        raise ResultsError(_nothing(comparison))
    return comparison


def _require_two_runs(earlier: Earlier, later: Earlier) -> None:
    if isinstance(later.results, Reference):
        raise ResultsError(
            f"{later.path}: a reference is what later runs are compared with: name it first, and then runs"
        )
    what = f"{later.path} and {earlier.path}"
    if earlier.sha256 == later.sha256:
        raise ResultsError(f"{what} are copies of one file: name two runs")
    if isinstance(earlier.results, Reference) and earlier.results.source_sha256 == later.sha256:
        raise ResultsError(f"{what} are one run: the reference was approved from it. Name a later run")


def _pools(results: Results | Reference) -> dict[Pool, list[ScoreRecord]]:
    """Return pooled scores of models under test by where they were measured."""
    found: dict[Pool, list[ScoreRecord]] = {}
    for score in results.scores:
        if score.role == "model" and score.fold is None and score.seed is None:
            found.setdefault(pool_of(score), []).append(score)
    return found


def _refused(pool: Pool, earlier: Earlier, later: Earlier) -> list[str]:
    """Return why scores of a pool may not be compared."""
    name, dataset, variant, split = pool
    results = later.results
    task = next((task for task in results.tasks if task.name == name), None)
    if task is None:
        return [f"{later.name} has no record of the task {name}: it was written by another tool"]
    assert not isinstance(results, Reference)
    views = (dataset, f"{dataset}+{variant}")
    held = [data for data in results.datasets if data.task == name and data.name in views]
    folds = [lock for lock in results.lock if lock.key[:4] == (name, dataset, variant, split)]
    return why_not_comparable(task, held, earlier.results, folds)


def _judge(comparison: Comparison, pairs: Sequence[tuple[ScoreRecord, ScoreRecord]]) -> None:
    """Fill in what the pairs gained, and Holm over those on primary metrics of main settings."""
    registry = builtin_registry()
    primary = {task.name: task.primary for task in comparison.later.results.tasks}
    within = {
        (lock.task, lock.dataset, lock.split)
        for lock in comparison.later.results.lock
        if not set(lock.train).isdisjoint(lock.test)
    }
    kept: list[tuple[ScoreRecord, ScoreRecord, str, dict[str, float]]] = []
    for before, after in pairs:
        metric = registry.metrics.get(after.metric)
        if metric is None or metric.better == "context":
            comparison.undirected += 1
            continue
        differences = paired_differences(after, before, better=metric.better)
        if not differences:
            comparison.undefined += 1
            continue
        kept.append((before, after, metric.better, differences))
    inside = [(after.task, after.dataset, after.split) in within for _, after, _, _ in kept]
    found = gains([differences for *_, differences in kept], inside)
    for (before, after, better, differences), gain in zip(kept, found, strict=True):
        everybody = before.per_patient.keys() | after.per_patient.keys()
        comparison.found.append(
            Compared(
                before=before, after=after, better=better, gain=gain,
                primary=after.metric == primary.get(after.task) and not after.variant,
                excluded=tuple(sorted(everybody - differences.keys())),
            )
        )  # fmt: skip
    heads = [place for place, one in enumerate(comparison.found) if one.primary]
    for place, holds in zip(
        heads, after_holm([comparison.found[place].gain for place in heads]), strict=True
    ):
        comparison.found[place] = replace(comparison.found[place], holds=holds)


def _nothing(comparison: Comparison) -> str:
    """Return why there is nothing to compare."""
    earlier, later = comparison.earlier, comparison.later
    reasons = list(comparison.refused)
    if not reasons:
        of = [
            name for name, results in ((e.name, e.results) for e in (earlier, later)) if not _pools(results)
        ]
        reasons = (
            [f"no model under test has a score over all folds in {' and '.join(of)}"]
            if of
            else [f"what was measured in {later.name} was not measured in {earlier.name}"]
        )
    more = f"; and {len(reasons) - 3} more reasons" if len(reasons) > 3 else ""
    return f"{later.path} cannot be compared with {earlier.path}: {'; '.join(reasons[:3])}{more}"
