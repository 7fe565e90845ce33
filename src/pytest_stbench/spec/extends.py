"""Inheritance between task files: ``extends: _base.stbench-inc.yaml``, or ``stbench:NAME``.

Mappings merge key by key, everything else replaces; of several fragments a later one wins, and
the file that extends wins over all. Every key keeps the file and line where it was written.
``stbench:NAME`` is the shipped task of that name, so that a file can add gates to it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.registry import nearest
from pytest_stbench.resources import tasks_dir
from pytest_stbench.spec import TASK_SUFFIX
from pytest_stbench.spec.shorthand import normalise
from pytest_stbench.spec.yaml_lines import MAX_DEPTH, Node, Tree, read_tree

FRAGMENT_SUFFIX = ".stbench-inc.yaml"
SHIPPED = "stbench:"


def load_tree(path: Path) -> Tree:
    """Return the tree of the task file at `path` with all it extends merged into it.

    Short forms are written out, ``extends`` itself is gone. Mistakes in fragments are problems of
    the tree. Raises ``TaskFileError`` where `path` itself cannot be read as a mapping.
    """
    return _Inheritance().load(path, ())


def merge(base: Node, top: Node) -> Node:
    """Return `base` overridden by `top`: mappings merge deep, lists and scalars replace."""
    if not isinstance(base.value, dict) or not isinstance(top.value, dict):
        return top
    merged = dict(base.value)
    for name, child in top.value.items():
        merged[name] = merge(merged[name], child) if name in merged else child
    return replace(top, value=merged)


class _Inheritance:
    """Loads files, each once, however many ways lead to it."""

    def __init__(self) -> None:
        self._loaded: dict[Path, Tree] = {}

    def load(self, path: Path, chain: tuple[Path, ...]) -> Tree:
        identity = path.resolve()
        if identity not in self._loaded:
            self._loaded[identity] = self._load(path, (*chain, path))
        return self._loaded[identity]

    def _load(self, path: Path, chain: tuple[Path, ...]) -> Tree:
        tree = normalise(read_tree(path))
        children = dict(tree.root.value) if isinstance(tree.root.value, dict) else {}
        extends = children.pop("extends", None)
        own = replace(tree.root, value=children)
        if extends is None:
            return replace(tree, root=own)
        problems = list(tree.problems)
        base: Node | None = None
        for item in extends.value if isinstance(extends.value, list) else [extends]:
            fragment = self._fragment(item, chain, problems)
            if fragment is not None:
                base = fragment if base is None else merge(base, fragment)
        return Tree(root=own if base is None else merge(base, own), problems=tuple(problems))

    def _fragment(self, item: Node, chain: tuple[Path, ...], problems: list[Problem]) -> Node | None:
        """Return the tree of the fragment that `item` names, or note why there is none."""
        message = _mistake(item.value)
        if not message:
            path = _path(str(item.value), chain[-1].parent)
            resolved = [file.resolve() for file in chain]
            if path.resolve() in resolved:
                loop = [*chain[resolved.index(path.resolve()) :], path]
                message = "files extend each other in a circle: " + " -> ".join(map(str, loop))
            elif not path.is_file():
                message = f"there is no file {str(path)!r}: the path is relative to {str(chain[-1].parent)!r}"
            elif len(chain) > MAX_DEPTH:
                message = f"files extend each other more than {MAX_DEPTH} deep"
        if message:
            problems.append(Problem(file=item.file, line=item.line, key="extends", message=message))
            return None
        try:
            tree = self.load(path, chain)
        except TaskFileError as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
            return None
        problems.extend(problem for problem in tree.problems if problem not in problems)
        return tree.root


def _mistake(value: object) -> str:
    """Return what is wrong with `value` as the path of a fragment, or nothing."""
    if not isinstance(value, str) or not value:
        expected = f"the path of a fragment NAME{FRAGMENT_SUFFIX}, {SHIPPED}NAME of a shipped task, or a list"
        return f"found {value!r}; expected {expected}"
    if value.startswith(SHIPPED):
        return _no_shipped(value.removeprefix(SHIPPED))
    if PurePosixPath(value).is_absolute() or PureWindowsPath(value).anchor or value.startswith("~"):
        return f"{value!r} is an absolute path: fragments are named relative to the file that extends them"
    if not value.endswith(FRAGMENT_SUFFIX):
        return (
            f"{value!r} does not end in {FRAGMENT_SUFFIX}, which keeps pytest from collecting it: rename it"
        )
    return ""


def _no_shipped(name: str) -> str:
    """Return what is wrong where no shipped task has the `name`, or nothing."""
    known = sorted(path.name.removesuffix(TASK_SUFFIX) for path in tasks_dir().glob(f"*{TASK_SUFFIX}"))
    if name in known:
        return ""
    return f"there is no shipped task {name!r}{nearest(name, known)}; `stbench tasks list` names all"


def _path(value: str, folder: Path) -> Path:
    if value.startswith(SHIPPED):
        return tasks_dir() / f"{value.removeprefix(SHIPPED)}{TASK_SUFFIX}"
    return Path(os.path.normpath(folder / value))
