"""The summary of a step of CI as Markdown: verdicts, checks that did not pass, and the leaderboard."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.report.findings import counted, finding_line
from pytest_stbench.report.leaderboard import leaderboard_of
from pytest_stbench.report.markdown import plain, table
from pytest_stbench.report.page.boards import boards_of
from pytest_stbench.report.page.sources import source_of
from pytest_stbench.report.verdicts import PASSED, verdict_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.report.verdicts import Ended
    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.record import VerdictRecord
    from pytest_stbench.results.schema import Results

MOST = 100
"""Verdicts and checks that are listed: GitHub shows a megabyte of a step."""
FIRST = ("fail", "not_evaluable", "underpowered")


def step_summary(
    results: Results,
    ended: Mapping[tuple[str, ...], Ended] = MappingProxyType({}),
    compared: Sequence[str] = (),
) -> str:
    """Return what a run found, as Markdown.

    Parameters
    ----------
    results
        The records of the run.
    ended
        How the item of each verdict ended, by its key.
    compared
        What the summary says of the run that this one was compared with.
    """
    parts = [f"## stbench: {_head(results)}"]
    gated = sorted(
        (verdict for verdict in results.verdicts if verdict.gated),
        key=lambda v: FIRST.index(v.verdict) if v.verdict in FIRST else len(FIRST),
    )
    if gated:
        parts.append(table(("verdict", "score", "task", "message"), _verdicts(gated[:MOST], ended)))
        parts += [f"and {count(len(gated) - MOST, 'more verdict')}"] if len(gated) > MOST else []
    parts += list(_checks(results.checks))
    if compared:
        parts.append("\n".join(f"- {plain(line)}" for line in compared[:MOST]))
    boards = boards_of([source_of(results)])
    if boards:
        parts.append(f"<details><summary>Leaderboard</summary>\n\n{leaderboard_of(boards)}\n</details>")
    return "\n\n".join(parts) + "\n"


def _head(results: Results) -> str:
    gated = [verdict for verdict in results.verdicts if verdict.gated]
    passed = sum(verdict.verdict in ("pass", "reference") for verdict in gated)
    said = [f"{passed} of {count(len(gated), 'gate')} passed"] if gated else []
    said += [counted(results.checks)] if results.checks else []
    return "; ".join(said) or "no gate and no check was run"


def _verdicts(
    verdicts: Sequence[VerdictRecord], ended: Mapping[tuple[str, ...], Ended]
) -> Iterator[tuple[str, ...]]:
    for verdict in verdicts:
        place = "-".join(filter(None, (verdict.model, verdict.dataset, verdict.variant, verdict.split)))
        word = verdict_word(verdict, ended.get(verdict.key, PASSED))
        yield word, f"{verdict.metric}[{place}]", verdict.task, verdict.message


def _checks(checks: Sequence[CheckRecord]) -> Iterator[str]:
    for status in ("fail", "warn"):
        own = [check for check in checks if check.status == status]
        if own:
            lines = [
                f"- **{status}** {plain(f'{check.task}: {finding_line(check)}')}" for check in own[:MOST]
            ]
            more = len(own) - MOST
            yield "\n".join(lines + ([f"- and {more:,} more"] if more > 0 else []))
