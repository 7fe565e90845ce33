"""``source: catalog`` in a task file: the data set of an entry under the file's own keys.

The entry is merged as a fragment would be: mappings merge key by key, the file itself wins, and
every key keeps the file and line where it was written. What comes out names the entry's reader, so
that schema, fingerprint and data see the whole data set.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.registry import nearest
from pytest_stbench.spec.dataset_entry import ENTRY_SUFFIX, MANIFEST, load_entry
from pytest_stbench.spec.extends import merge
from pytest_stbench.spec.messages import shown
from pytest_stbench.spec.yaml_lines import Node, Tree

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.spec.dataset_entry import DatasetEntry, EntryFile

SOURCE = "catalog"
PATHS = (("path",), ("samples",), ("sha256",), ("image", "path"), ("image", "alignment"))


def entry_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the entries in `folder`, sorted."""
    return tuple(sorted(path.name.removesuffix(ENTRY_SUFFIX) for path in folder.glob(f"*{ENTRY_SUFFIX}")))


def with_entries(tree: Tree, folder: Path) -> Tree:
    """Return `tree` of a task file with the entries that its data sets name merged into them.

    Unknown names and mistakes of an entry are problems of the tree; such a data set stays as it is.
    """
    root = tree.root.value
    datasets = root.get("datasets") if isinstance(root, dict) else None
    if not isinstance(root, dict) or datasets is None or not isinstance(datasets.value, dict):
        return tree
    problems = list(tree.problems)
    changed = {
        name: _resolved(name, node, folder, problems) if _from_catalog(node) else node
        for name, node in datasets.value.items()
    }
    merged = replace(tree.root, value={**root, "datasets": replace(datasets, value=changed)})
    return Tree(root=merged, problems=tuple(problems))


def how_to_get(entry: DatasetEntry) -> str:
    """Return what to do to have the data of `entry`, in one sentence."""
    if entry.fetchable:
        return (
            f"`stbench data fetch {entry.name}` (licence: {entry.licence}), then "
            f"`stbench data verify {entry.name}`"
        )
    prepare = entry.layout or "put the files below a folder of this name"
    return f"get it from {entry.homepage}; {prepare}; then `stbench data verify {entry.name}`"


def _from_catalog(node: Node) -> bool:
    source = node.value.get("source") if isinstance(node.value, dict) else None
    return source is not None and source.value == SOURCE


def _resolved(name: str, node: Node, folder: Path, problems: list[Problem]) -> Node:
    assert isinstance(node.value, dict)
    place = node.value.get("path", node)
    known = entry_names(folder)
    if place is node or not isinstance(place.value, str) or place.value not in known:
        found = "nothing" if place is node else shown(place.value)
        match = nearest(place.value, known) if isinstance(place.value, str) else ""
        message = f"found {found}{match}; the catalog has {', '.join(known) or 'no data set'}"
        problems.append(
            Problem(file=place.file, line=place.line, key=f"datasets.{name}.path", message=message)
        )
        return node
    try:
        found_entry = load_entry(folder / f"{place.value}{ENTRY_SUFFIX}")
    except TaskFileError as error:
        problems.extend(problem for problem in error.problems if problem not in problems)
        return node
    own = replace(node, value={k: v for k, v in node.value.items() if k not in ("source", "path")})
    return merge(_base(found_entry), own)


def _base(found: EntryFile) -> Node:
    """Return the data set of an entry with its paths below the folder of its name."""
    entry, node = found.entry, found.dataset
    assert isinstance(node.value, dict)
    said = {"organ": entry.organ, "technology": entry.technology, "disease": entry.indication}
    facts = {"sha256": MANIFEST, "get": how_to_get(entry), "corpus": entry.name, **said}
    children = {key: replace(node, value=value) for key, value in facts.items()} | node.value
    base = replace(node, value=children)
    for key in PATHS:
        base = _below(base, key, entry.name)
    return base


def _below(node: Node, key: tuple[str, ...], folder: str) -> Node:
    """Return `node` with the path at `key` moved below `folder`."""
    if not key:
        return replace(node, value=f"{folder}/{node.value}") if isinstance(node.value, str) else node
    if not isinstance(node.value, dict) or key[0] not in node.value:
        return node
    return replace(node, value={**node.value, key[0]: _below(node.value[key[0]], key[1:], folder)})
