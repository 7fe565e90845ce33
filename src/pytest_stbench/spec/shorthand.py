"""Short forms of a task file, normalised to the one mapping form of the model.

It runs on each file before files are merged: so ``genes: hvg`` in a fragment and
``genes: {n: 100}`` in the task file give ``{select: hvg, n: 100}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_stbench.errors import Problem
from pytest_stbench.spec.yaml_lines import Key, Node, Scalar, Tree, key_text

CHECK_KEYS = ("waive", "reason", "owner", "until")

# What `variants: ablate` stands for: the other targets and gene sets, one change at a time.
ABLATION: Mapping[str, Mapping[str, Any]] = {
    "raw": {"normalise": "log1p"},
    "pearson_residuals": {"normalise": "pearson_residuals"},
    "hvg": {"genes": {"select": "hvg"}},
    "all_genes": {"genes": {"select": "all"}},
    "signature_genes": {"genes": {"select": "signatures"}},
    "svg200": {"genes": {"select": "svg", "n": 200}},
}


def normalise(tree: Tree) -> Tree:
    """Return `tree` with every short form written out; lines stay those of the short form.

    What is neither a short nor the long form is left for validation, or noted as a problem where
    validation could not say what is wrong.
    """
    problems = list(tree.problems)
    root = _children(tree.root)
    for name in _NAMED_LISTS:
        if name in root:
            root[name] = _named_list(root[name], (name,), problems)
    for name, rule in _RULES.items():
        if name in root:
            root[name] = rule(root[name])
    return Tree(root=replace(tree.root, value=root), problems=tuple(problems))


def _children(node: Node) -> dict[str, Node]:
    return dict(node.value) if isinstance(node.value, dict) else {}


def _edit(node: Node, name: str, rule: Callable[[Node], Node]) -> Node:
    """Return mapping `node` with `rule` applied to its child `name`, if both are there."""
    if not isinstance(node.value, dict) or name not in node.value:
        return node
    return replace(node, value={**node.value, name: rule(node.value[name])})


def _edit_all(node: Node, rule: Callable[[Node], Node]) -> Node:
    if not isinstance(node.value, dict):
        return node
    return replace(node, value={name: rule(child) for name, child in node.value.items()})


def _is_scalar(node: Node) -> bool:
    return node.value is not None and not isinstance(node.value, dict | list)


def _as_list(node: Node) -> Node:
    """Turn a single value into a list of one."""
    return replace(node, value=[node]) if _is_scalar(node) else node


def _under(key: str) -> Callable[[Node], Node]:
    """Return a rule that turns a single value into ``{key: value}``."""
    return lambda node: replace(node, value={key: node}) if _is_scalar(node) else node


def _named_list(node: Node, key: Key, problems: list[Problem]) -> Node:
    """``[lopo, {pgkf: {k: 4}}]`` to ``[{name: lopo, params: {}}, {name: pgkf, params: {k: 4}}]``."""
    node = replace(node, value=[node]) if isinstance(node.value, dict) else _as_list(node)
    if not isinstance(node.value, list):
        return node
    return replace(
        node, value=[_named(item, (*key, index), problems) for index, item in enumerate(node.value)]
    )


def _named(item: Node, key: Key, problems: list[Problem]) -> Node:
    nothing = replace(item, value={})
    if isinstance(item.value, str) and item.value:
        return replace(item, value={"name": item, "params": nothing})
    if isinstance(item.value, dict):
        if set(item.value) in ({"name"}, {"name", "params"}) and _is_scalar(item.value["name"]):
            return item
        if len(item.value) == 1:
            (name, params), *_ = item.value.items()
            params = nothing if params.value is None else params
            return replace(item, value={"name": replace(params, value=name), "params": params})
    allowed = "a name, or one name with its parameters: `NAME: {PARAMETER: VALUE}`"
    if isinstance(item.value, dict) and item.value:
        found = f"a mapping of {', '.join(map(repr, item.value))} (indent parameters below the name)"
    else:
        found = "nothing" if item.value in (None, "", {}) else f"{_kind(item)}"
    message = f"found {found}; expected {allowed}"
    problems.append(Problem(file=item.file, line=item.line, key=key_text(key), message=message))
    # The empty name keeps the position of the other items; rules pass it over.
    return replace(item, value={"name": replace(item, value=""), "params": nothing})


def _kind(node: Node) -> str:
    return "a list" if isinstance(node.value, list) else repr(node.value)


def _check(node: Node) -> Node:
    """``{max_share: 0.2, reason: ..}`` to ``{params: {max_share: 0.2}, reason: ..}``."""
    if not isinstance(node.value, dict):
        return node
    own = {name: child for name, child in node.value.items() if name in CHECK_KEYS}
    params = {name: child for name, child in node.value.items() if name not in (*CHECK_KEYS, "params")}
    given = node.value.get("params")
    if given is not None and not isinstance(given.value, dict):
        return replace(node, value={**own, "params": given})
    params = {**_children(given or node), **params} if given else params
    return replace(node, value={**own, "params": replace(given or node, value=params)})


def _preprocess(node: Node) -> Node:
    node = _edit(node, "genes", _under("select"))
    node = _edit(node, "variants", _ablation)
    return _edit(node, "variants", lambda variants: _edit_all(variants, _variant))


def _variant(node: Node) -> Node:
    return _edit(_edit(node, "genes", _under("select")), "bin", _bin)


def _dataset(node: Node) -> Node:
    return _edit(_edit(node, "scale", _under("um_per_px")), "bin", _bin)


def _bin(node: Node) -> Node:
    """``bin: visium`` to ``{geometry: visium}``, ``bin: 16`` to square bins of 16 um."""
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return replace(node, value={"geometry": replace(node, value="square"), "size_um": node})
    return _under("geometry")(node)


def _ablation(node: Node) -> Node:
    return _grow(node, ABLATION) if node.value == "ablate" else node


def _grow(node: Node, value: Mapping[str, Any] | Scalar) -> Node:
    """Return plain `value` as a tree whose every line is that of `node`."""
    if isinstance(value, Mapping):
        return replace(node, value={name: _grow(node, child) for name, child in value.items()})
    return replace(node, value=value)


def _gate(node: Node) -> Node:
    return _edit(node, "beats", lambda beats: _edit(beats, "baselines", _as_list))


_NAMED_LISTS = ("splits", "metrics")

_RULES: Mapping[str, Callable[[Node], Node]] = {
    "baselines": _as_list,
    "seeds": _as_list,
    "marks": _as_list,
    "datasets": lambda node: _edit_all(node, _dataset),
    "preprocess": _preprocess,
    "gates": lambda node: _edit_all(node, _gate),
    "checks": lambda node: _edit_all(node, _check),
}
