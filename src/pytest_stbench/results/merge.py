"""Joining the records of a run with those a file holds, and what several verdicts tell together.

That is Holm over models and tasks, and stability over variants.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_stbench.kernels.agreement import holm, kendall_w
from pytest_stbench.results.comparable import dataset_differences, task_differences
from pytest_stbench.results.consistent import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_stbench.results.provenance import ModelRecord, RunRecord
    from pytest_stbench.results.record import ScoreRecord, VerdictRecord
    from pytest_stbench.results.schema import Results
    from pytest_stbench.results.stored import Stored

S = TypeVar("S", bound="Stored")
Setting = tuple[str, str, str, str]
"""Task, data set, split and metric: what stands in several variants."""


def merged(stored: Results, new: Results) -> Results:
    """Return `stored` with the records of `new`.

    A new record takes the place of the one with the same key; all others stay, in their order.
    """
    runs = _runs(stored, new)
    joined: dict[str, Any] = {k: _joined(getattr(stored, k), getattr(new, k)) for k in KINDS}
    return replace(
        stored,
        run=runs[-1] if runs else None,
        earlier_runs=runs[:-1],
        **joined,
        kept=new.kept or stored.kept,
        digests={},
        sha256=None,
    )


def conflicts(stored: Results, new: Results) -> list[str]:
    """Return what keeps `new` from being merged into `stored`, one line each.

    One name must mean one thing in a file: a task has one fingerprint, a data set one checksum
    and patient map, a model one revision. Otherwise old and new scores would stand side by side
    under settings that hold for only some of them.
    """
    in_file = "in the file"
    walks: tuple[tuple[str, Callable[[Any], str], Callable[[Any, Any], list[str]]], ...] = (
        ("tasks", lambda task: f"task {task.name}", partial(task_differences, there=in_file)),
        ("datasets", lambda d: f"data set {d.name} of {d.task}", partial(dataset_differences, there=in_file)),
        ("models", lambda model: f"model {model.name}", _model_differences),
    )
    found: list[str] = []
    for kind, named, differences in walks:
        known = {record.key: record for record in getattr(stored, kind)}
        for record in getattr(new, kind):
            if record.key in known:
                found += [f"{named(record)}: {line}" for line in differences(record, known[record.key])]
    return found


def _model_differences(new: ModelRecord, stored: ModelRecord) -> list[str]:
    pairs = (
        ("revision", new.revision, stored.revision),
        ("configuration", new.config_digest, stored.config_digest),
    )
    return [f"{name} {here!r} here, {there!r} in the file" for name, here, there in pairs if here != there]


def _runs(stored: Results, new: Results) -> tuple[RunRecord, ...]:
    runs: list[RunRecord] = []
    for results in (stored, new):
        runs += [*results.earlier_runs, *([results.run] if results.run else [])]
    return _joined((), runs)


def _joined(stored: Iterable[S], new: Iterable[S]) -> tuple[S, ...]:
    records = {record.key: record for record in stored}
    records.update((record.key, record) for record in new)
    return tuple(records.values())


def settled(results: Results) -> Results:
    """Return `results` with what follows from its verdicts together.

    ``p_holm`` goes over the verdicts of all models on all primary metrics that were decided, in their main
    settings: a pass that holds after it holds whichever model or task is picked out of the file.
    ``rank_stable`` and ``kendall_w`` compare the main setting of a primary metric with its variants.
    """
    verdicts = [
        replace(v, p_holm=None, n_holm=None, rank_stable=None, kendall_w=None) for v in results.verdicts
    ]
    tested = [place for place, v in enumerate(verdicts) if v.primary and not v.variant and v.p is not None]
    for place, p in zip(tested, holm([verdicts[i].p or 0.0 for i in tested]), strict=True):
        verdicts[place] = replace(verdicts[place], p_holm=p, n_holm=len(tested))
    scores: dict[Setting, list[ScoreRecord]] = {}
    for score in results.scores:
        if score.fold is None and score.role != "control":
            scores.setdefault(_setting(score), []).append(score)
    judged: dict[tuple[Setting, str], list[VerdictRecord]] = {}
    for verdict in verdicts:
        judged.setdefault((_setting(verdict), verdict.model), []).append(verdict)
    for place, verdict in enumerate(verdicts):
        if verdict.primary and not verdict.variant:
            key = _setting(verdict)
            stable = _stable(verdict.model, scores.get(key, []), judged[key, verdict.model])
            w = kendall_w(_table(scores.get(key, []))) if stable is not None else None
            verdicts[place] = replace(verdict, rank_stable=stable, kendall_w=w)
    return replace(results, verdicts=tuple(verdicts))


def _setting(record: ScoreRecord | VerdictRecord) -> Setting:
    return record.task, record.dataset, record.split, record.metric


def _stable(model: str, scores: list[ScoreRecord], verdicts: list[VerdictRecord]) -> bool | None:
    """Return whether neither the verdict nor the order against S changes; None without variants."""
    own = [score for score in scores if score.role == "model" and score.model == model]
    if len({score.variant for score in own}) < 2:
        return None
    pairs = [(s.value, s.baseline) for s in own if s.value is not None and s.baseline is not None]
    orders = {value > baseline for value, baseline in pairs if value != baseline}
    words = {verdict.verdict for verdict in verdicts}
    return len(orders) < 2 and len(words) < 2


def _table(scores: list[ScoreRecord]) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for score in scores:
        found.setdefault(f"{score.role} {score.model}", {})[score.variant] = score.value
    return found
