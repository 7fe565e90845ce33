"""Gates from the command line: ``spearman_gene.min=0.2``, by the schema of ``gates:`` in a task file."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.spec.extends import merge
from pytest_stbench.spec.messages import describe, unknown
from pytest_stbench.spec.model import GateSpec, TaskFile
from pytest_stbench.spec.part import Part
from pytest_stbench.spec.rest import errors_of
from pytest_stbench.spec.shorthand import normalise
from pytest_stbench.spec.yaml_lines import Node, Tree, key_text, line_marks, parse_tree, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.registry import Registry
    from pytest_stbench.spec.yaml_lines import Key

OPTION = "--stbench-gate"
FORM = "METRIC.RULE=VALUE, such as spearman_gene.min=0.2 or spearman_gene.beats.margin=0.02"


class _Gates(Part):
    gates: dict[str, GateSpec] = Field(default_factory=dict)


def metric_of(text: str) -> str:
    """Return the metric that an option gates."""
    return text.partition(".")[0]


def gate_tree(options: Sequence[str]) -> Tree:
    """Return the options as the tree of a task file that has gates alone; the last of one key wins.

    Options of another form, or whose value is not YAML, are problems of the tree.
    """
    problems: list[Problem] = []
    nodes = []
    for text in options:
        key, equals, value = text.partition("=")
        parts = key.split(".")
        file = Path(f"{OPTION} {text}")
        if not equals or len(parts) < 2 or not all(parts):
            message = f"found {text!r}; expected {FORM}"
            problems.append(Problem(file=file, line=1, key="gates", message=message))
            continue
        try:
            tree = parse_tree(f"value: {value}", file)
        except TaskFileError as error:
            problems += error.problems
            continue
        problems += tree.problems
        node = tree.root
        assert isinstance(node.value, dict)
        leaf = node.value["value"]
        for part in ("gates", *parts)[::-1]:
            leaf = Node(value={part: leaf}, file=file, line=1)
        nodes.append(leaf)
    root = reduce(merge, nodes, Node(value={}, file=Path(OPTION), line=1))
    tree = normalise(Tree(root=root))
    return replace(tree, problems=(*problems, *tree.problems))


def check_gates(options: Sequence[str], registry: Registry) -> None:
    """Refuse options that no task file could take: form, metric, rule, type of the value.

    Raises
    ------
    TaskFileError
        With every mistake: what was found, what is allowed and the nearest match.
    """
    tree = gate_tree(options)
    places = TaskFile.model_construct(path=Path(OPTION), lines=line_marks(tree.root))
    found: list[tuple[Key, str]] = [
        (("gates", name), unknown("metric", name, registry.metrics.names))
        for name in plain(tree.root).get("gates", {})
        if name not in registry.metrics
    ]
    found += [(e["loc"], describe(e, _Gates)) for e in errors_of(_Gates, plain(tree.root))]
    problems = [
        Problem(file=file, line=line, key=key_text(key), message=message)
        for key, message in found
        for file, line in (places.line(*key),)
    ]
    if tree.problems or problems:
        raise TaskFileError([*tree.problems, *problems])
