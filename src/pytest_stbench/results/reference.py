"""The reference: scores of a run that somebody approved, in a small file for a repository.

It holds pooled scores of the models under test by patient and slide, and of the rest only what tells whether
a later run may be compared. A digest of its content shows a change by hand, however the file is laid out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_stbench.errors import ResultsError
from pytest_stbench.results.comparable import gene_set
from pytest_stbench.results.consistent import canonical, first_of, mistakes
from pytest_stbench.results.provenance import (  # pydantic reads the annotations when it runs
    DatasetRecord,
    ModelRecord,
    RunRecord,
    TaskRecord,
)
from pytest_stbench.results.record import ScoreRecord
from pytest_stbench.results.schema import Results
from pytest_stbench.results.stored import Stored, parse

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = "stbench-reference/1"
OF_SCORES = (
    *ScoreRecord.KEY, "task_version", "family", "value", "per_patient", "per_slide", "n_patients", "trivial",
    "baseline", "ceiling",
)  # fmt: skip
"""What is kept of a score."""
OF_DATA = ("task", "name", "checksum", "patients", "n_slides", "n_units", "n_genes")
"""What is kept of a data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldReference(Stored):
    """What one fold consisted of, its genes as a digest."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "dataset", "variant", "split", "fold")

    task: str
    """Name of the task."""
    dataset: str
    """Name of the data set."""
    variant: str = ""
    """Name of the ablation variant; empty for the main setting."""
    split: str
    """Name of the split."""
    fold: str
    """Name of the fold."""
    train: tuple[str, ...]
    """Training slides."""
    test: tuple[str, ...]
    """Test slides."""
    genes: str
    """Digest of the set of genes asked of the model."""
    n_genes: int
    """Number of these genes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Stored):
    """A run that somebody approved."""

    schema: Literal["stbench-reference/1"] = "stbench-reference/1"
    """Name and version of this format."""
    by: str
    """Who approved the run."""
    why: str
    """Why, in one line."""
    date: str
    """When, ISO 8601 with time zone."""
    source: str
    """Name of the results file."""
    source_sha256: str
    """Digest of the results file."""
    failed: tuple[str, ...] = ()
    """Gates and checks of the run that were not passed: approved all the same."""
    run: RunRecord | None = None
    """The run: its command, commit and versions."""
    models: tuple[ModelRecord, ...] = ()
    """Models under test."""
    tasks: tuple[TaskRecord, ...] = ()
    """Tasks with their fingerprints."""
    datasets: tuple[DatasetRecord, ...] = ()
    """Data sets with checksum and patient map."""
    lock: tuple[FoldReference, ...] = ()
    """Slides of each fold, and a digest of its genes."""
    scores: tuple[ScoreRecord, ...] = ()
    """Pooled scores of the models under test, by patient and slide."""
    sha256: str = field(default="", compare=False)
    """Digest of everything above."""

    @property
    def digests(self) -> bool:
        """Whether a change by accident would have been seen."""
        return True


def reference_of(
    results: Results, *, by: str, why: str, date: str, source: str, source_sha256: str
) -> Reference:
    """Return the reference that a run becomes.

    Raises
    ------
    ResultsError
        Without a name or a reason, and where no model under test has a score over all folds.
    """
    by, why = " ".join(by.split()), " ".join(why.split())
    for option, text in (("--by", by), ("--why", why)):
        if not text:
            raise ResultsError(f"{option} is empty: a reference says who approved it, and why")
    scores = [score for score in results.scores if score.fold is None and score.role == "model"]
    if not any(score.value is not None for score in scores):
        raise ResultsError(
            f"{source}: no model under test has a score over all folds, so there is nothing to approve: run "
            "pytest with --stbench-model and --stbench-save"
        )
    tasks = {score.task for score in scores}
    models = {score.model for score in scores}
    pools = {(score.task, score.dataset, score.variant, score.split) for score in scores}
    return Reference(
        by=by,
        why=why,
        date=date,
        source=source,
        source_sha256=source_sha256,
        failed=tuple(_failed(results)),
        run=results.run,
        models=tuple(model for model in results.models if model.name in models),
        tasks=tuple(task for task in results.tasks if task.name in tasks),
        datasets=tuple(
            DatasetRecord(**{name: getattr(data, name) for name in OF_DATA})
            for data in results.datasets
            if data.task in tasks
        ),
        lock=tuple(
            FoldReference(
                **{name: getattr(fold, name) for name in (*FoldReference.KEY, "train", "test")},
                genes=gene_set(fold.genes), n_genes=len(set(fold.genes)),
            )
            for fold in results.lock
            if fold.key[:-1] in pools
        ),
        scores=tuple(ScoreRecord(**{name: getattr(score, name) for name in OF_SCORES}) for score in scores),
    )  # fmt: skip


def _failed(results: Results) -> list[str]:
    gates = []
    for verdict in results.verdicts:
        if verdict.gated and verdict.verdict not in ("pass", "reference"):
            place = (verdict.model, verdict.dataset, verdict.variant, verdict.split)
            word = verdict.verdict.replace("_", " ")
            gates.append(f"{word}: {verdict.metric}[{'-'.join(filter(None, place))}] of {verdict.task}")
    checks = [
        f"failed check: {check.name} of {check.task}" for check in results.checks if check.status == "fail"
    ]
    return gates + list(dict.fromkeys(checks))


def reference_text(reference: Reference) -> str:
    """Return the file of a reference: JSON in lines, what is empty or unknown left out, its digest last."""
    data = _sparse(reference)
    return json.dumps({**data, "sha256": _digest(data)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_reference(path: Path, content: bytes) -> Reference:
    """Return the reference at `path` whose bytes are `content`.

    Raises
    ------
    ResultsError
        Where it was changed after it was approved, or is of another schema.
    """
    try:
        data = json.loads(content.decode("utf-8"))
        reference: Reference = parse(Reference, content, f"a reference of the schema {REFERENCE}")
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: this is not JSON ({error}); {_ADVICE}") from None
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}; {_ADVICE}") from None
    if data.pop("sha256", None) != _digest(data):
        held = Results(datasets=reference.datasets, scores=reference.scores)
        wrong = list(mistakes(held))
        where = f" ({first_of(wrong)})" if wrong else ""
        raise ResultsError(
            f"{path}: the reference was changed after {reference.by} approved it{where}; {_ADVICE}"
        )
    return reference


def is_reference(content: bytes) -> bool:
    """Return whether a file says of itself that it is a reference, of whatever version."""
    return b'"stbench-reference/' in content[:200]


def _sparse(record: Stored) -> dict[str, Any]:
    """Return the fields of a record that are not what they are by default; a digest is none of them."""
    found: dict[str, Any] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if one.name == "sha256" or (value == default and one.name != "schema"):
            continue
        if isinstance(value, Stored):
            value = _sparse(value)
        elif isinstance(value, tuple):
            value = [_sparse(item) if isinstance(item, Stored) else item for item in value]
        found[one.name] = value
    return found


def _digest(data: Any) -> str:
    text = json.dumps(canonical(data), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_ADVICE = (
    "restore it from version control, or approve a run anew with `stbench approve RUN --by NAME --why TEXT`"
)
