"""The report of one or several runs as one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench import __version__
from pytest_stbench.checks.wording import count
from pytest_stbench.gate.wording import WITHIN_SLIDE
from pytest_stbench.report.findings import concession_lines, counted
from pytest_stbench.report.page.boards import Board, Entry, boards_of
from pytest_stbench.report.page.checks import kinds_of, passed_of, paths_of
from pytest_stbench.report.page.dots import Dots, dots_of
from pytest_stbench.report.page.glossary import glossary_of
from pytest_stbench.report.page.history import history_of
from pytest_stbench.report.page.maps import sheets_of
from pytest_stbench.report.page.markers import signatures_of
from pytest_stbench.report.page.named import Tables
from pytest_stbench.report.page.ranks import groups_of, varied_of
from pytest_stbench.report.page.render import page
from pytest_stbench.report.page.resolutions import resolutions_of
from pytest_stbench.report.page.sources import apart, details_of, read_markers, read_named, unscored
from pytest_stbench.report.page.words import headline, verdicts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.report.history.runs import Runs
    from pytest_stbench.report.page.maps import Sheet
    from pytest_stbench.report.page.markers import Signatures
    from pytest_stbench.report.page.named import Named
    from pytest_stbench.report.page.sources import Details, Source

LARGE = 1500
"""Pooled scores above which a page makes its parts when they are looked at."""
NAMED = 4
"""Files up to which the title names each."""
MOST_SAID = 60
"""Verdicts of gates that such a page shows at once."""
STRONGEST = 0.34
"""Opacity of a cell whose skill is 1 or more, or -1 or less: its text must still be read."""


@dataclass(frozen=True, slots=True)
class Section:
    """A board with what its section shows."""

    board: Board
    cells: dict[str, Entry]
    dots: Dots | None
    groups: list[list[Entry]]
    shown: list[Entry]
    simple: Entry | None
    trivial: Entry | None
    facts: str
    means: str
    undefined: str
    named: list[Named]
    sheets: list[Sheet]
    signatures: list[Signatures]

    @staticmethod
    def tint(entry: Entry) -> tuple[str, str] | None:
        """Return the side of S on which a score stands, and how far; None where there is no skill."""
        skill = entry.score.skill
        if skill is None:
            return None
        return ("up" if skill >= 0 else "down"), f"{STRONGEST * min(abs(skill), 1.0):.2f}"


def report_page(sources: Sequence[Source], *, every: bool = False, runs: Runs | None = None) -> str:
    """Return the report of results files as HTML that opens offline, in one file.

    With `every`, all kept slides and genes have their maps, not a few of them; with `runs`, curves show how
    models did in earlier ones.
    """
    kept = {source.number: details_of(source) for source in sources}
    boards = _sections(boards_of(sources), kept, every=every)
    verdicts = verdicts_of(sources)
    columns = list(dict.fromkeys(label for section in boards for label in section.cells))
    names = ", ".join(source.name for source in sources)
    return page(
        "report.html.j2",
        title=f"Report of {f'{len(sources)} runs' if len(sources) > NAMED else names}",
        version=__version__,
        sources=sources,
        not_kept={number: own.left_out for number, own in kept.items()},
        headline=headline(verdicts),
        counts=_counts(sources, boards, columns),
        notices=[
            *apart(sources),
            *unscored(sources),
            *(line for own in kept.values() for line in own.notices),
        ],
        verdicts=verdicts,
        boards=boards,
        held=sum(len(found) for board in boards for found in board.board.entries.values()) > LARGE,
        most_said=MOST_SAID,
        columns=columns,
        varied=varied_of(section.board for section in boards),
        resolutions=resolutions_of(sources),
        history=history_of(runs, sources) if runs is not None else None,
        words=glossary_of({metric for section in boards for metric in section.board.metrics}),
        **_checks(sources),
    )


def _sections(found: Sequence[Board], kept: Mapping[int, Details], *, every: bool) -> list[Section]:
    tables = _tables(kept, found)
    markers = {
        number: table
        for number, own in kept.items()
        if own.scores is not None and (table := read_markers(own.scores)) is not None
    }
    return [
        _section(
            board,
            tables,
            list(sheets_of(board, kept, every=every)),
            list(signatures_of(board, markers, every=every)),
        )
        for board in found
    ]


def _checks(sources: Sequence[Source]) -> dict[str, Any]:
    """Return what the page shows of checks and of the design checklist."""
    checks = [
        (check, source.at("checks", place, "")[:-1])
        for source in sources
        for place, check in enumerate(source.results.checks)
    ]
    records = [check for check, _ in checks]
    several_tasks = len({check.task for check in records}) > 1
    steps = [step for source in sources for step in source.results.checklist]
    return {
        "kinds": kinds_of(checks),
        "passed": passed_of(records),
        "several_tasks": several_tasks,
        "counted_checks": counted(records) if records else "No check stands here",
        "conceded": concession_lines(records),
        "left_out": [record for source in sources for record in source.results.left_out],
        "paths": paths_of(steps, tasks=several_tasks),
    }


def _tables(kept: Mapping[int, Details], boards: Sequence[Board]) -> Tables:
    metrics = sorted({metric for board in boards for metric in board.metrics})
    scores = {}
    for number, own in kept.items():
        table = read_named(own.scores, metrics, own.notices) if own.scores else None
        if table is not None:
            scores[number] = table
    return Tables(scores, boards)


def _section(board: Board, tables: Tables, sheets: list[Sheet], signatures: list[Signatures]) -> Section:
    head = board.head()
    models = [entry for entry in head if entry.score.role == "model"]
    shown = sorted(head, key=lambda entry: ("model", "baseline", "control").index(entry.score.role))
    metric = board.metric(board.primary)
    direction = {"up": "Higher is better.", "down": "Lower is better."}.get(
        metric.better if metric else "", ""
    )
    reasons: dict[str, int] = {}
    for entry in head:
        for reason, n in (entry.score.undefined or {}).items():
            reasons[reason] = reasons.get(reason, 0) + n
    return Section(
        board=board,
        cells={entry.label: entry for entry in models},
        dots=dots_of(board),
        groups=groups_of(board),
        shown=shown,
        simple=board.reference("simple"),
        trivial=board.reference("trivial"),
        facts=_facts(board, head),
        means=f"{metric.summary.rstrip('.')}. {direction}" if metric else "",
        named=tables.of.get(id(board), []),
        sheets=sheets,
        signatures=signatures,
        undefined=", ".join(f"{reason} {n}" for reason, n in reasons.items()) or "no reason was recorded",
    )


def _facts(board: Board, head: Sequence[Entry]) -> str:
    parts = [board.task.family if board.task else "family not recorded"]
    parts += [f"{board.task.claim} claim"] if board.task else []
    parts += [f"version {board.key[1]}", f"data set {board.dataset}"]
    data = head[0].source.dataset(head[0].score) if head else None
    if data is not None:
        kind = ", ".join(part for part in (data.technology, data.organ, data.disease) if part)
        parts += [kind] if kind else []
        parts += [
            count(len(set(data.patients.values())), "patient"),
            count(data.n_slides, "slide"),
            count(data.n_units, "unit"),
        ]
    if board.task and board.task.primary != board.primary:
        parts.append(f"the primary metric {board.task.primary} was not scored")
    parts.append(f"split {board.split}" + (f" ({WITHIN_SLIDE})" if board.within else ""))
    return " · ".join(parts)


def _counts(sources: Sequence[Source], boards: Sequence[Section], models: Sequence[str]) -> list[Any]:
    patients = {
        (d.checksum or d.name, patient)
        for source in sources
        for d in source.results.datasets
        if "+" not in d.name
        for patient in d.patients.values()
    }
    checks = [check.status for source in sources for check in source.results.checks]
    found = [
        (len(models), "model", "under test"),
        (len({section.board.name for section in boards}), "task", ""),
        (len(patients), "patient", "over all data sets"),
        (checks.count("fail"), "check", "failed"),
        (checks.count("warn"), "check", "warned"),
        (checks.count("pass"), "check", "passed"),
    ]
    return [
        (n, f"{what if n == 1 else what + 's'} {rest}".strip())
        for n, what, rest in found
        if n or rest == "failed"
    ]
