"""``--stbench-keep``: where processes of a run put down what is kept, and the files made of it at its end."""

from __future__ import annotations

import glob
import secrets
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.run.settings import AFRESH_PLUGIN
from pytest_stbench.store.lock import LocksUnsupportedError, locked

if TYPE_CHECKING:
    from pytest_stbench.results.details import KeptRecord, Level, Staged

PARTS = "stbench_parts"
"""Under ``-n``: where a worker finds the folder of the parts."""
FOLDER: pytest.StashKey[Path] = pytest.StashKey()
KEEP_ERROR: pytest.StashKey[str] = pytest.StashKey()
DEFAULT: Level = "scores"


def level_of(config: pytest.Config) -> Level | None:
    """Return what is kept; None: nothing."""
    if not config.getoption("stbench_save") or config.pluginmanager.has_plugin(AFRESH_PLUGIN):
        return None
    asked: Level | None = config.getoption("stbench_keep")
    return asked or DEFAULT


def parts_of(config: pytest.Config) -> Path:
    """Return the folder in which the processes of this run put down their parts."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    return Path(workerinput[PARTS]) if workerinput else config.stash[FOLDER]


def begin(config: pytest.Config, path: Path) -> None:
    """Make a folder for parts beside the results file; it goes with the run.

    What runs left that were killed is removed: nobody holds its lock.
    """
    if hasattr(config, "workerinput") or FOLDER in config.stash or config.getoption("collectonly"):
        return
    if level_of(config) is None:
        return
    head = f".{path.name.removesuffix('.json')}.parts-"
    with suppress(OSError):
        for left in path.parent.glob(f"{glob.escape(head)}*"):
            with locked(left / "lock", wait=False) as abandoned:
                if abandoned:
                    shutil.rmtree(left, ignore_errors=True)
    folder = path.parent / f"{head}{secrets.token_hex(8)}"
    config.stash[FOLDER] = folder
    stack = ExitStack()
    with suppress(LocksUnsupportedError):  # a disk that takes nothing is told of when something is kept
        stack.enter_context(locked(folder / "lock"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    config.add_cleanup(stack.close)


def files(config: pytest.Config, path: Path, problems: set[str], known: KeptRecord | None) -> Staged | None:
    """Make the files of what the processes of the run put down; None where that failed, and why is told."""
    from pytest_stbench.results.details import stage
    from pytest_stbench.run.details.writer import not_kept

    folder, level = config.stash.get(FOLDER, None), level_of(config)
    if folder is None or level is None:
        return None
    try:
        if not problems:
            return stage(path, folder, level, known)
        config.stash[KEEP_ERROR] = min(problems)
    except OSError as error:
        config.stash[KEEP_ERROR] = not_kept(folder, error)
    return None
