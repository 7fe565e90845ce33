from .check_record import (
    CheckRecord as CheckRecord,
    FindingRecord as FindingRecord,
    LeftOutRecord as LeftOutRecord,
)
from .comparable import Counterparts as Counterparts, why_not_comparable as why_not_comparable
from .details import (
    KeptLeftOutRecord as KeptLeftOutRecord,
    KeptMapRecord as KeptMapRecord,
    KeptRecord as KeptRecord,
    KeptScoresRecord as KeptScoresRecord,
)
from .earlier import Earlier as Earlier, load_earlier as load_earlier
from .merge import conflicts as conflicts, merged as merged
from .pooled import load_pooled as load_pooled
from .provenance import (
    DatasetRecord as DatasetRecord,
    LockRecord as LockRecord,
    ModelRecord as ModelRecord,
    RunRecord as RunRecord,
    TaskRecord as TaskRecord,
)
from .record import (
    ContaminationRecord as ContaminationRecord,
    GateRecord as GateRecord,
    ScoreRecord as ScoreRecord,
    VerdictRecord as VerdictRecord,
)
from .reference import Reference as Reference, reference_of as reference_of
from .run_changes import (
    PatientChange as PatientChange,
    SlideChange as SlideChange,
    changes as changes,
    paired_differences as paired_differences,
)
from .schema import Results as Results, load as load, results_schema as results_schema, save as save
from .single_scores import read_scores as read_scores
from .stored import to_builtin as to_builtin
