"""The entries that come with the package, and where their data is on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.data.roots import VARIABLE
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest
from pytest_stbench.resources import tasks_dir
from pytest_stbench.spec.catalog_entries import entry_names
from pytest_stbench.spec.dataset_entry import ENTRY_SUFFIX, load_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.spec.dataset_entry import DatasetEntry

CACHE_VARIABLE = "STBENCH_CACHE"


def catalog_dir() -> Path:
    """Return the folder of the shipped entries."""
    return tasks_dir() / "catalog"


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder that data is fetched into: ``$STBENCH_CACHE``, else the user's cache."""
    named = (os.environ if environ is None else environ).get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("pytest-stbench", appauthor=False)


def entries() -> tuple[DatasetEntry, ...]:
    """Return all entries by name. Raises ``TaskFileError`` where one is not valid."""
    folder = catalog_dir()
    return tuple(load_entry(folder / f"{name}{ENTRY_SUFFIX}").entry for name in entry_names(folder))


def entry_called(name: str) -> DatasetEntry:
    """Return the entry called `name`. Raises ``DataError`` with the nearest name."""
    folder = catalog_dir()
    known = entry_names(folder)
    if name not in known:
        raise DataError(
            f"there is no data set {name!r} in the catalog{nearest(name, known)}; it has {', '.join(known)}"
        )
    return load_entry(folder / f"{name}{ENTRY_SUFFIX}").entry


def find_data(entry: DatasetEntry, root: Path | None = None) -> Path | None:
    """Return the folder that holds the data of `entry`, or None.

    Looked for below `root` alone, or below ``$STBENCH_DATA`` and then the cache.
    """
    named = os.environ.get(VARIABLE)
    roots = [root] if root else [*([Path(named).expanduser()] if named else []), cache_dir()]
    return next((base / entry.name for base in roots if (base / entry.name).is_dir()), None)
