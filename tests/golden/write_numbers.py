"""Write the numbers of five shipped tasks into ``numbers.json``, beside this file.

    python tests/golden/write_numbers.py

runs them with the baseline `ridge`. A change that moves numbers makes the table anew with this, raises
the version in ``pytest_stbench/spec/numbers.py`` and those of the tasks, and adds a row to CHANGELOG.md:
docs/numbers.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("numbers.json")
TASKS = (
    "smoke-communication",
    "smoke-coexpression",
    "smoke-embedding",
    "smoke-imputation",
    "smoke-niche-detection",
)
DIGITS = 9
SECTIONS = ("tasks", "datasets", "checks", "scores", "verdicts", "lock")
LEFT_OUT = {
    "seconds", "peak_memory_mb", "message", "text", "fix", "reason", "fingerprint", "fingerprint_parts",
    "claim", "primary", "wraps", "family", "task_version", "organ", "disease", "technology", "resolution",
    "input_class", "panels", "id", "scope", "severity", "blocks", "checklist", "ci_method",
}  # fmt: skip
"""Measurements of the run, sentences, and what says where a number belongs beside its keys."""


def results_of(tasks: Sequence[str], folder: Path) -> dict:
    """Run shipped tasks in a process of their own, with nothing stored, and return its results file."""
    file = folder / "golden.json"
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "ignore",
        "--rootdir", str(folder), f"--stbench-store={folder / 'store'}", f"--stbench-save={file}",
        "--stbench-model=ridge", *(str(ROOT / "tasks" / f"{task}.stbench.yaml") for task in tasks),
    ]  # fmt: skip
    narrow = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=narrow)
    if not file.exists():
        raise RuntimeError(done.stdout + done.stderr)
    file.with_suffix(".txt").write_text(done.stdout, encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def compact(results: dict) -> dict:
    """Return what of a results file the table holds, its numbers with nine digits."""
    return {section: [_short(record) for record in results.get(section, ())] for section in SECTIONS}


def of_task(table: dict, task: str) -> dict:
    """Return the records of one task."""
    return {
        section: [record for record in records if record.get("task", record.get("name")) == task]
        for section, records in table.items()
    }


def _short(value: object) -> object:
    if isinstance(value, dict):
        kept = {name: _short(child) for name, child in value.items() if name not in LEFT_OUT}
        return {name: child for name, child in kept.items() if child not in (None, "", [], {})}
    if isinstance(value, list):
        return [_short(child) for child in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def written(table: dict) -> str:
    """Return the text of the table: one record a line."""
    lines = (
        f'"{section}": [\n' + ",\n".join(json.dumps(record, ensure_ascii=False) for record in records) + "\n]"
        for section, records in table.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Run the tasks and write the table."""
    with tempfile.TemporaryDirectory() as made:
        text = written(compact(results_of(TASKS, Path(made))))
    TABLE.write_text(text, encoding="utf-8", newline="\n")
    print(f"{TABLE}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
