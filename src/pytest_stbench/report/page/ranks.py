"""Ranks of models on one task, as far as patients leave them known, and whether variants change them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.gate.pairing import defined
from pytest_stbench.kernels.agreement import holm
from pytest_stbench.kernels.guarded import ALPHA, MIN_PATIENTS, spread
from pytest_stbench.report.page.render import Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_stbench.gate.pairing import PatientValues
    from pytest_stbench.report.page.boards import Board, Entry
    from pytest_stbench.report.page.sources import Source
    from pytest_stbench.results.record import VerdictRecord


@dataclass(frozen=True, slots=True)
class Rank:
    """Place among `of` models, 1 the best, and the best and worst place that are not ruled out."""

    place: int
    best: int
    worst: int
    of: int

    @property
    def certain(self) -> bool:
        """Whether the place is the only one left."""
        return self.best == self.worst


def ranks(
    values: Sequence[float], patients: Sequence[PatientValues], better: str, *, decided: bool = True
) -> list[Rank]:
    """Return the rank of each model, and how far it is known.

    Every two models are compared by the paired differences of their patients, with the guarded t that gates
    decide by, one-sided at 2.5 % after Holm over all pairs. The best possible place of a model is one
    after those that are better so, the worst one before those that are worse.

    Parameters
    ----------
    values
        Headline of each model, in the units of the metric.
    patients
        Values of each model by patient; None where undefined.
    better
        ``up`` or ``down``.
    decided
        False where patients are no replicates of what is asked: every place stays possible, as with fewer
        than six patients.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm, Inference for ranks, Rev Econ Stud 91 (2024) 476.
    """
    n = len(values)
    sign = 1.0 if better == "up" else -1.0
    places = [1 + sum(sign * other > sign * value for other in values) for value in values]
    above, below = [0] * n, [0] * n
    for winner, loser in _decided([defined(found) for found in patients], sign) if decided else []:
        above[loser] += 1
        below[winner] += 1
    return [Rank(places[i], 1 + above[i], n - below[i], n) for i in range(n)]


def _decided(patients: Sequence[Mapping[str, float]], sign: float) -> list[tuple[int, int]]:
    """Return winner and loser of each pair that is decided."""
    by_shared: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for one, other in combinations(range(len(patients)), 2):
        shared = tuple(sorted(patients[one].keys() & patients[other].keys()))
        if len(shared) >= MIN_PATIENTS:
            by_shared.setdefault(shared, []).append((one, other))
    pairs: list[tuple[int, int]] = []
    p: list[float] = []
    for shared, group in by_shared.items():
        table = np.array([[found.get(name, np.nan) for name in shared] for found in patients])
        first, second = np.array(group).T
        differences = sign * (table[first] - table[second])
        forward = spread(differences).mean > 0
        differences[~forward] *= -1
        found = spread(differences).p()
        pairs += [(a, b) if ahead else (b, a) for (a, b), ahead in zip(group, forward, strict=True)]
        p += [float(value) for value in found]
    return [pair for pair, adjusted in zip(pairs, holm(p), strict=True) if adjusted < ALPHA]


def groups_of(board: Board) -> list[list[Entry]]:
    """Return the entries of the primary metric that are ranked together, best first; controls last."""
    found: dict[tuple[bool, str | None], list[Entry]] = {}
    for entry in board.head():
        found.setdefault((entry.score.role == "control", entry.score.input_class), []).append(entry)
    return [_ordered(group) for _, group in sorted(found.items(), key=lambda item: item[0][0])]


def _ordered(group: Sequence[Entry]) -> list[Entry]:
    """Return the entries by rank; a baseline that is a model under test stands beside it."""
    places = {entry.label: entry.rank.place for entry in group if entry.rank}
    last = len(group) + 1
    return sorted(
        group, key=lambda e: (places.get(e.same_as if e.same_as else e.label, last), e.score.role != "model")
    )


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
