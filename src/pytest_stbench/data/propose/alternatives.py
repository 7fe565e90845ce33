"""What else a reader could take of somebody's files: settings that are chosen, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.data.propose.stores import choices
from pytest_stbench.data.readers.visium_outs import CELLS, HD_DEFAULT, others_in
from pytest_stbench.data.wording import listing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def settings_of(
    source: str, paths: Sequence[Path], said: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return ``params`` of a reader for all `paths`, and notes on what was chosen among several.

    `said` are those that the user gives. Raises ``DataError`` as
    :func:`~pytest_stbench.data.propose.stores.choices` does.
    """
    if source == "spatialdata":
        return choices(paths, said)
    there = {tuple(others_in(path)) for path in paths} if source == "visium" and "bin" not in said else set()
    several = next((names for names in sorted(there) if len(names) > 1), ())
    taken = HD_DEFAULT if HD_DEFAULT in several else CELLS
    if not several:
        return dict(said), []
    note = (
        f"{len(several)} forms of each slide ({listing(several)}): {taken} is taken; --set params.bin=NAME "
        "takes another"
    )
    return dict(said), [note]
