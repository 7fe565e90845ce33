"""What ``stbench check`` found, as one self-contained HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pytest_stbench.report.findings import check_name, concession_lines, counted, figures
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.schema import Results

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.report.lint import Report
    from pytest_stbench.results.check_record import CheckRecord

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222 }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.6rem; border-bottom: 1px solid #ddd }
th { font-weight: 600; background: #f4f4f4 }
td.status { font-weight: 700; white-space: nowrap }
.fail { color: #b00020 } .warn { color: #9a5b00 } .pass { color: #1b6b2c } .skip, .open { color: #666 }
code { background: #f4f4f4; padding: 0 0.2rem }
p.note { color: #555; margin: 0.2rem 0 }
td { overflow-wrap: anywhere }
@media (max-width: 40rem) {
  body { margin: 1rem auto }
  tr, td { display: block; border: 0; padding: 0.1rem 0 }
  tr { border-bottom: 1px solid #ddd; padding: 0.4rem 0 }
  th, td:empty { display: none }
}
"""
SHOWN = 10


def lint_page(reports: Iterable[Report]) -> str:
    """Return the page: for each source its checklist, all checks, waivers, and what was not judged."""
    sections = "\n".join(_section(report) for report in reports)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>stbench check</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Data-quality checks</h1>\n{sections}\n</body>\n</html>\n"
    )


def _section(report: Report) -> str:
    parts = [f"<h2>{escape(report.title)}</h2>", f"<p>{escape(report.what)}. {counted(report.checks)}.</p>"]
    parts += [f'<p class="note">{escape(note)}</p>' for note in report.notes]
    parts += [
        f'<p class="fail"><b>Unreadable:</b> {escape(name)}: {escape(why)}</p>'
        for name, why in report.unreadable.items()
    ]
    results = Results(checks=report.checks, datasets=report.datasets, tasks=report.tasks)
    steps = checklist_of(results)
    for dataset in dict.fromkeys(step.dataset for step in steps):
        rows = [
            [
                _status(step.status),
                f"<td>{escape(step.question)}</td>",
                f"<td>{escape(step.answer)}</td>",
                f"<td>{escape(', '.join(step.findings))}</td>",
            ]
            for step in steps
            if step.dataset == dataset
        ]
        parts.append(f"<h3>Design checklist: {escape(dataset)}</h3>")
        parts.append(_table(("", "question", "answer", "findings"), rows))
    if report.checks:
        parts.append("<h3>Checks</h3>")
        rank = ("fail", "warn", "skip", "pass")
        ordered = sorted(report.checks, key=lambda check: rank.index(check.status))
        parts.append(_table(("", "check", "found", "figures", "where"), [_check(check) for check in ordered]))
    conceded = concession_lines(report.checks)
    if conceded:
        items = "".join(f"<li>{escape(line)}</li>" for line in conceded)
        parts.append(f"<h3>Waivers and changed thresholds</h3>\n<ul>{items}</ul>")
    parts += [
        f'<p class="note">Not run: <code>{escape(name)}</code> ({escape(reason)})</p>'
        for name, reason in report.not_run.items()
    ]
    return "\n".join(parts)


def _check(check: CheckRecord) -> list[str]:
    message = check.message if check.message.endswith(check.fix) else f"{check.message}: {check.fix}"
    further = "".join(
        f'<li><b class="{finding.status}">{finding.status.upper()}</b> '
        f"{escape(f'{finding.text}: {finding.fix}')} {escape(figures(finding))}</li>"
        for finding in check.findings[1:]
    )
    where = [*check.slides[:SHOWN], *check.genes[:SHOWN]]
    return [
        _status(check.status),
        f"<td><code>{escape(check.id)}</code> {escape(check_name(check))}</td>",
        f"<td>{escape(message)}{f'<ul>{further}</ul>' if further else ''}</td>",
        f"<td>{escape(figures(check))}</td>",
        f"<td>{escape(', '.join(where))}</td>",
    ]


def _status(status: str) -> str:
    return f'<td class="status {escape(status)}">{escape(status.upper())}</td>'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
