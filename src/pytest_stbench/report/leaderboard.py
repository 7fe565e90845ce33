"""The leaderboard: models of one run or several, ranked as in the report, as text, Markdown, CSV or HTML."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pytest_stbench import __version__
from pytest_stbench.checks.wording import count
from pytest_stbench.errors import ResultsError
from pytest_stbench.gate.wording import WITHIN_SLIDE
from pytest_stbench.report.markdown import plain, table
from pytest_stbench.report.page.boards import boards_of
from pytest_stbench.report.page.ranks import groups_of
from pytest_stbench.report.page.render import page
from pytest_stbench.report.page.sources import apart
from pytest_stbench.report.tables import interval, number
from pytest_stbench.report.width import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_stbench.report.page.boards import Board, Entry
    from pytest_stbench.report.page.sources import Source

HEADER = ("rank", "model", "value", "[95% CI]", "ceiling", "skill", "patients", "beside S")
COLUMNS = (
    "task", "version", "dataset", "split", "metric", "better", "input_class", "rank", "rank_best",
    "rank_worst", "of", "role", "model", "run", "value", "ci_low", "ci_high", "ceiling", "skill", "skill_low",
    "skill_high", "n_patients", "standing", "same_as", "trained_on_test_slides",
)  # fmt: skip
"""Columns of the CSV; what is not known is empty."""
ABOUT = (
    "Ranks stand among models and baselines that were given the same kind of input; in brackets the places "
    "that the patients do not rule out."
)


def leaderboard(sources: Sequence[Source], form: str) -> str:
    """Return the leaderboard of results files in a form of :data:`FORMS`.

    Raises
    ------
    ResultsError
        Where no file has a score over all folds.
    """
    boards = boards_of(sources)
    if not boards:
        named = ", ".join(source.name for source in sources)
        raise ResultsError(f"{named}: no score over all folds stands there, so there is nobody to rank")
    return FORMS[form](boards, apart(sources))


def _text(boards: Sequence[Board], notices: Sequence[str]) -> str:
    lines = [ABOUT, *notices]
    for board in boards:
        lines += ["", _title(board)]
        for group in _ranked(board):
            lines += [f"  {line}" for line in aligned([HEADER, *(_row(board, entry) for entry in group)])]
    return "\n".join(lines) + "\n"


def leaderboard_of(boards: Sequence[Board], notices: Sequence[str] = ()) -> str:
    """Return the leaderboard as Markdown."""
    parts = [ABOUT, *map(plain, notices)]
    for board in boards:
        parts.append(f"### {plain(_title(board))}")
        parts += [table(HEADER, (_row(board, entry) for entry in group)) for group in _ranked(board)]
    return "\n\n".join(parts) + "\n"


def _csv(boards: Sequence[Board], notices: Sequence[str]) -> str:
    del notices  # rows say which version of which task they are of
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for board in boards:
        for group in _ranked(board):
            writer.writerows(_cells(board, entry) for entry in group)
    return out.getvalue()


def _html(boards: Sequence[Board], notices: Sequence[str]) -> str:
    return page(
        "leaderboard.html.j2",
        title="Leaderboard",
        version=__version__,
        about=ABOUT,
        notices=notices,
        boards=[(board, _title(board), list(_ranked(board))) for board in boards],
    )


FORMS: Mapping[str, Callable[[Sequence[Board], Sequence[str]], str]] = {
    "text": _text,
    "markdown": leaderboard_of,
    "csv": _csv,
    "html": _html,
}
"""Forms by name."""


def _ranked(board: Board) -> Iterator[list[Entry]]:
    """Yield what is ranked together; controls are not."""
    return (group for group in groups_of(board) if group[0].score.role != "control")


def _title(board: Board) -> str:
    metric = board.metric(board.primary)
    better = {"up": ", higher is better", "down": ", lower is better"}.get(
        metric.better if metric else "", ""
    )
    split = f"{board.split} ({WITHIN_SLIDE})" if board.within else board.split
    patients = count(len(board.patients()), "patient")
    return f"{board.name} v{board.key[1]}, {board.dataset}, {split}, {patients}: {board.primary}{better}"


def _row(board: Board, entry: Entry) -> tuple[str, ...]:
    score, rank = entry.score, entry.rank
    place = f"as {entry.same_as}" if entry.same_as else "-"
    if rank is not None:
        left = f"{rank.best}" if rank.certain else f"{rank.best}-{rank.worst}"
        place = f"{rank.place} ({left}) of {rank.of}"
    marks = [
        mark
        for mark, is_it in (
            ("S", entry is board.reference("simple")),
            ("T", entry is board.reference("trivial")),
            ("saw test slides", bool(entry.saw_test)),
        )
        if is_it
    ]
    skill = number(score.skill, 2)
    if entry.skill_low is not None and entry.skill_high is not None:
        skill += f" [{entry.skill_low:.2f}, {entry.skill_high:.2f}]"
    return (
        place,
        entry.label + (f" ({', '.join(marks)})" if marks else ""),
        number(score.value),
        interval(score),
        number(score.ceiling),
        skill,
        str(score.n_patients),
        score.standing or ("" if score.value is not None else "not evaluable"),
    )


def _cells(board: Board, entry: Entry) -> list[object]:
    score, rank, metric = entry.score, entry.rank, board.metric(board.primary)
    places = (rank.place, rank.best, rank.worst, rank.of) if rank else (None,) * 4
    return [
        board.name, board.key[1], board.dataset, board.split, board.primary,
        metric.better if metric else None, score.input_class, *places, score.role, score.model,
        entry.source.name, score.value, score.ci_low, score.ci_high, score.ceiling, score.skill,
        entry.skill_low, entry.skill_high, score.n_patients, score.standing, entry.same_as,
        "; ".join(entry.saw_test),
    ]  # fmt: skip
