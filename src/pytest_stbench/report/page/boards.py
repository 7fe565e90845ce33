"""Pooled scores gathered by what may be compared: one board for each task, data set and split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.gate.intervals import bound_for
from pytest_stbench.gate.pairing import paired
from pytest_stbench.report.page.ranks import Rank, ranks
from pytest_stbench.report.page.render import Number, anchor
from pytest_stbench.run.installed import builtin_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.registry import Family, Metric
    from pytest_stbench.report.page.sources import Source
    from pytest_stbench.results.provenance import TaskRecord
    from pytest_stbench.results.record import ScoreRecord

Key = tuple[str, int, str, int, str, str, str]
"""Task, its version and fingerprint, version of the numbers, data set, its checksum, split."""


@dataclass(slots=True, eq=False)
class Entry:
    """One pooled score, and where it stands."""

    source: Source
    place: int
    score: ScoreRecord
    label: str
    rank: Rank | None = None
    skill_low: float | None = None
    skill_high: float | None = None
    saw_test: tuple[str, ...] = ()
    is_simple: bool = False
    same_as: str = ""

    @property
    def who(self) -> tuple[str, str]:
        """Role and label: a baseline may have the name of a model under test."""
        return self.score.role, self.label

    def number(self, name: str, places: int = 3) -> Number:
        """Return a value of the score."""
        return Number(getattr(self.score, name), self.source.at("scores", self.place, name), places)

    def patient(self, name: str) -> Number:
        """Return the value of a patient."""
        at = self.source.at("scores", self.place, f"per_patient.{name}")
        return Number(self.score.per_patient.get(name), at)

    def slide(self, name: str) -> Number:
        """Return the value of a slide."""
        at = self.source.at("scores", self.place, f"per_slide.{name}")
        return Number((self.score.per_slide or {}).get(name), at)

    def typical(self, slides: Sequence[str]) -> list[str]:
        """Return the slide whose value is the median one; the first where none is known."""
        values = self.score.per_slide or {}
        known = sorted((value, slide) for slide in slides if (value := values.get(slide)) is not None)
        return [known[(len(known) - 1) // 2][1]] if known else list(slides[:1])

    def skill_end(self, name: str) -> Number:
        """Return an end of the interval of skill, which follows from values of patients."""
        at = f"{self.source.number}:scores.{self.place}#{name}"
        return Number(getattr(self, name), at, 2)


@dataclass(slots=True, eq=False)
class Board:
    """What stands on one task, data set and split: entries by variant and metric."""

    key: Key
    task: TaskRecord | None
    family: Family | None
    within: bool
    entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.key[0]

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.key[4]

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.key[6]

    @property
    def id(self) -> str:
        """Id of its section."""
        return anchor("task", *self.key)

    @property
    def primary(self) -> str:
        """The metric that was declared as the primary one; the first one where it was not scored."""
        scored = [metric for variant, metric in self.entries if variant == self.variants[0]]
        return self.task.primary if self.task and self.task.primary in scored else scored[0]

    @property
    def variants(self) -> list[str]:
        """The main setting and its variants."""
        return list(dict.fromkeys(variant for variant, _ in self.entries))

    @property
    def metrics(self) -> list[str]:
        """Metrics of the main setting, the primary one first."""
        names = [metric for variant, metric in self.entries if variant == self.variants[0]]
        return sorted(dict.fromkeys(names), key=lambda name: name != self.primary)

    def of(self, variant: str, metric: str) -> list[Entry]:
        """Return the entries of a metric."""
        return self.entries.get((variant, metric), [])

    def head(self) -> list[Entry]:
        """Return the entries of the primary metric in the main setting."""
        return self.of(self.variants[0], self.primary)

    def labelled(self, metric: str) -> dict[tuple[str, str], Entry]:
        """Return the entries of a metric in the main setting by role and label."""
        return {entry.who: entry for entry in self.of(self.variants[0], metric)}

    def patients(self) -> list[str]:
        """Return the patients of the primary metric."""
        return list(dict.fromkeys(name for entry in self.head() for name in entry.score.per_patient))

    def metric(self, name: str) -> Metric | None:
        """Return the record of a metric; None of one that this installation does not have."""
        return builtin_registry().metrics.get(name)

    def reference(self, which: str) -> Entry | None:
        """Return the entry of T (``trivial``) or S (``simple``) on the primary metric."""
        if self.family is None:
            return None
        names = (self.family.trivial,) if which == "trivial" else self.family.simple
        known = {entry.score.model: entry for entry in self.head() if entry.score.role == "baseline"}
        return next((known[name] for name in names if name in known), None)


def boards_of(sources: Sequence[Source]) -> list[Board]:
    """Return the boards of all files, in the order in which their scores came."""
    boards: dict[Key, Board] = {}
    several = _several(sources)
    for source in sources:
        within = {
            (lock.task, lock.dataset, lock.split)
            for lock in source.results.lock
            if set(lock.train) & set(lock.test)
        }
        for place, score in enumerate(source.results.scores):
            if score.fold is None and score.seed is None:
                board = _board(boards, source, score, within)
                name = score.model
                label = f"{name} ({source.name})" if (score.role, name) in several else name
                board.entries.setdefault((score.variant, score.metric), []).append(
                    Entry(source, place, score, label)
                )
    for board in boards.values():
        board.entries = {setting: _once(entries) for setting, entries in board.entries.items()}
        _judge(board)
    return list(boards.values())


def _several(sources: Iterable[Source]) -> set[tuple[str, str]]:
    """Return role and name of what was scored in more than one file."""
    seen: set[tuple[str, str]] = set()
    found: set[tuple[str, str]] = set()
    for source in sources:
        own = {(score.role, score.model) for score in source.results.scores}
        found |= seen & own
        seen |= own
    return found


def _board(
    boards: dict[Key, Board], source: Source, score: ScoreRecord, within: set[tuple[str, str, str]]
) -> Board:
    task, data = source.tasks.get(score.task), source.datasets.get((score.task, score.dataset))
    key = (
        score.task, score.task_version, task.fingerprint if task else "", task.numbers if task else 1,
        score.dataset, data.checksum if data else "", score.split,
    )  # fmt: skip
    if key not in boards:
        families = builtin_registry().families
        family = families.get((task.wraps or task.family) if task else score.family)
        inside = (score.task, score.dataset, score.split) in within
        boards[key] = Board(key, task, family, inside)
    return boards[key]


def _once(entries: list[Entry]) -> list[Entry]:
    """Leave out baselines and controls that stand in another file with the same values of patients."""
    kept: list[Entry] = []
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        score = entry.score
        same = found.setdefault((score.role, score.model), [])
        if score.role != "model" and any(other.score.per_patient == score.per_patient for other in same):
            continue
        same.append(entry)
        kept.append(entry)
    for same in found.values():
        if len(same) == 1:
            same[0].label = same[0].score.model if same[0].score.role != "model" else same[0].label
    return kept


def _judge(board: Board) -> None:
    """Set rank, interval of skill and contamination of the entries of the primary metric."""
    metric = board.metric(board.primary)
    for variant in board.variants:
        entries = board.of(variant, board.primary)
        better = metric.better if metric else "context"
        by_class: dict[str, list[Entry]] = {}
        models = [entry for entry in entries if entry.score.role == "model"]
        for entry in entries:
            if entry.score.role == "baseline":
                same = [model for model in models if model.score.per_patient == entry.score.per_patient]
                entry.same_as = same[0].label if same else ""
            counts = entry.score.role != "control" and not entry.same_as
            if counts and entry.score.value is not None and better != "context":
                by_class.setdefault(entry.score.input_class or "", []).append(entry)
        for group in by_class.values():
            values = [entry.score.per_patient for entry in group]
            heads = [entry.score.value or 0.0 for entry in group]
            for entry, rank in zip(
                group, ranks(heads, values, better, decided=not board.within), strict=True
            ):
                entry.rank = rank
        if better != "context":
            for entry in entries:
                _skill(entry, _simple_of(board, variant, entry), better, decided=not board.within)
        for entry in entries:
            entry.saw_test = _contaminated(entry)


def _simple_of(board: Board, variant: str, entry: Entry) -> Entry | None:
    """Return the entry of S that the score was held against: of the same file, with its value."""
    if board.family is None:
        return None
    known = {
        other.score.model: other
        for other in board.of(variant, board.primary)
        if other.score.role == "baseline" and other.score.value == entry.score.baseline
    }
    return next((known[name] for name in board.family.simple if name in known), None)


def _skill(entry: Entry, simple: Entry | None, better: str, *, decided: bool) -> None:
    """Set whether a score is that of S, and the interval of skill.

    It is that of the paired difference to S over patients, in units of ceiling - S.
    """
    score = entry.score
    if simple is None:
        return
    entry.is_simple = score.per_patient == simple.score.per_patient
    if score.skill is None or not decided or entry.is_simple:
        return
    room = abs((score.ceiling or 0.0) - (score.baseline or 0.0))
    differences = paired(score.per_patient, simple.score.per_patient, metric=score.metric, better=better)
    interval = bound_for(differences.differences).interval
    if interval is not None and room > 0:
        entry.skill_low, entry.skill_high = interval.low / room, interval.high / room


def _contaminated(entry: Entry) -> tuple[str, ...]:
    """Return what a model declares to have been trained on that holds test slides of this data set."""
    score = entry.score
    return tuple(
        record.declared
        for record in entry.source.results.contamination
        if (record.task, record.model, record.dataset) == (score.task, score.model, score.dataset)
        and record.test_slides
    )
