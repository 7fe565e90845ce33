"""What a run was: command, versions, commit, time."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from pytest_stbench.results.provenance import RunRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGES = (
    "pytest-stbench",
    "pytest",
    "numpy",
    "scipy",
    "pandas",
    "anndata",
    "scanpy",
    "scikit-learn",
    "scikit-image",
)
DRAW_SEED = 0


def run_record(command: Sequence[object], folder: Path, started: float) -> RunRecord:
    """Return the record of a run of `command`, started in `folder` at the time `started`."""
    commit, dirty = _commit(folder)
    return RunRecord(
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="microseconds"),
        seconds=round(time.time() - started, 3),
        command=shlex.join(map(str, command)),
        commit=commit,
        dirty=dirty,
        seed=DRAW_SEED,
        versions={"python": platform.python_version(), **_versions()},
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _commit(folder: Path) -> tuple[str | None, bool | None]:
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, timeout=10, check=True, encoding=sys.getdefaultencoding(),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
