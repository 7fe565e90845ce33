"""What is collected of a task file, and of the file of record of a task pack: the tasks of the pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stbench.collection.module import TaskModule
from pytest_stbench.collection.progress import Showing
from pytest_stbench.collection.session import mark_families
from pytest_stbench.collection.skips import Guard
from pytest_stbench.errors import StbenchError
from pytest_stbench.spec import PACK_SUFFIX
from pytest_stbench.spec.pack_record import read_record, recorded_pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS: pytest.StashKey[dict[str, Path]] = pytest.StashKey()
"""Names of tasks of packs, and the record by which each was collected."""


def collector_of(path: Path, parent: pytest.Collector) -> pytest.Collector:
    """Return what collects a task file or a file of record."""
    if not parent.config.pluginmanager.has_plugin("stbench-guard"):
        parent.config.pluginmanager.register(Guard(), "stbench-guard")
        parent.config.pluginmanager.register(Showing(), "stbench-progress")
        mark_families(parent.config)
    kind = PackFile if path.name.endswith(PACK_SUFFIX) else TaskModule
    made: pytest.Collector = kind.from_parent(parent, path=path)
    return made


class PackFile(pytest.File):
    """Collects the task files of a pack, each as if it lay beside the file of record."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Yield a module for each task file."""
        try:
            record = read_record(self.path)
            pack = recorded_pack(self.path, record)
            known = self.config.stash.setdefault(TASKS, {})
            for name in record.tasks:
                other = known.setdefault(name, self.path)
                if other != self.path:
                    raise StbenchError(
                        f"{self.path}: the task {name} is in the pack of {other} as well: a name stands for "
                        "one task in results; remove one of the two files of record, or run them apart"
                    )
        except StbenchError as error:
            raise self.CollectError(str(error)) from None
        for path in pack.tasks:
            name = path.relative_to(pack.folder).as_posix()
            yield TaskModule.from_parent(self, path=path, name=name, nodeid=f"{self.nodeid}::{name}")
