"""What is valid of a file that has mistakes, so that the rules can look at the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pytest_stbench.spec.yaml_lines import Key

M = TypeVar("M", bound=BaseModel)

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
    "labels": "placeholder",
    "um_per_px": 1.0,
    "margin": 0.0,
    "geometry": "none",
    "stbench_data": 1,
    "title": "placeholder",
    "homepage": "https://placeholder/",
    "url": None,
    "licence": "placeholder",
    "citation": "placeholder",
    "slide": "placeholder",
    "slides": 1,
    "technology": "placeholder",
    "indication": "placeholder",
    "organ": "placeholder",
    "dataset": {"source": "placeholder"},
}


def errors_of(model: type[BaseModel], data: dict[str, Any]) -> list[Any]:
    """Return what pydantic finds wrong with `data`."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []


class Rest(Generic[M]):
    """`data` without what is wrong with it: ``value``, and in ``broken`` the key paths that were left out.

    Of a list the items that are wrong are left out; key paths count the items as they are written. Where
    required keys are missing, placeholders stand in. ``value`` is None where nothing can be made of it.
    `data` is changed.
    """

    def __init__(self, model: type[M], data: dict[str, Any], errors: list[Any]) -> None:
        self.broken: tuple[Key, ...] = ()
        self.value: M | None = None
        self._data = data
        self._kept: dict[Key, list[int]] = {}
        for _round in range(MAX_ROUNDS):
            if not errors:
                self.value = model.model_validate(data)
                return
            self._drop_all(errors)
            errors = errors_of(model, data)

    def written(self, key: Key) -> Key:
        """Return the key path of the file for one of ``value``."""
        path: Key = ()
        for part in key:
            kept = self._kept.get(path)
            path = (*path, kept[part] if kept is not None and isinstance(part, int) else part)
        return path

    def hides(self, key: Key) -> bool:
        """Return whether a key path of the file is, or lies below, what was left out."""
        return any(key[:length] in self.broken for length in range(len(key) + 1))

    def _drop_all(self, errors: list[Any]) -> None:
        """Take what `errors` name out of the data; several may name one value, and count once."""
        places: dict[Key, bool] = {}
        for error in errors:
            place = self._place(error["loc"])
            missing = error["type"] == "missing" and place == error["loc"]
            if missing and place[-1] not in PLACEHOLDERS:
                place, missing = place[:-1], False
            places[place] = missing
        self.broken += tuple(self.written(place) for place in places)
        # Of one list the last first, and a value before what holds it: what is gone moves no other.
        for place in sorted(places, key=_last_first):
            self._drop(place, missing=places[place])

    def _place(self, loc: Key) -> Key:
        """Return as much of `loc` as there is in the data; a key that is missing is its last part."""
        parent: Any = self._data
        for position, part in enumerate(loc):
            if isinstance(parent, dict) and part not in parent:
                return loc[: position + 1]
            inside = isinstance(parent, dict) or (isinstance(parent, list) and _within(part, parent))
            if not inside:
                return loc[:position]
            parent = parent[part]
        return loc

    def _drop(self, place: Key, *, missing: bool) -> None:
        owner: Any = self._data
        for part in place[:-1]:
            owner = owner[part]
        last = place[-1]
        if isinstance(owner, list):
            assert isinstance(last, int)
            path = self.written(place[:-1])
            self._kept.setdefault(path, list(range(len(owner)))).pop(last)
            owner.pop(last)
        elif missing:
            owner[last] = PLACEHOLDERS[str(last)]
        else:
            owner.pop(last, None)


def _within(part: str | int, items: list[Any]) -> bool:
    return isinstance(part, int) and part < len(items)


def _last_first(place: Key) -> tuple[tuple[int, str], ...]:
    parts = ((-part, "") if isinstance(part, int) else (0, part) for part in place)
    return (*parts, (1, ""))
