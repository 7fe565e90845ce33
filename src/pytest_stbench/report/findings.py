"""Data-quality checks and the design checklist as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.report.width import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.results.check_record import CheckRecord, FindingRecord
    from pytest_stbench.results.checklist import ChecklistRecord

SHOWN = 12
"""How many findings of a check are lines of text: more than any check has kinds of findings."""
SAVED = "the file of `--stbench-save`"
WORDS = {"pass": "passed", "warn": "warned", "fail": "failed", "skip": "skipped"}


def check_name(check: CheckRecord) -> str:
    """Return a check as its item is called: ``panel_mismatch[her2st]``."""
    place = "-".join(part for part in (check.dataset, check.split) if part)
    return f"{check.name}[{place}]" if place else check.name


def counted(checks: Iterable[CheckRecord]) -> str:
    """Return how many checks came to which result: ``31 passed, 2 warned``."""
    found: list[str] = [check.status for check in checks]
    return ", ".join(
        f"{found.count(status)} {word}"
        for status, word in WORDS.items()
        if status in found or status == "pass"
    )


def finding_line(check: CheckRecord) -> str:
    """Return a result that is no pass in one line: message with its fix, statistic and threshold."""
    message = check.message if check.message.endswith(check.fix) else f"{check.message}: {check.fix}"
    return f"{check_name(check)}  {message}{_in_brackets(figures(check))}"


def further_lines(check: CheckRecord, whole: str) -> list[str]:
    """Return the findings of a check after the gravest, one line each, gravest first.

    Of more than :data:`SHOWN` findings the last line says how many are not shown, and that the `whole`
    list has them.
    """
    further = check.findings[1:SHOWN]
    lines = [
        f"{finding.status.upper():4}  {finding.text}: {finding.fix}{_in_brackets(figures(finding))}"
        for finding in further
    ]
    rest = len(check.findings) - 1 - len(further)
    if rest > 0:
        lines.append(f"and {rest:,} more, none of them graver: {whole} has all")
    return lines


def figures(check: CheckRecord | FindingRecord) -> str:
    """Return statistic and threshold as text; empty where the rule is not a number."""
    named = {"statistic": check.statistic, "threshold": check.threshold}
    return ", ".join(f"{name} {_number(value)}" for name, value in named.items() if value is not None)


def concession_lines(checks: Iterable[CheckRecord]) -> list[str]:
    """Return one line for every waiver and every changed threshold, whatever came of the check."""
    lines = []
    for check in checks:
        changes = [
            f"{name} {change['set']} instead of {change['default']}"
            for name, change in check.changed_thresholds.items()
        ]
        if not check.waiver and not changes:
            continue
        waiver = "waived" if check.waived else f"waiver without effect ({check.status})"
        what = ", ".join([*([waiver] if check.waiver else []), *changes])
        who = f" by {check.owner}" if check.owner else ""
        until = f" until {check.until}" if check.until else ""
        lines.append(f"{check_name(check)}  {what}{who}{until}: {check.reason or 'no reason is given'}")
    return lines


def checklist_lines(steps: Sequence[ChecklistRecord]) -> list[str]:
    """Return the design checklist: a title for each data set, one line for each step."""
    lines: list[str] = []
    tasks = {step.task for step in steps}
    for task, dataset in dict.fromkeys((step.task, step.dataset) for step in steps):
        own = [step for step in steps if (step.task, step.dataset) == (task, dataset)]
        lines.append(f"design checklist  {f'{task}: ' if len(tasks) > 1 else ''}{dataset}")
        rows = [
            [
                str(number),
                step.step,
                step.status.upper().ljust(4),
                "  ".join([step.answer, _why(step)]).strip(),
            ]
            for number, step in enumerate(own, start=1)
        ]
        lines += [f"  {line}" for line in aligned(rows)]
    return lines


def _why(step: ChecklistRecord) -> str:
    if step.status == "open":
        return "(no check that answers this was run)"
    return f"<- {', '.join(step.findings)}" if step.findings else ""


def _in_brackets(numbers: str) -> str:
    return f"  [{numbers}]" if numbers else ""


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
