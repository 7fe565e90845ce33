"""What only several verdicts of a file tell: Holm over models and tasks, stability over variants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_stbench.kernels.agreement import holm, kendall_w

if TYPE_CHECKING:
    from pytest_stbench.results.record import ScoreRecord, VerdictRecord
    from pytest_stbench.results.schema import Results

Setting = tuple[str, str, str, str]
"""Task, data set, split and metric: what stands in several variants."""


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
