"""The index of what a package declares: collection reads it, and imports none of the code that it names."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import StbenchError
from pytest_stbench.extend import record_of
from pytest_stbench.registry import Baseline, Check, Family, Metric, Reader, Record, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENTRY_POINT_GROUP = "pytest_stbench.catalogues"
NAME = "stbench-index.json"
WIDTH = 110
"""Characters of a line of a stub."""

KINDS: dict[str, type[Record]] = {
    "metrics": Metric, "checks": Check, "baselines": Baseline, "families": Family, "splits": Split,
    "readers": Reader,
}  # fmt: skip


_PROJECT: dict[str, Any] = {}


@cache
def own(kind: type[Any]) -> tuple[Any, ...]:
    """Return the records of one kind that this package declares, by id and name."""
    return read(Path(__file__).with_name(NAME))[kind]


def read(path: Path) -> dict[type[Any], tuple[Any, ...]]:
    """Return the records of an index by their kind.

    Raises ``StbenchError`` for what is no index, or one of another version of the records.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return {
            kind: tuple(
                kind(**{name: _fixed(value) for name, value in facts.items()}) for facts in tree[name]
            )
            for name, kind in KINDS.items()
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StbenchError(
            f"{path}: is no index ({type(error).__name__}: {error}): run `stbench index {path.parent.name}`"
        ) from None


def external_records() -> list[Any]:
    """Return the records that other packages add by entry point, and those of the project."""
    brought = [record for _, records in external_entries() for record in records]
    return [*brought, *map(record_of, _PROJECT.values())]


def of_project() -> tuple[Any, ...]:
    """Return the functions and classes that the project at hand declares."""
    return tuple(_PROJECT.values())


def set_project(declared: Iterable[Any]) -> None:
    """Take what a project declares in the place of what was taken before.

    Raises ``StbenchError`` for what declares nothing, and where two things have one place.
    """
    _PROJECT.clear()
    for made in declared:
        record = record_of(made)
        if record is None:
            raise StbenchError(
                f"{made!r} declares nothing: give functions and classes that pytest_stbench.extend decorates"
            )
        if _PROJECT.setdefault(record.target, made) is not made:
            raise StbenchError(f"two things are {record.target}: rename one of them")


def external_entries() -> list[tuple[metadata.EntryPoint, tuple[Any, ...]]]:
    """Return the entry points of the group ``pytest_stbench.catalogues`` and the records each brings.

    One names a package, whose index is read, or a tuple of records and of what is declared. Without an index
    every module of the package is imported. Raises ``StbenchError`` where it is neither.
    """
    return [(entry, _brought(entry)) for entry in _entry_points(tuple(sys.path))]


@cache
def _entry_points(path: tuple[str, ...]) -> tuple[metadata.EntryPoint, ...]:
    # Every search of the path reads what each installed distribution says of itself.
    del path
    return tuple(metadata.entry_points(group=ENTRY_POINT_GROUP))


def _brought(entry: metadata.EntryPoint) -> tuple[Any, ...]:
    try:
        found = entry.load()
    except Exception as error:
        raise StbenchError(
            f"entry point {entry.name} = {entry.value} of {ENTRY_POINT_GROUP} cannot be imported: "
            f"{type(error).__name__}: {error}: mend the package that brings it, or uninstall it"
        ) from error
    if isinstance(found, ModuleType):
        index = path_of(found.__name__)
        if not index.exists():
            return tuple(declared(found.__name__))
        return tuple(record for records in read(index).values() for record in records)
    brought = tuple(record_of(one) or one for one in found)
    for one in brought:
        if not isinstance(one, Record):
            raise StbenchError(
                f"entry point {entry.name} = {entry.value} of {ENTRY_POINT_GROUP}: {one!r} is no record and "
                "declares none: name a package, or a tuple of what pytest_stbench.extend decorates"
            )
    return brought


def declared(package: str) -> list[Any]:
    """Import every module of `package`; return the records that stand in them, by id and name."""
    found = [record for module in _modules(package) for record in _declared_in(module)]
    return sorted(found, key=lambda record: (record.id, record.name))


def text_of(records: list[Any]) -> str:
    """Return the text of the index of `records`: one a line."""
    lines = []
    for name, kind in KINDS.items():
        own_kind = [
            json.dumps(_facts(record), ensure_ascii=False) for record in records if isinstance(record, kind)
        ]
        lines.append(f'"{name}": [\n' + ",\n".join(own_kind) + "\n]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def stub_of(text: str, records: Iterable[Any]) -> str:
    """Return the text of the stub of a package of functions with what `records` of its modules are.

    `text` is what it has: lines that import names of modules beside it.
    """
    offered: dict[str, set[str]] = {}
    for line in ast.parse(text).body:
        if isinstance(line, ast.ImportFrom) and line.module:
            offered.setdefault(line.module, set()).update(alias.name for alias in line.names)
    for record in records:
        module, _, name = record.target.partition(":")
        offered.setdefault(module.rpartition(".")[2], set()).add(name)
    return "".join(
        _import(module, sorted(names, key=_as_sorted)) for module, names in sorted(offered.items())
    )


def _as_sorted(name: str) -> tuple[bool, str]:
    return not name[0].isupper(), name


def _import(module: str, names: list[str]) -> str:
    parts = [f"{name} as {name}" for name in names]
    line = f"from .{module} import {', '.join(parts)}\n"
    return (
        line if len(line) <= WIDTH else f"from .{module} import (\n    {f',{chr(10)}    '.join(parts)},\n)\n"
    )


def path_of(package: str) -> Path:
    """Return where the index of an installed package stands. Raises ``StbenchError`` where it cannot be."""
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise StbenchError(
            f"package {package}: {error}: name an installed package that can be imported"
        ) from error
    if not getattr(module, "__file__", None) or not hasattr(module, "__path__"):
        raise StbenchError(
            f"{package} is no package with an __init__.py: its index needs a folder to stand in"
        )
    return Path(module.__file__ or "").with_name(NAME)


def found_at(target: str) -> Any:
    """Return what stands at ``"module:attribute"``, in the project or in a package; None for nothing."""
    module, _, attribute = target.partition(":")
    return _PROJECT.get(target) or getattr(importlib.import_module(module), attribute, None)


def loaded(record: Record) -> Any:
    """Return the function or class behind a record.

    Raises ``StbenchError`` where what it says of itself is not what stands in the index.
    """
    module = record.target.partition(":")[0]
    made = found_at(record.target)
    now = record_of(made)
    if made is None or (now is not None and now.name == record.name and _differ(now, record)):
        raise StbenchError(
            f"the index of {module.partition('.')[0]} is older than {module}, which declares {record.name} "
            f"otherwise: run `stbench index {module.partition('.')[0]}`"
        )
    return made


def _facts(record: Any) -> dict[str, Any]:
    return {field.name: _fixed(getattr(record, field.name)) for field in fields(record)}


def _differ(one: Any, other: Any) -> bool:
    # Docstrings, of which summaries are made, are absent under `python -OO`.
    return {**_facts(one), "summary": ""} != {**_facts(other), "summary": ""}


def _modules(package: str) -> Iterator[Any]:
    module = importlib.import_module(package)
    yield module
    for found in pkgutil.walk_packages(module.__path__, f"{package}."):
        if not found.name.rpartition(".")[2].startswith("__"):
            yield importlib.import_module(found.name)
    # A family is a folder of two files: without an __init__.py the walk does not see it.
    root = Path(module.__file__ or "").parent
    for file in sorted(root.rglob("declare.py")):
        if not (file.parent / "__init__.py").exists():
            yield importlib.import_module(".".join((package, *file.relative_to(root).with_suffix("").parts)))


def _declared_in(module: Any) -> Iterator[Any]:
    for made in vars(module).values():
        record = record_of(made)
        if record is not None and record.target.partition(":")[0] == module.__name__:
            if not record.summary:
                raise StbenchError(f"{record.target} needs a docstring: its first line is the summary")
            yield record


def _fixed(value: Any) -> Any:
    """Return a value as it stands in Python: JSON knows no tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(_fixed, value))
    return {name: _fixed(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value
