"""What all rules share: the records a file may name, and checks that several rules need."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.registry import Family, Registry, nearest
from pytest_stbench.spec.defaults import family_of
from pytest_stbench.spec.messages import allowed, shown

if TYPE_CHECKING:
    from pytest_stbench.spec.model import GeneListSpec, GenesSpec, TaskSpec
    from pytest_stbench.spec.yaml_lines import Key

Mistakes = Iterator[tuple["Key", str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The records a file may name, and the key paths that were malformed in it."""

    registry: Registry
    broken: tuple[Key, ...] = ()

    def family_of(self, task: TaskSpec) -> Family | None:
        """Return the family of a task as it will be asked; None where it is not known."""
        if task.family not in self.registry.families or self.gone(task.family, "wraps"):
            return self.registry.families.get(task.family)
        return family_of(task, self.registry)

    def below(self, name: str) -> Known:
        """Return the same with the key paths that were malformed below the key `name`."""
        return replace(self, broken=tuple(place[1:] for place in self.broken if place[0] == name))

    def lacks(self, *key: str | int) -> bool:
        """Return whether something at or below `key` was malformed."""
        return any(place[: len(key)] == key for place in self.broken)

    def gone(self, *key: str | int) -> bool:
        """Return whether `key` was malformed itself, or lies below what was: what it says is not known."""
        return any(key[: len(place)] == place for place in self.broken)


Rule = Callable[["TaskSpec", Known], Mistakes]


def is_identifier(name: str) -> bool:
    """Return whether `name` can be a Python name."""
    return name.isidentifier() and not keyword.iskeyword(name)


def repeated(items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Yield (index, item) of every item that stood before."""
    seen: set[Any] = set()
    for index, item in enumerate(items):
        if item in seen:
            yield index, item
        seen.add(item)


def listed_twice(field: str, names: list[str]) -> Mistakes:
    """Yield a mistake for every name of list `field` that stood there before."""
    for index, name in repeated(names):
        if name:
            yield (field, index), f"{name!r} is listed twice"


def names_or_file(key: Key, genes: GenesSpec | GeneListSpec, known: Known) -> Mistakes:
    """Yield what is wrong with a list of genes that is written out or stands in a file."""
    if genes.names is not None and genes.file is not None:
        yield (*key, "file"), "names and file are both given: keep one of them"
    elif genes.names is None and genes.file is None:
        if not known.gone(*key, "names") and not known.gone(*key, "file"):
            yield key, "names no genes: give `names: [...]` or `file: PATH`"
    elif genes.names is not None and not genes.names and not known.lacks(*key, "names"):
        yield (*key, "names"), "is empty: give at least one gene"
    for index, name in repeated(genes.names or ()):
        yield (*key, "names", index), f"gene {name!r} is listed twice"


def parameters(key: Key, given: Mapping[str, Any], defaults: Mapping[str, Any], what: str) -> Mistakes:
    """Yield a mistake for every parameter in `given` that `defaults` lacks or whose type differs."""
    for name, value in given.items():
        place = (*key, "params", name)
        if not defaults:
            yield place, f"{what} takes no parameters"
        elif name not in defaults:
            match = f"{nearest(name, defaults)}; {allowed(defaults, name)}"
            yield place, f"{what} has no parameter {name!r}{match}"
        elif expected := _other_type(value, defaults[name]):
            yield place, f"found {shown(value)}; expected {expected} (default {shown(defaults[name])})"
        elif isinstance(defaults[name], Mapping):
            for entry in value:
                if entry not in defaults[name]:
                    match = f"{nearest(entry, defaults[name])}; {allowed(defaults[name], entry)}"
                    yield (*place, entry), f"{name} has no entry {entry!r}{match}"


def _other_type(value: Any, default: Any) -> str:
    """Return what is expected where `value` is not of the kind of `default`, or nothing."""
    kinds: tuple[tuple[Any, str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        ((list, tuple), "a list"),
        (Mapping, "a mapping"),
    )
    for kind, expected in kinds:
        if isinstance(default, kind):
            number_as_bool = isinstance(value, bool) and kind is not bool
            return "" if isinstance(value, kind) and not number_as_bool else expected
    return ""
