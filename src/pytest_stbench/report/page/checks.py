"""Checks and the design checklist as a page shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.report.findings import check_name
from pytest_stbench.report.page.render import Number, anchor
from pytest_stbench.run.installed import builtin_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.results.check_record import CheckRecord, FindingRecord
    from pytest_stbench.results.checklist import ChecklistRecord

RANK = ("fail", "warn", "skip", "pass")


@dataclass(frozen=True, slots=True)
class Placed:
    """A check on one place: its record, where that stands, and its findings with theirs."""

    check: CheckRecord
    at: str

    @property
    def name(self) -> str:
        """The check as its item is called."""
        return check_name(self.check)

    def figure(self, record: CheckRecord | FindingRecord, name: str, path: str = "") -> Number:
        """Return statistic or threshold of the check, or of a finding at `path`."""
        return Number(getattr(record, name), f"{self.at}{path}.{name}", None)


@dataclass(slots=True)
class Kind:
    """A check with what it means, and all places where it did not pass, gravest first."""

    name: str
    id: str
    means: str
    source: str
    section: int = 0
    places: list[Placed] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The gravest result."""
        return self.places[0].check.status

    @property
    def anchor(self) -> str:
        """Id of its section."""
        return anchor("check", self.section, self.name)


def kinds_of(checks: Iterable[tuple[CheckRecord, str]], *, section: int = 0) -> list[Kind]:
    """Return the checks of a section of the page that did not pass, by kind, gravest first."""
    registry = builtin_registry().checks
    kinds: dict[str, Kind] = {}
    for check, at in checks:
        if check.status == "pass":
            continue
        record = registry.get(check.name)
        means, source = (record.summary, record.source) if record else ("", "")
        kind = kinds.setdefault(check.name, Kind(check.name, check.id, means, source, section))
        kind.places.append(Placed(check, at))
    for kind in kinds.values():
        kind.places.sort(key=lambda placed: RANK.index(placed.check.status))
    return sorted(kinds.values(), key=lambda kind: RANK.index(kind.status))


def passed_of(checks: Iterable[CheckRecord]) -> dict[str, list[str]]:
    """Return the checks that passed, each with the places where it did."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check.status == "pass":
            place = ", ".join(part for part in (check.task, check.dataset, check.split, check.model) if part)
            found.setdefault(check.name, []).append(place)
    return found


@dataclass(frozen=True, slots=True)
class Path:
    """The design checklist of one data set, in the order in which its steps decide."""

    name: str
    steps: tuple[ChecklistRecord, ...]

    @property
    def open(self) -> bool:
        """Whether a step did not pass."""
        return any(step.status != "pass" for step in self.steps)


def paths_of(steps: Sequence[ChecklistRecord], *, tasks: bool) -> list[Path]:
    """Return the paths, named by their task where there are several."""
    by_place: dict[tuple[str, str], list[ChecklistRecord]] = {}
    for step in steps:
        by_place.setdefault((step.task, step.dataset), []).append(step)
    return [
        Path(f"{task}: {dataset}" if tasks and task != dataset else dataset, tuple(found))
        for (task, dataset), found in by_place.items()
    ]
