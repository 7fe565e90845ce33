"""From a file to a valid :class:`TaskFile`, or to all of its mistakes at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.registry import Catalogue
from pytest_stbench.resources import tasks_dir
from pytest_stbench.spec.catalog import with_entries
from pytest_stbench.spec.extends import load_tree, merge
from pytest_stbench.spec.given_gates import gate_tree
from pytest_stbench.spec.messages import describe, shown
from pytest_stbench.spec.model import TaskFile, TaskSpec
from pytest_stbench.spec.rules import Known, find_mistakes
from pytest_stbench.spec.source import key_text, line_marks, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_stbench.registry import Family, Registry
    from pytest_stbench.spec.source import Key, Tree

FORMAT = 1
MAX_ROUNDS = 50

# What a required key holds while the rest of a file that lacks it is checked.
PLACEHOLDERS: dict[str, Any] = {
    "stbench": FORMAT,
    "name": "placeholder",
    "version": 1,
    "family": "placeholder",
    "datasets": {"placeholder": {"source": "placeholder"}},
    "source": "placeholder",
    "path": "placeholder",
    "um_per_px": 1.0,
    "margin": 0.0,
    "geometry": "none",
}


def load_task(
    path: Path, registry: Registry, extra_families: Iterable[Family] = (), *, gates: Sequence[str] = ()
) -> TaskFile:
    """Read, merge and validate the task file at `path`.

    Parameters
    ----------
    path
        The task file; it is named in errors as given.
    registry
        The records that the file may name.
    extra_families
        Families that are known beside those of `registry`.
    gates
        Gates of the command line (``spearman_gene.min=0.2``), which win over those of the file.

    Raises
    ------
    TaskFileError
        With every mistake of the file and of what it extends: file, line, key, what was found,
        what is allowed and the nearest match.
    """
    tree = with_entries(load_tree(path), tasks_dir() / "catalog")
    if gates:
        tree = replace(tree, root=merge(tree.root, gate_tree(gates).root))
    _check_format(tree)
    problems = dict.fromkeys(tree.problems)
    data = plain(tree.root)
    places = TaskFile.model_construct(path=path, lines=line_marks(tree.root))

    def report(key: Key, message: str) -> None:
        file, line = places.line(*key)
        problems[Problem(file=file, line=line, key=key_text(key), message=message)] = None

    errors = _errors(data)
    for place, error in enumerate(sorted(errors, key=lambda error: _place(error["loc"], places))):
        # Of thousands the nearest names would be looked for, which nobody reads.
        report(error["loc"], describe(error, TaskSpec) if place < TaskFileError.SHOWN else "is wrong too")
    spec, broken = _build_rest(data, errors)
    if spec is not None:
        families = Catalogue("family", [*registry.families, *extra_families])
        known = Known(registry=registry, families=families, broken=broken)
        places_broken = set(broken)
        for key, message in find_mistakes(spec, known):
            if not any(key[:length] in places_broken for length in range(len(key) + 1)):
                report(key, message)
    if problems or spec is None:
        raise TaskFileError(list(problems))
    return TaskFile(path=path, spec=spec, lines=places.lines)


def _place(key: Key, places: TaskFile) -> tuple[str, int, str]:
    file, line = places.line(*key)
    return str(file), line, key_text(key)


def _check_format(tree: Tree) -> None:
    """Refuse another version of the file format: nothing else of it can be judged."""
    node = tree.root.value.get("stbench") if isinstance(tree.root.value, dict) else None
    if node is None or (node.value == FORMAT and isinstance(node.value, int) and node.value is not True):
        return
    message = f"found {shown(plain(node))}; this version of pytest-stbench reads format {FORMAT}"
    if isinstance(node.value, int) and not isinstance(node.value, bool) and node.value > FORMAT:
        message += ": the file is written for a newer version, upgrade pytest-stbench"
    else:
        message += f": write `stbench: {FORMAT}`"
    raise TaskFileError(
        [*tree.problems, Problem(file=node.file, line=node.line, key="stbench", message=message)]
    )


def _errors(data: dict[str, Any]) -> list[Any]:
    try:
        TaskSpec.model_validate(data)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []


def _build_rest(data: dict[str, Any], errors: list[Any]) -> tuple[TaskSpec | None, tuple[Key, ...]]:
    """Return the spec of what is valid in `data`, and the key paths that were left out of it.

    `data` is changed. Where required keys are missing, placeholders stand in.
    """
    broken: list[Key] = []
    for _round in range(MAX_ROUNDS):
        if not errors:
            return TaskSpec.model_validate(data), tuple(broken)
        broken += [_drop(data, error["loc"], missing=error["type"] == "missing") for error in errors]
        errors = _errors(data)
    return None, tuple(broken)


def _drop(data: dict[str, Any], loc: Key, *, missing: bool) -> Key:
    """Take what `loc` names out of `data`, lists as a whole; return the path that is gone."""
    parent: Any = data
    last: tuple[dict[str, Any], Key] = (data, loc[:1])
    for position, part in enumerate(loc):
        if isinstance(parent, dict):
            last = (parent, loc[: position + 1])
            if part not in parent:
                break
            parent = parent[part]
        elif isinstance(parent, list) and isinstance(part, int) and part < len(parent):
            parent = parent[part]
        else:
            break
    owner, place = last
    name = str(place[-1])
    if missing and place == loc and name in PLACEHOLDERS:
        owner[name] = PLACEHOLDERS[name]
    else:
        owner.pop(name, None)
    return place
