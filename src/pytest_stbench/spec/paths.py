"""Paths that a task file names: relative, and never out of the folders they are looked up in."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.spec.model import TaskSpec
    from pytest_stbench.spec.yaml_lines import Key

# Key paths that hold a path; `*` stands for any name.
PATH_FIELDS: tuple[tuple[str, ...], ...] = (
    ("datasets", "*", "path"),
    ("datasets", "*", "samples"),
    ("datasets", "*", "sha256"),
    ("datasets", "*", "image", "path"),
    ("datasets", "*", "image", "alignment"),
    ("datasets", "*", "labels", "path"),
    ("reference", "path"),
    ("preprocess", "genes", "file"),
    ("preprocess", "variants", "*", "genes", "file"),
)


def path_mistake(path: str) -> str:
    """Return what is wrong with `path`, or an empty string."""
    windows = PureWindowsPath(path)
    if not path.strip():
        return "is empty: give a path, or leave the key out"
    if "://" in path:
        return f"{path!r} is an address, not a path: say how to get the data in `get`"
    if PurePosixPath(path).is_absolute() or windows.anchor or path.startswith("~"):
        return (
            f"{path!r} is an absolute path: write it relative to --stbench-data, $STBENCH_DATA or the folder "
            "of the file"
        )
    if ".." in windows.parts:
        return (
            f"{path!r} climbs out with '..': write a path below --stbench-data, $STBENCH_DATA or the folder "
            "of the file"
        )
    return ""


def path_fields(task: TaskSpec) -> Iterator[tuple[Key, str]]:
    """Yield (key path, value) of every path that `task` names."""
    for pattern in PATH_FIELDS:
        yield from _walk(task, pattern, ())
    for name, block in task.blocks.items():
        yield from (((name, *key), path) for key, path in block.files())


def _walk(part: Any, pattern: tuple[str, ...], key: Key) -> Iterator[tuple[Key, str]]:
    if part is None:
        return
    if not pattern:
        yield key, part
    elif pattern[0] == "*":
        for name, child in part.items():
            yield from _walk(child, pattern[1:], (*key, name))
    else:
        yield from _walk(getattr(part, pattern[0]), pattern[1:], (*key, pattern[0]))
