"""What the summary of a run says of the one that it was compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.report.comparing.moved import by_kind, moved_lines
from pytest_stbench.results.run_changes import PatientChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.report.summary import Line


def told_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield who gained and lost most by each score, or why it may not be compared.

    `found` are the comparisons of :class:`~pytest_stbench.run.scores.stored_run.StoredRun`.
    """
    refused: dict[str, list[str]] = {}
    reasons = (f"compare {one['name']}: {one['reason']}" for one in found if one["reason"])
    for line in dict.fromkeys(reasons):
        yield line, {}
    for name in sorted({one["name"] for one in found if not one["digests"]}):
        who = "an older version wrote it, or another tool"
        why = "its scores follow from their patients, but whether a record was changed cannot be told"
        yield f"compare {name}: has no digests ({who}): {why}", {}
    for one in found:
        place = f"{one['metric']}[{one['pool']}]"
        if one["refused"]:
            why = f"not comparable with {one['name']}: {'; '.join(one['refused'])}"
            refused.setdefault(why, []).append(place)
        elif not one["changes"]:
            yield f"compare {place}: {one['name']} has no score to compare with", {}
        else:
            moved = moved_lines(by_kind([PatientChange.of(change) for change in one["changes"]], {}))
            told = ". ".join(moved) or "no patient gained or lost"
            yield f"compare {place} with {one['name']} ({one['model']} {one['value']:.3f}): {told}", {}
    for why, places in refused.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        yield f"compare {places[0]}{more}: {why}", {"yellow": True}
