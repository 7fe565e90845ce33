"""The results file: what it holds, how it is read, written and described.

A file is JSON of the schema ``stbench-results/1``. It is replaced as a whole and atomically, by
one writer at a time; what stands in it already is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.errors import ResultsError
from pytest_stbench.results.check_record import (  # noqa: TC001  # as above
    CheckRecord,
    LeftOutRecord,
)
from pytest_stbench.results.checklist import ChecklistRecord, checklist_of
from pytest_stbench.results.consistent import digests_of, first_of, mistakes
from pytest_stbench.results.details import KeptRecord, Staged  # noqa: TC001  # as above
from pytest_stbench.results.merge import conflicts, merged, settled
from pytest_stbench.results.provenance import (  # noqa: TC001  # pydantic reads the annotations when it runs
    DatasetRecord,
    LockRecord,
    ModelRecord,
    RunRecord,
    TaskRecord,
)
from pytest_stbench.results.record import (  # noqa: TC001  # as above
    ContaminationRecord,
    ScoreRecord,
    VerdictRecord,
)
from pytest_stbench.results.stored import Stored, adapter, parse
from pytest_stbench.results.unchanged import is_unchanged, with_digest

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = "stbench-results/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Stored):
    """All records of a results file."""

    schema: Literal["stbench-results/1"] = "stbench-results/1"
    """Name and version of this format."""
    run: RunRecord | None = None
    """The last run that wrote to the file."""
    earlier_runs: tuple[RunRecord, ...] = ()
    """Runs whose records the last one was merged into, oldest first."""
    models: tuple[ModelRecord, ...] = ()
    """Models and baselines."""
    tasks: tuple[TaskRecord, ...] = ()
    """Tasks with their fingerprints."""
    datasets: tuple[DatasetRecord, ...] = ()
    """Data sets with checksum and patient map."""
    checks: tuple[CheckRecord, ...] = ()
    """Data-quality checks."""
    checklist: tuple[ChecklistRecord, ...] = ()
    """The design checklist of each data set: what the checks and figures of this file come to."""
    scores: tuple[ScoreRecord, ...] = ()
    """Scores of models, baselines and controls, by fold and pooled."""
    verdicts: tuple[VerdictRecord, ...] = ()
    """Verdicts with their gates."""
    lock: tuple[LockRecord, ...] = ()
    """Slides and genes of each fold."""
    contamination: tuple[ContaminationRecord, ...] = ()
    """Slides that models declare to have seen in pretraining."""
    left_out: tuple[LeftOutRecord, ...] = ()
    """What ``stbench check`` did not judge, with reasons."""
    kept: KeptRecord | None = None
    """What is kept beside the file; null where nothing is."""
    digests: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Digest of each record by kind, in their order; empty in files of older versions."""
    sha256: str | None = field(default=None, compare=False)
    """Digest of all bytes of the file before this one; null in files of older versions."""


def load(path: str | Path) -> Results:
    """Read a results file.

    Raises
    ------
    ResultsError
        When there is no such file, it is not JSON of this schema, or a record was changed or does not
        follow from its values; says what to do.
    """
    path = Path(path)
    content = bytes_of(path)
    try:
        if b'"schema"' not in content:
            raise ResultsError
        results: Results = parse(Results, content, f"a results file of the schema {SCHEMA}")
    except ResultsError as error:
        # Read a second time only here: as Python's values a file takes several times its size.
        raise ResultsError(f"{path}: {_no_results_file(content) or error}; {_ADVICE}") from None
    unchanged = is_unchanged(content)
    del content
    wrong = [] if unchanged else list(mistakes(results))
    if wrong:
        raise ResultsError(
            f"{path}: the records are not those that a run wrote: {first_of(wrong)}. Restore the file from "
            "where it was kept, or run again with --stbench-save to another path (predictions are kept in "
            "the store, a rerun is quick); nothing was overwritten"
        )
    return results


def bytes_of(path: Path) -> bytes:
    """Return the bytes of a results file. Raises ``ResultsError``."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        message = f"{path}: there is no such results file; write one with --stbench-save={path}"
        raise ResultsError(message) from None
    except OSError as error:
        raise ResultsError(f"{path}: the results file cannot be read: {error.strerror or error}") from None


def _no_results_file(content: bytes) -> str:
    """Return why this is no results file of any version; empty where it is one."""
    try:
        data = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        return f"this is not JSON ({error})"
    found = data.get("schema") if isinstance(data, dict) else None
    if found == SCHEMA:
        return ""  # its records are wrong
    said = f"its schema is {found!r}" if found is not None else "it names no schema"
    return f"this is not a results file of the schema {SCHEMA} ({said})"


def save(
    path: str | Path, results: Results, keep: Callable[[KeptRecord | None], Staged | None] | None = None
) -> Results:
    """Merge `results` into the file at `path`, or write a new one; return what is in it then.

    `keep` makes the files that are kept beside it, joined with those the file names already.

    The new text goes to a temporary file in the same folder that then takes the place of the
    old one, so that a failure at any moment leaves the old file as it was.

    Raises
    ------
    ResultsError
        When the file that is there cannot be read, or holds another version of the same task,
        data set or model. It is left untouched.
    """
    path = Path(path).resolve()
    joined = results
    if path.exists():
        stored = load(path)
        differing = conflicts(stored, results)
        if differing:
            raise ResultsError(
                f"{path}: these results do not belong into this file, one name would stand for two things: "
                f"{'; '.join(differing)}. The file was left as it is: save to another file, or remove "
                "this one (predictions are kept in the store, a rerun is quick)"
            )
        joined = merged(stored, results)
    joined = settled(replace(joined, checklist=checklist_of(joined)))
    joined = replace(joined, digests=digests_of(joined))
    staged = keep(joined.kept) if keep else None
    try:
        if staged is not None:
            joined = replace(joined, kept=staged.record)
        _write(path, joined, staged.publish if staged else None)
    finally:
        if staged is not None:
            staged.discard()
    return joined


def _write(path: Path, joined: Results, ready: Callable[[], None] | None) -> None:
    records = {name: value for name, value in joined.to_dict().items() if name != "sha256"}
    text = json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    # A file that could not be read again would lose everything at the next save.
    what = "what a results file can hold (a mistake in a record of this run, please report it)"
    wrong = list(mistakes(parse(Results, text, what)))
    if wrong:
        raise ResultsError(f"{path}: {first_of(wrong)} (a mistake in a record of this run, please report it)")
    try:
        write_atomically(path, lambda file: file.write(with_digest(text.encode())), ready=ready)
    except OSError as error:
        raise ResultsError(f"{path}: the results cannot be written: {error.strerror or error}") from error


def results_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``stbench-results/1``, made from the records."""
    schema: dict[str, Any] = adapter(Results).json_schema()
    schema["required"] = ["schema"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": SCHEMA,
        "description": "Results of a pytest-stbench run.",
    }


_ADVICE = (
    "give a file that --stbench-save wrote, with this version of pytest-stbench or an older one, "
    "or save to another path; nothing was overwritten"
)
