"""Records of a run, the file they are kept in, and comparison with a stored run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.results.check_record import CheckRecord, FindingRecord, LeftOutRecord
    from pytest_stbench.results.comparable import (
        PatientChange,
        SlideChange,
        changes,
        counterpart,
        paired_differences,
        why_not_comparable,
    )
    from pytest_stbench.results.kept import (
        KeptLeftOutRecord,
        KeptMapRecord,
        KeptRecord,
        KeptScoresRecord,
    )
    from pytest_stbench.results.kept_scores import read_scores
    from pytest_stbench.results.merge import conflicts, merged
    from pytest_stbench.results.provenance import (
        DatasetRecord,
        LockRecord,
        ModelRecord,
        RunRecord,
        TaskRecord,
    )
    from pytest_stbench.results.record import ContaminationRecord, GateRecord, ScoreRecord, VerdictRecord
    from pytest_stbench.results.schema import Results, load, results_schema, save
    from pytest_stbench.results.stored import to_builtin

_HOMES = {
    "CheckRecord": "check_record",
    "ContaminationRecord": "record",
    "DatasetRecord": "provenance",
    "FindingRecord": "check_record",
    "GateRecord": "record",
    "KeptLeftOutRecord": "kept",
    "KeptMapRecord": "kept",
    "KeptRecord": "kept",
    "KeptScoresRecord": "kept",
    "LeftOutRecord": "check_record",
    "LockRecord": "provenance",
    "ModelRecord": "provenance",
    "PatientChange": "comparable",
    "Results": "schema",
    "RunRecord": "provenance",
    "ScoreRecord": "record",
    "SlideChange": "comparable",
    "TaskRecord": "provenance",
    "VerdictRecord": "record",
    "changes": "comparable",
    "conflicts": "merge",
    "counterpart": "comparable",
    "load": "schema",
    "merged": "merge",
    "paired_differences": "comparable",
    "read_scores": "kept_scores",
    "results_schema": "schema",
    "save": "schema",
    "to_builtin": "stored",
    "why_not_comparable": "comparable",
}
__all__ = [
    "CheckRecord",
    "ContaminationRecord",
    "DatasetRecord",
    "FindingRecord",
    "GateRecord",
    "KeptLeftOutRecord",
    "KeptMapRecord",
    "KeptRecord",
    "KeptScoresRecord",
    "LeftOutRecord",
    "LockRecord",
    "ModelRecord",
    "PatientChange",
    "Results",
    "RunRecord",
    "ScoreRecord",
    "SlideChange",
    "TaskRecord",
    "VerdictRecord",
    "changes",
    "conflicts",
    "counterpart",
    "load",
    "merged",
    "paired_differences",
    "read_scores",
    "results_schema",
    "save",
    "to_builtin",
    "why_not_comparable",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
