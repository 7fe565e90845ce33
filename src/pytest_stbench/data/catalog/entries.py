"""The entries that come with the package, where their data is on this machine, and what was seen of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.roots import VARIABLE
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest
from pytest_stbench.resources import tasks_dir
from pytest_stbench.spec.catalog_entries import entry_names
from pytest_stbench.spec.dataset_entry import ENTRY_SUFFIX, load_entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def chosen(found: Sequence[DatasetEntry], fact: str, asked: str | None) -> tuple[DatasetEntry, ...]:
    """Return the entries whose `fact`, one name or several with commas, is `asked`; all where that is None.

    Raises ``DataError`` with what the catalog has where no entry is.
    """
    names = {entry.name: getattr(entry, fact).split(", ") for entry in found}
    kept = [
        entry
        for entry in found
        if asked is None or asked.casefold() in (name.casefold() for name in names[entry.name])
    ]
    if not kept:
        known = sorted({name for several in names.values() for name in several})
        raise DataError(
            f"no data set of the {fact} {asked!r} among {len(names)}{nearest(str(asked), known)}; they have "
            f"{', '.join(known)}"
        )
    return tuple(kept)


def find_data(entry: DatasetEntry, root: Path | None = None) -> Path | None:
    """Return the folder that holds the data of `entry`, or None.

    Looked for below `root` alone, or below ``$STBENCH_DATA`` and then the cache.
    """
    named = os.environ.get(VARIABLE)
    roots = [root] if root else [*([Path(named).expanduser()] if named else []), cache_dir()]
    return next((base / entry.name for base in roots if (base / entry.name).is_dir()), None)


LOCK_NAME = "stbench-data.lock.json"
FORMAT = "stbench-data-lock/1"


def read_lock(cache: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of each data set, by its name.

    ``files`` maps the address of a fetched file to its ``sha256`` and ``size``; ``verified`` is
    the day, ``folder`` the place and ``manifest`` the sha256 of the manifest of the last
    ``stbench data verify``. Raises ``DataError`` where the file is not of this format.
    """
    path = cache / LOCK_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read ({error}); remove it, and verify the data sets again"
        raise DataError(message) from None
    known = content.get("datasets") if isinstance(content, dict) else None
    if not isinstance(known, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path}: not of the format {FORMAT}; remove it, and verify the data sets again")
    return known


def note(cache: Path, name: str, **facts: Any) -> None:
    """Add `facts` to what is known of the data set `name`; ``files`` are added to those known."""
    from filelock import FileLock

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{LOCK_NAME}.lock"):
            known = read_lock(cache)
            before = known.get(name, {})
            files = {**before.get("files", {}), **facts.pop("files", {})}
            known[name] = {**before, **facts, "files": files}
            text = json.dumps({"format": FORMAT, "datasets": known}, indent=2, sort_keys=True) + "\n"
            write_atomically(cache / LOCK_NAME, lambda file: file.write(text.encode()), durable=False)
    except OSError as error:
        raise DataError(f"{cache / LOCK_NAME}: cannot be written ({error.strerror or error})") from None
