"""YAML 1.2 (core schema) with the file and line of every key and list item.

PyYAML reads YAML 1.1, where ``NO`` is false and ``1e4`` text. Its scanner, parser and composer
are used here without its resolver: what a plain scalar means is decided by :func:`_scalar`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from yaml.composer import Composer
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import CollectionStartEvent, NodeEvent, ScalarEvent
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pytest_stbench.errors import Problem, TaskFileError

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

Scalar = str | int | float | bool | None
Key = tuple[str | int, ...]

MAX_BYTES = 5_000_000
MAX_NODES = 100_000
MAX_DEPTH = 50
MAX_DIGITS = 100

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value and the place where it, or the key before it, is written (1-based line)."""

    value: Scalar | dict[str, Node] | list[Node]
    file: Path
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The top-level mapping of a file, and the mistakes that did not stop the reading."""

    root: Node
    problems: tuple[Problem, ...] = ()


def plain(node: Node) -> Any:
    """Return the value of `node` as dictionaries, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def line_marks(node: Node, key: Key = ()) -> dict[Key, tuple[Path, int]]:
    """Return (file, line) of every key path below `node`, itself included."""
    marks = {key: (node.file, node.line)}
    if isinstance(node.value, dict):
        for name, child in node.value.items():
            marks |= line_marks(child, (*key, name))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            marks |= line_marks(child, (*key, index))
    return marks


def read_tree(path: Path) -> Tree:
    """Read the YAML file at `path`, which must hold one mapping.

    Keys are text as written (``1:`` is the key ``"1"``). Duplicate keys, tags and merge keys are
    problems of the returned tree. Raises ``TaskFileError`` where nothing can be made of the file:
    unreadable, not UTF-8, not YAML, empty, no mapping, larger or deeper than any task file.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        _fatal(path, 1, f"cannot be read: {error.strerror or error}")
    if size > MAX_BYTES:
        _fatal(path, 1, f"{size} bytes; at most {MAX_BYTES} are read: put long lists in a file of genes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _fatal(path, line, f"byte {data[error.start]:#04x} is not UTF-8: save the file as UTF-8")
    return parse_tree(text, path)


def parse_tree(text: str, path: Path) -> Tree:
    """Parse YAML `text`; `path` is only named in marks and errors. See :func:`read_tree`."""
    problems: list[Problem] = []
    loader: _Loader | None = None
    try:
        loader = _Loader(text, path)
        top = loader.get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        _fatal(path, line, f"character U+{code:04X} is not allowed in YAML: remove it")
    except MarkedYAMLError as error:
        _fatal(path, _error_line(error), _error_text(error))
    except (YAMLError, ValueError, OverflowError) as error:
        # PyYAML lets a malformed escape or directive number through as ValueError.
        line = loader.line + 1 if loader else 1
        _fatal(path, line, f"not valid YAML: {error}")
    for line, tag in loader.tags:
        message = f"tag {tag!r} is not allowed: a task file holds plain values only; remove the tag"
        problems.append(Problem(file=path, line=line, key="YAML", message=message))
    if top is None:
        _fatal(path, 1, "the file is empty: a task file starts with `stbench: 1`")
    root = _Converter(path, problems).convert(top, _line(top), ())
    if not isinstance(root.value, dict):
        if root.value is None:
            _fatal(path, root.line, "the file is empty: a task file starts with `stbench: 1`")
        kind = "a list" if isinstance(root.value, list) else "a single value"
        _fatal(path, root.line, f"found {kind} at the top; a task file is a mapping of `key: value` lines")
    return Tree(root=root, problems=tuple(problems))


def _fatal(path: Path, line: int, message: str) -> NoReturn:
    raise TaskFileError([Problem(file=path, line=line, key="YAML", message=message)]) from None


def _line(place: yaml.Node | yaml.Event) -> int:
    """Return the 1-based line where a node or event starts."""
    return place.start_mark.line + 1 if place.start_mark else 1


def _error_line(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _error_text(error: MarkedYAMLError) -> str:
    found = " ".join(part for part in (error.problem, error.context) if part) or str(error)
    if "'\\t'" in found:
        return f"{found}: indent with spaces, not with tabs"
    if "expected a single document" in found or "another document" in found:
        return "found a second YAML document (`---`); a task file holds one"
    return f"not valid YAML: {found}"


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    """The composer of PyYAML without implicit types, with bounded depth, noting every tag."""

    def __init__(self, text: str, path: Path) -> None:
        self._path = path
        self.tags: list[tuple[int, str]] = []
        self._depth = 0
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            self.tags.append((_line(event), event.tag))
        if isinstance(event, NodeEvent) and self._depth >= MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            _fatal(self._path, _line(event), message)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Converter:
    """Turns composed nodes, whose aliases are shared, into a tree of bounded size."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems
        self._count = 0

    def convert(self, node: yaml.Node, line: int, key: Key) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            _fatal(self._path, line, f"more than {MAX_NODES} values once its aliases are expanded")
        if len(key) > MAX_DEPTH:
            # An alias inside its own anchor ends here as well.
            _fatal(
                self._path, line, f"nested more than {MAX_DEPTH} levels deep once its aliases are expanded"
            )
        value: Scalar | dict[str, Node] | list[Node]
        if isinstance(node, MappingNode):
            value = self._mapping(node, key)
        elif isinstance(node, SequenceNode):
            value = [
                self.convert(item, item.start_mark.line + 1, (*key, index))
                for index, item in enumerate(node.value)
            ]
        else:
            value = self._value(node, line, key)
        return Node(value=value, file=self._path, line=line)

    def _mapping(self, node: MappingNode, key: Key) -> dict[str, Node]:
        children: dict[str, Node] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, ScalarNode):
                self._problem(line, key, "a key must be text, not a list or mapping")
                continue
            name = key_node.value
            path = (*key, name)
            if _UNPRINTABLE.search(name):
                self._problem(line, key, "a key with control characters")
            elif name == "<<" and key_node.style is None:
                self._problem(line, path, "merge keys are not YAML 1.2: use `extends: NAME.stbench-inc.yaml`")
            elif name in children:
                message = f"duplicate key, first written on line {children[name].line}: keep one of them"
                self._problem(line, path, message)
            else:
                children[name] = self.convert(value_node, line, path)
        return children

    def _value(self, node: yaml.Node, line: int, key: Key) -> Scalar:
        text = str(node.value)
        if _UNPRINTABLE.search(text):
            self._problem(line, key, "text with control characters: remove them")
            return _UNPRINTABLE.sub("", text)
        if isinstance(node, ScalarNode) and node.style is None:
            if len(text) > MAX_DIGITS and _FLOAT.fullmatch(text):
                self._problem(line, key, f"a number of {len(text)} digits; put text in quotes")
                return text
            return _scalar(text)
        return text

    def _problem(self, line: int, key: Key, message: str) -> None:
        self._problems.append(Problem(file=self._path, line=line, key=key_text(key), message=message))


def _scalar(text: str) -> Scalar:
    """Return what the plain scalar `text` means in the core schema of YAML 1.2."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinity := _INFINITY.fullmatch(text):
        return float(f"{infinity[1]}inf")
    if _NAN.fullmatch(text):
        return float("nan")
    return text


MAX_KEY = 60


def key_text(key: Key) -> str:
    """Return `key` as users write it: ``metrics[1].n``; the top of the file is ``file``.

    ``params``, which the short forms leave out, is not shown.
    """
    text = ""
    for position, part in enumerate(key):
        if part == "params" and position == 2 and key[0] in ("splits", "metrics", "checks"):
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part[:MAX_KEY]}{'...' * (len(part) > MAX_KEY)}"
    return text.removeprefix(".") or "file"
