"""Gates from the command line: ``spearman_gene.min=0.2``, by the schema of ``gates:`` in a task file."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.spec.extends import merge
from pytest_stbench.spec.messages import describe, unknown
from pytest_stbench.spec.model import GateSpec, TaskFile
from pytest_stbench.spec.part import Part
from pytest_stbench.spec.shorthand import normalise
from pytest_stbench.spec.source import Node, Tree, key_text, line_marks, parse_tree, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.registry import Registry
    from pytest_stbench.spec.source import Key

OPTION = "--stbench-gate"
FORM = "METRIC.RULE=VALUE, such as spearman_gene.min=0.2 or spearman_gene.beats.margin=0.02"


class _Gates(Part):
    gates: dict[str, GateSpec]


def metric_of(text: str) -> str:
    """Return the metric that an option gates."""
    return text.partition(".")[0]


def gate_tree(options: Sequence[str]) -> Tree:
    """Return the options as the tree of a task file that has gates alone; the last of one key wins.

    Raises
    ------
    TaskFileError
        For an option of another form, or whose value is not YAML.
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
        node = parse_tree(f"value: {value}", file).root
        assert isinstance(node.value, dict)
        leaf = node.value["value"]
        for part in ("gates", *parts)[::-1]:
            leaf = Node(value={part: leaf}, file=file, line=1)
        nodes.append(leaf)
    if problems:
        raise TaskFileError(problems)
    return normalise(Tree(root=reduce(merge, nodes), problems=()))


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
        for name in dict.fromkeys(map(metric_of, options))
        if name not in registry.metrics
    ]
    try:
        _Gates.model_validate(plain(tree.root))
    except ValidationError as error:
        found += [(e["loc"], describe(e, _Gates)) for e in error.errors(include_url=False)]
    problems = [
        Problem(file=file, line=line, key=key_text(key), message=message)
        for key, message in found
        for file, line in (places.line(*key),)
    ]
    if problems:
        raise TaskFileError([*tree.problems, *problems])
