"""Records of what was measured, made from checks and scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_stbench.results.check_record import CheckRecord, FindingRecord
from pytest_stbench.results.record import ContaminationRecord

if TYPE_CHECKING:
    from pytest_stbench.checks.result import CheckResult
    from pytest_stbench.registry import Check
    from pytest_stbench.spec.model import TaskSpec


def check_record(
    spec: TaskSpec,
    record: Check,
    result: CheckResult,
    dataset: str,
    split: str | None,
    model: str | None = None,
) -> CheckRecord:
    """Return the record of a check."""
    override = spec.checks.get(record.name)
    return CheckRecord(
        task=spec.name,
        id=record.id,
        name=record.name,
        dataset=dataset or None,
        split=split,
        model=model,
        scope=record.scope,
        status=result.status,
        severity=record.severity,
        statistic=result.statistic,
        threshold=result.threshold,
        message=result.message,
        fix=result.fix,
        slides=result.slides,
        genes=result.genes,
        findings=tuple(FindingRecord(**asdict(finding)) for finding in result.findings),
        blocks=record.blocks,
        waived=result.waived,
        reason=override.reason if override else None,
        owner=override.owner if override else None,
        until=str(override.until) if override and override.until else None,
        waiver=bool(override and override.waive),
        changed_thresholds=result.details.get("changed_thresholds", {}),
        checklist=record.checklist,
    )


def contamination_records(spec: TaskSpec, result: CheckResult, model: str) -> list[ContaminationRecord]:
    """Return what a check found of data that the model has seen before; nothing of other checks."""
    return [
        ContaminationRecord(task=spec.name, model=model, **entry)
        for entry in result.details.get("ledger", ())
    ]
