"""The design checklist: a decision path through a data set, answered by its checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_stbench.results.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import DatasetRecord
    from pytest_stbench.results.schema import Results

Step = Literal["resolution", "sample size", "panels", "preprocessing", "splits", "evaluation"]

STEPS: Mapping[Step, tuple[str, tuple[str, ...]]] = {
    "resolution": ("Which spatial resolution is required, and do the units have it?", ("S1",)),
    "sample size": ("Are there enough patients for the claim?", ("S2",)),
    "panels": ("Are there several panels, and do their genes reflect the tissue?", ("S3",)),
    "preprocessing": (
        "Do preprocessing, depth or the choice of genes decide the result?",
        ("S5", "S6", "S8", "S9", "S10"),
    ),
    "splits": ("Are patients, slides and corpora kept apart?", ("S7", "S11")),
    "evaluation": ("Are there evaluations that no panel decides, several metrics, baselines?", ("S4", "S12")),
}
"""Each step with its question and the items of the checklist that answer it, in deciding order."""

OF_DATA: frozenset[Step] = frozenset({"resolution", "panels", "preprocessing"})
"""Steps that only data can answer."""

RANK = ("fail", "warn", "skip", "pass")
EXPLORATORY_MAX, APPROXIMATE_MAX = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistRecord(Stored):
    """One step of the design checklist of one data set."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "dataset", "step")

    task: str
    """Name of the task."""
    dataset: str
    """Name of the data set."""
    step: Step
    """The step; the order of the records is the order in which the steps decide."""
    question: str
    """What is asked."""
    answer: str
    """What the data says, with its figures."""
    status: Literal["pass", "warn", "fail", "skip", "open"]
    """The gravest result of its checks; `open` where none of them ran."""
    checks: tuple[str, ...] = ()
    """Checks that answer the step."""
    findings: tuple[str, ...] = ()
    """Those of them that did not pass."""
    figures: dict[str, Any] = field(default_factory=dict)
    """The figures of the answer by name."""


def checklist_of(results: Results) -> tuple[ChecklistRecord, ...]:
    """Return the steps of every data set on which a check ran, in the order of the checks.

    Checks of the task answer for each of its data sets; those of a variant's units for the data
    set they were formed from.
    """
    found: list[ChecklistRecord] = []
    places = dict.fromkeys(
        (check.task, check.dataset.partition("+")[0]) for check in results.checks if check.dataset
    )
    for task, dataset in places:
        checks = [
            check
            for check in results.checks
            if check.task == task and (check.dataset is None or check.dataset.partition("+")[0] == dataset)
        ]
        record = next((d for d in results.datasets if (d.task, d.name) == (task, dataset)), None)
        figures = _figures(record, checks)
        figures["evaluation"] = _of_task(task, results)
        read = record is not None
        found += [_step(task, dataset, step, checks, figures[step], read=read) for step in STEPS]
    return tuple(found)


def _step(
    task: str, dataset: str, step: Step, checks: Sequence[CheckRecord], figures: dict[str, Any], *, read: bool
) -> ChecklistRecord:
    question, items = STEPS[step]
    asked = [check for check in checks if set(check.checklist) & set(items)]
    status = next((status for status in RANK if any(check.status == status for check in asked)), "open")
    if status == "pass" and ((step == "evaluation" and not figures) or (step in OF_DATA and not read)):
        # What passed is metadata, or data: nothing is known of the data, or the task, itself.
        status = "open"
    return ChecklistRecord(
        task=task,
        dataset=dataset,
        step=step,
        question=question,
        answer=_ANSWERS[step](figures),
        status=status,  # type: ignore[arg-type]  # RANK holds the statuses of a check
        checks=tuple(dict.fromkeys(check.name for check in asked)),
        findings=tuple(dict.fromkeys(check.name for check in asked if check.status != "pass")),
        figures={name: value for name, value in figures.items() if value is not None},
    )


def _figures(record: DatasetRecord | None, checks: Sequence[CheckRecord]) -> dict[Step, dict[str, Any]]:
    splits = list(dict.fromkeys(check.split for check in checks if check.split))
    people = next((check.statistic for check in checks if check.name == "too_few_patients"), None)
    if record is None:
        known: dict[Step, dict[str, Any]] = {step: {} for step in STEPS}
        sample_size = {"patients": None if people is None else int(people)}
        return {**known, "sample size": sample_size, "splits": {"splits": splits}}
    depth = list(record.depth.values())
    areas = [area for slide in depth if (area := slide.get("area_mm2")) is not None]
    return {
        "resolution": {
            "resolution": record.resolution,
            "technology": record.technology,
            "slides": record.n_slides,
            "units": record.n_units or None,
            "area_mm2": sum(areas) if areas else None,
        },
        "sample size": {
            "patients": len(set(record.patients.values())) if people is None else int(people),
            "slides": record.n_slides,
        },
        "panels": {"panels": list(record.panels), "genes": record.n_genes or None},
        "preprocessing": {
            "counts_per_unit": depth_median(depth, "libsize_median"),
            "genes_per_unit": depth_median(depth, "genes_median"),
            "zero_share": depth_median(depth, "zero_share"),
        },
        "splits": {"splits": splits},
    }


def _of_task(name: str, results: Results) -> dict[str, Any]:
    task = next((task for task in results.tasks if task.name == name), None)
    return {} if task is None else {"family": task.family, "claim": task.claim, "primary": task.primary}


def depth_median(depth: Iterable[Mapping[str, float | None]], name: str) -> float | None:
    """Return the median over slides of a figure of their depth; None where no slide has it."""
    values = [value for slide in depth if (value := slide.get(name)) is not None]
    return median(values) if values else None


def _resolution(figures: Mapping[str, Any]) -> str:
    if not figures:
        return "no check that ran has read the data set"
    technology = f" ({figures['technology']})" if figures["technology"] else ""
    parts = [f"{figures['resolution'] or 'unit not said'}{technology}", _count(figures["slides"], "slide")]
    if figures["units"]:
        area = "" if figures["area_mm2"] is None else f" on {figures['area_mm2']:,.3g} mm2"
        parts.append(f"{_count(figures['units'], 'unit')}{area}")
    return ", ".join(parts)


def _sample_size(figures: Mapping[str, Any]) -> str:
    n = figures["patients"]
    if n is None:
        return "the number of patients is not known"
    if n <= EXPLORATORY_MAX:
        means = "no interval, no p-value: read the values patient by patient"
    elif n <= APPROXIMATE_MAX:
        means = "intervals are approximate, and no comparison can pass"
    else:
        means = "enough to decide a comparison"
    return f"{_count(n, 'patient')}: {means}"


def _panels(figures: Mapping[str, Any]) -> str:
    names = figures.get("panels", [])
    if not names:
        return "no panel is named"
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    genes = f", {_count(figures['genes'], 'gene')}" if figures["genes"] else ""
    return f"{_count(len(names), 'panel')} ({shown}){genes}"


def _preprocessing(figures: Mapping[str, Any]) -> str:
    if figures.get("counts_per_unit") is None:
        return "no counts were read"
    zeros = "" if figures["zero_share"] is None else f", {100 * figures['zero_share']:.0f}% zeros"
    return (
        f"{figures['counts_per_unit']:,.0f} counts and {figures['genes_per_unit']:,.0f} genes a unit "
        f"(median of slides){zeros}"
    )


def _splits(figures: Mapping[str, Any]) -> str:
    return ", ".join(figures["splits"]) or "no split was judged"


def _evaluation(figures: Mapping[str, Any]) -> str:
    if not figures:
        return "no task file was judged"
    return f"{figures['family']}, {figures['claim']} claim, primary metric {figures['primary']}"


_ANSWERS: Mapping[Step, Any] = {
    "resolution": _resolution,
    "sample size": _sample_size,
    "panels": _panels,
    "preprocessing": _preprocessing,
    "splits": _splits,
    "evaluation": _evaluation,
}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
