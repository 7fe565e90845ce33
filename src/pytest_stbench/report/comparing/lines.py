"""A comparison of two runs as lines of text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count, some
from pytest_stbench.gate.wording import WITHIN_SLIDE, left_out, number
from pytest_stbench.report.comparing.moved import by_kind, moved_lines, signed
from pytest_stbench.report.comparing.named import named_changes
from pytest_stbench.report.width import aligned, for_ci
from pytest_stbench.results.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_stbench.report.comparing.compared import Compared, Comparison
    from pytest_stbench.report.comparing.named import Changes
    from pytest_stbench.results.earlier import Earlier
    from pytest_stbench.results.record import ScoreRecord

ALL = 40
"""Scores up to which all are listed; of more, those that gained or lost most."""
EACH = 15
"""How many are listed then on each side."""


def compare_lines(comparison: Comparison) -> list[str]:
    """Return what came of a comparison, in lines of at most 160 characters."""
    lines = [*_head(comparison), *_apart(comparison), *_counts(comparison)]
    shown = _shown(comparison.found)
    detailed = [one for one in shown if one.primary and one.gain.word != "unchanged"]
    named, notices = named_changes(comparison, detailed)
    told = {id(one): changes for one, changes in zip(detailed, named, strict=True)}
    lines += [f"note     {line}" for line in notices]
    versions = {task.name: task.version for task in comparison.later.results.tasks}
    for pool, group in groupby(shown, key=lambda one: one.pool):
        task, dataset, variant, split = pool
        place = f"{dataset}+{variant}" if variant else dataset
        lines += ["", f"{task} v{versions[task]}, {place}, {split}"]
        lines += _table(list(group), comparison, told)
    return [part for line in lines for part in for_ci(line)]


def _head(comparison: Comparison) -> Iterator[str]:
    earlier, later = comparison.earlier, comparison.later
    yield f"compare  {later.name}{_models(later)}"
    yield f"with     {earlier.name}{_models(earlier)}"
    if earlier.reason:
        yield f"         {earlier.reason}"
    if not earlier.results.digests:
        yield (
            f"note     {earlier.name} has no digests (an older version wrote it, or another tool): whether a "
            "record was changed cannot be told"
        )
    shared = _runs(earlier) & _runs(later)
    for started, command in sorted(shared):
        yield f"note     both hold what the run of {started[:19]} scored ({command})"


def _models(side: Earlier) -> str:
    tested = {score.model for score in side.results.scores if score.role == "model"}
    found = [
        f"{model.name} {model.revision}" if model.revision else model.name
        for model in side.results.models
        if model.name in tested
    ]
    return f": {some(found)}" if found else ""


def _runs(side: Earlier) -> set[tuple[str, str]]:
    results = side.results
    runs = () if isinstance(results, Reference) else results.earlier_runs
    return {(run.started, run.command) for run in (*runs, results.run) if run is not None}


def _apart(comparison: Comparison) -> Iterator[str]:
    """Yield what is not compared, and why."""
    for reason, places in comparison.refused.items():
        names = [place if isinstance(place, str) else "-".join(filter(None, place)) for place in places]
        yield f"refused  {some(list(dict.fromkeys(names)))}: {reason}"
    for side, scores in (
        (comparison.earlier, comparison.only_earlier),
        (comparison.later, comparison.only_later),
    ):
        for text in _by_model(scores):
            yield f"missing  only in {side.path.name}: {text}"
    if comparison.undirected:
        n = count(comparison.undirected, "score")
        yield f"note     {n} not compared: the metric has no better direction, or is not known here"
    if comparison.undefined:
        n = count(comparison.undefined, "score")
        yield f"note     {n} not compared: no patient has a value in both runs"


def _by_model(scores: Iterable[ScoreRecord]) -> Iterator[str]:
    found: dict[str, list[ScoreRecord]] = {}
    for score in scores:
        found.setdefault(score.model, []).append(score)
    for model, own in found.items():
        metrics, tasks = (list(dict.fromkeys(getattr(s, name) for s in own)) for name in ("metric", "task"))
        yield f"model {model}, {count(len(own), 'score')} ({some(metrics)}) on {some(tasks)}"


def _counts(comparison: Comparison) -> Iterator[str]:
    found = comparison.found
    words = {word: sum(one.gain.word == word for one in found) for word in _WORDS}
    told = ", ".join(f"{n:,} {word}" for word, n in words.items() if n)
    pools = len({one.pool[0] for one in found})
    yield f"scores   {count(len(found), 'score')} compared on {count(pools, 'task')}: {told}"
    heads = [one for one in found if one.primary and one.gain.decided]
    if len(heads) > 1:
        gained, lost = (sum(one.holds and one.gain.word == word for one in heads) for word in _WORDS[:2])
        yield (
            f"         after Holm over {len(heads):,} of primary metrics {gained:,} gained and {lost:,} "
            "lost; the words of the table are each for itself"
        )
    shown = len(_shown(found))
    if shown < len(found):
        yield (
            f"         {shown} that gained or lost most are listed, primary metrics first, by their "
            "difference in SDs over patients"
        )
    if found:
        yield "         a difference above zero is a gain, whichever way the metric runs"
    if not all(one.gain.decided for one in found):
        yield f"         {NOT_DECIDED}"


NOT_DECIDED = (
    "nothing is decided where the bounds stand in round brackets, the smallest and largest difference of a "
    f"patient: fewer than six patients, or {WITHIN_SLIDE}"
)
_WORDS = ("gained", "lost", "level", "unchanged")


def _shown(found: Sequence[Compared]) -> list[Compared]:
    """Return the scores that are listed, in the order in which they stand."""
    if len(found) <= ALL:
        return list(found)
    order = sorted(range(len(found)), key=lambda at: (not found[at].primary, -abs(found[at].gain.effect)))
    lost, gained = ([at for at in order if found[at].gain.word == word][:EACH] for word in ("lost", "gained"))
    return [found[at] for at in sorted({*lost, *gained})]


def _table(group: list[Compared], comparison: Comparison, told: dict[int, Changes]) -> Iterator[str]:
    rows = [["", "metric", "model", "earlier", "later", "difference", "guarded bounds", "patients", "result"]]
    rows += [_row(one) for one in group]
    lines = aligned(rows)
    yield f"  {lines[0]}"
    for one, line in zip(group, lines[1:], strict=True):
        yield f"  {line}"
        if one.excluded:
            yield f"      {left_out(one.excluded).removeprefix('; ')}"
        if id(one) in told:
            kinds = by_kind(comparison.changes_of(one), told[id(one)])
            yield from (f"      {text}" for text in moved_lines(kinds))


def _row(one: Compared) -> list[str]:
    gain, before, after = one.gain, one.before, one.after
    bounds = f"{signed(gain.low)}, {signed(gain.high)}"
    model = after.model if after.model == before.model else f"{after.model} ({before.model})"
    return [
        "*" if one.primary else "",
        after.metric,
        model,
        *("-" if value is None else number(value) for value in (before.value, after.value)),
        signed(gain.mean),
        f"[{bounds}]" if gain.decided else f"({signed(gain.low)} to {signed(gain.high)})",
        str(gain.n),
        gain.word,
    ]
