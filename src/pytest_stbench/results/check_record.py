"""What checks found, and what they were not asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pytest_stbench.results.stored import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRecord(Stored):
    """One thing that a check found."""

    KEY: ClassVar[tuple[str, ...]] = ("text",)

    status: Literal["warn", "fail", "skip"]
    """How grave it is; what is waived warns."""
    text: str
    """What was found, with its figures."""
    fix: str
    """What to do about it."""
    statistic: float | None = None
    """The figure that was judged; null where there is none."""
    threshold: float | None = None
    """What the statistic was held against, in the same units."""
    slides: tuple[str, ...] = ()
    """Slides it is about."""
    genes: tuple[str, ...] = ()
    """Genes it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord(Stored):
    """One data-quality check."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "name", "dataset", "split", "model")

    task: str
    """Name of the task."""
    id: str
    """Id of the check, such as `Q03`."""
    name: str
    """Name of the check, such as `patient_leakage`."""
    dataset: str | None = None
    """Name of the data set; null for a check of the task."""
    split: str | None = None
    """Name of the split; null for a check of the data set or the task."""
    model: str | None = None
    """Name of the model; null but for checks of a model or its results."""
    scope: Literal["dataset", "split", "task", "model", "results"]
    """What was judged."""
    status: Literal["pass", "warn", "fail", "skip"]
    """What was found."""
    severity: str
    """How serious a finding is: `fail`, `warn`, or both by degree."""
    statistic: float | None = None
    """The figure that was judged; null where there is none."""
    threshold: float | None = None
    """What the statistic was held against, in the same units."""
    message: str = ""
    """The gravest finding, in one line."""
    fix: str = ""
    """What to do about it."""
    slides: tuple[str, ...] = ()
    """Slides the gravest finding is about."""
    genes: tuple[str, ...] = ()
    """Genes the gravest finding is about, at most 20."""
    findings: tuple[FindingRecord, ...] = ()
    """All findings, gravest first; empty where the check passed, or could not judge."""
    blocks: str = "nothing"
    """Which metrics a failure holds back: those of its `dataset`, `split` or `task`, or `nothing`."""
    waived: bool = False
    """Whether the task file, or the command line, waives the check."""
    reason: str | None = None
    """Why the check is waived or its threshold changed."""
    owner: str | None = None
    """Who answers for that."""
    until: str | None = None
    """Until when (ISO date) that holds."""
    waiver: bool = False
    """Whether a waiver was asked for, be it needed and valid or not."""
    changed_thresholds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Thresholds that the task file changed: each with its `default` and what is `set`."""
    checklist: tuple[str, ...] = ()
    """Items of the design checklist that the check answers, `S1` to `S12`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRecord(Stored):
    """A check that ``stbench check`` did not run, or data that it could not read."""

    KEY: ClassVar[tuple[str, ...]] = ("source", "kind", "name")

    source: str
    """The source that was judged, as its report is titled."""
    kind: Literal["check", "data"]
    """Whether a check was not run, or data not read."""
    name: str
    """Name of the check, the data set or the slide."""
    reason: str
    """Why."""
