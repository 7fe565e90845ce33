"""Whether the verdict on a primary metric holds in every variant of its task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.report.page.render import Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.report.page.boards import Board, Entry
    from pytest_stbench.report.page.sources import Source
    from pytest_stbench.results.record import VerdictRecord


@dataclass(frozen=True, slots=True)
class Stability:
    """What holds of one model over the variants."""

    label: str
    kendall_w: Number
    stable: bool
    words: tuple[str, ...]

    @property
    def said(self) -> str:
        """What that means, in one sentence."""
        if self.stable:
            return "Verdict and order against S are the same in every variant."
        if len(set(self.words)) > 1:
            return "The verdict flips with the variant: do not report one of them alone."
        return "The order against S flips with the variant: do not report one of them alone."


@dataclass(frozen=True, slots=True)
class Varied:
    """One board in all its variants: the entries of every contestant by variant, and what holds."""

    board: Board
    variants: tuple[str, ...]
    rows: tuple[tuple[str, str, dict[str, Entry]], ...]
    stability: tuple[Stability, ...]


def varied_of(boards: Iterable[Board]) -> list[Varied]:
    """Return the boards whose primary metric stands in several variants."""
    return [_varied(board) for board in boards if len(board.variants) > 1]


def _varied(board: Board) -> Varied:
    rows: dict[tuple[str, str], dict[str, Entry]] = {}
    for variant in board.variants:
        for entry in board.of(variant, board.primary):
            rows.setdefault((entry.score.role, entry.label), {})[variant] = entry
    ordered = sorted(rows.items(), key=lambda row: ("model", "baseline", "control").index(row[0][0]))
    models = [entry for entry in board.head() if entry.score.role == "model"]
    stability = [found for entry in models if (found := _stability(board, entry)) is not None]
    return Varied(
        board,
        tuple(board.variants),
        tuple((role, label, found) for (role, label), found in ordered),
        tuple(stability),
    )


def _stability(board: Board, entry: Entry) -> Stability | None:
    score = entry.score
    found = _verdicts(entry.source, score.task, score.dataset, score.split, score.model, score.metric)
    main = next((item for item in found if not item[1].variant), None)
    if main is None or main[1].rank_stable is None:
        return None
    place, verdict = main
    w = Number(verdict.kendall_w, entry.source.at("verdicts", place, "kendall_w"), 2)
    words = [
        next((v.verdict for _, v in found if v.variant == variant), "not judged")
        for variant in board.variants
    ]
    return Stability(entry.label, w, bool(verdict.rank_stable), tuple(words))


def _verdicts(source: Source, *key: str) -> Sequence[tuple[int, VerdictRecord]]:
    return [
        (place, verdict)
        for place, verdict in enumerate(source.results.verdicts)
        if (verdict.task, verdict.dataset, verdict.split, verdict.model, verdict.metric) == key
    ]
