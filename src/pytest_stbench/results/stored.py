"""What all records of a results file have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pytest_stbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Callable


class Stored:
    """Base of the records: builtin values only, a key, conversion to and from JSON mappings.

    Values are converted by :func:`to_builtin` when a record is made, sequences become tuples.
    ``KEY`` names the fields that tell one record from another of its kind.
    """

    __slots__ = ()
    KEY: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "strict": True,
        "allow_inf_nan": False,
        "use_attribute_docstrings": True,
    }

    def __post_init__(self) -> None:
        for name, given in zip(self.names(), self._getter()(self), strict=True):
            kind = type(given)
            if kind in _PLAIN or (kind is float and math.isfinite(given)):
                continue
            value = to_builtin(given)
            # The classes are frozen; this is the one place that sets their fields.
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)

    @classmethod
    @cache
    def names(cls) -> tuple[str, ...]:
        """Return the names of the fields."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    @cache
    def _getter(cls) -> Callable[[Any], tuple[Any, ...]]:
        """Return what reads all fields of a record at once."""
        names = cls.names()
        return attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)

    @property
    def key(self) -> tuple[Any, ...]:
        """The values of the ``KEY`` fields."""
        return tuple(getattr(self, name) for name in self.KEY)

    def to_dict(self) -> dict[str, Any]:
        """Return a mapping that `json` writes as it is: tuples as lists, records as mappings."""
        return {
            name: value if type(value) in _WRITTEN else _plain(value)
            for name, value in zip(self.names(), self._getter()(self), strict=True)
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the record that `data` describes.

        Raises
        ------
        ResultsError
            With every field that is missing, unknown or of another type.
        """
        record: Self = parse(cls, json.dumps(data), f"a {cls.__name__}")
        return record


_PLAIN = frozenset((type(None), bool, int, str))
_WRITTEN = _PLAIN | {float}
_TEXT, _NUMBERS = frozenset((str,)), frozenset((float,))


def to_builtin(value: Any) -> Any:
    """Return `value` in the types of JSON.

    numpy scalars and arrays become Python numbers and lists; nan and infinities become None,
    since JSON has no word for them; tuples, sets and arrays become lists (sets sorted); keys of
    mappings become strings. Records are returned as they are.

    Raises
    ------
    TypeError
        For values that JSON cannot hold.
    """
    if type(value) in _PLAIN or isinstance(value, Stored):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return to_builtin(value.tolist())
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if type(value) is dict and _TEXT.issuperset(map(type, value)):
        if _NUMBERS.issuperset(map(type, value.values())) and all(map(math.isfinite, value.values())):
            return value.copy()
        return {key: item if type(item) in _PLAIN else to_builtin(item) for key, item in value.items()}
    if isinstance(value, Mapping):
        return {str(to_builtin(key)): to_builtin(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_builtin(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [to_builtin(item) for item in value]
    raise TypeError(
        f"{value!r} ({type(value).__name__}) cannot stand in a results file: "
        "use numbers, strings, lists or mappings"
    )


def parse(cls: Any, text: str | bytes, what: str) -> Any:
    """Return the `cls` written in the JSON `text`; `what` names it in the message of the error.

    Raises
    ------
    ResultsError
        With the place and the mistake of the first five problems.
    """
    from pydantic import ValidationError

    try:
        return adapter(cls).validate_json(text)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, p['loc'])) or 'top level'}: {p['msg']}" for p in error.errors()]
        more = [f"and {len(problems) - 5} more"] if len(problems) > 5 else []
        raise ResultsError(f"this is not {what}: {'; '.join(problems[:5] + more)}") from None


@cache
def adapter(cls: Any) -> Any:
    """Return the pydantic adapter of a record class."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _plain(value: Any) -> Any:
    if type(value) in _WRITTEN:
        return value
    if isinstance(value, Stored):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if _WRITTEN.issuperset(map(type, value.values())):
            return value.copy()
        return {key: _plain(item) for key, item in value.items()}
    return value
