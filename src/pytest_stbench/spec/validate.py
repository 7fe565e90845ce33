"""From a file to a valid :class:`TaskFile`, or to all of its mistakes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.resources import tasks_dir
from pytest_stbench.spec.catalog_entries import with_entries
from pytest_stbench.spec.extends import load_tree, merge
from pytest_stbench.spec.given_gates import gate_tree
from pytest_stbench.spec.messages import describe
from pytest_stbench.spec.model import TaskFile
from pytest_stbench.spec.rest import FORMAT, Rest, errors_of
from pytest_stbench.spec.rules import Known, find_mistakes
from pytest_stbench.spec.task_model import task_model
from pytest_stbench.spec.yaml_lines import Tree, key_text, line_marks, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.registry import Registry
    from pytest_stbench.spec.yaml_lines import Key


def load_task(path: Path, registry: Registry, *, gates: Sequence[str] = ()) -> TaskFile:
    """Read, merge and validate the task file at `path`.

    Parameters
    ----------
    path
        The task file; it is named in errors as given.
    registry
        The records that the file may name.
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
        given = gate_tree(gates)
        tree = Tree(root=merge(tree.root, given.root), problems=(*tree.problems, *given.problems))
    _check_format(tree)
    problems = dict.fromkeys(tree.problems)
    data = plain(tree.root)
    places = TaskFile.model_construct(path=path, lines=line_marks(tree.root))

    def report(key: Key, message: str) -> None:
        file, line = places.line(*key)
        problems[Problem(file=file, line=line, key=key_text(key), message=message)] = None

    model = task_model(registry)
    errors = errors_of(model, data)
    for place, error in enumerate(sorted(errors, key=lambda error: _place(error["loc"], places))):
        # Of thousands the nearest names would be looked for, which nobody reads.
        report(error["loc"], describe(error, model) if place < TaskFileError.SHOWN else "is wrong too")
    rest = Rest(model, data, errors)
    spec = rest.value
    if spec is not None:
        known = Known(registry=registry, broken=rest.broken)
        for key, message in find_mistakes(spec, known):
            if not rest.hides(written := rest.written(key)):
                report(written, message)
    if problems or spec is None:
        raise TaskFileError(list(problems))
    return TaskFile(path=path, spec=spec, lines=places.lines)


def _place(key: Key, places: TaskFile) -> tuple[str, int, str]:
    file, line = places.line(*key)
    return str(file), line, key_text(key)


def _check_format(tree: Tree) -> None:
    """Refuse another version of the file format: nothing else of it can be judged."""
    node = tree.root.value.get("stbench") if isinstance(tree.root.value, dict) else None
    number = None if node is None else node.value
    if node is None or not isinstance(number, int) or isinstance(number, bool) or number == FORMAT:
        return
    message = f"found {number}; this version of pytest-stbench reads format {FORMAT}"
    if number > FORMAT:
        message += ": the file is written for a newer version, upgrade pytest-stbench"
    else:
        message += f": write `stbench: {FORMAT}`"
    raise TaskFileError(
        [*tree.problems, Problem(file=node.file, line=node.line, key="stbench", message=message)]
    )
