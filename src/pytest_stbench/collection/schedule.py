"""Distribution over pytest-xdist workers: the items of one cell of the grid stay together.

Only time is at stake: whatever the scheduler, the store sees to it that nothing is computed twice.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec import TASK_SUFFIX


class CellScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Group by task file and cell; every other test is a group of its own.

    Checks of a split are no group with its pooled scores: these wait for all cells, so that a
    worker which began with them would compute every cell by itself.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, item = nodeid.partition("::")
        if not file.endswith(TASK_SUFFIX):
            return nodeid
        name, _, cell = item.partition("[")
        kind = "check" if name in builtin_registry().checks else "score"
        return f"{file}::{kind}[{cell}"
