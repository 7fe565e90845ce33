"""What is wrong with a task file, in words: pydantic errors and unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from pytest_stbench.spec.yaml_lines import Key

MAX_SHOWN = 12
MAX_LENGTH = 60

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_CODE_KEYS = ("import", "imports", "module", "modules", "plugin", "plugins", "code", "python", "class")


def shown(value: object) -> str:
    """Return `value` as it is named in a message, shortened."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."


def allowed(names: Iterable[str], found: str = "") -> str:
    """Return ``"allowed: a, b"``; of many names those most like `found`, and how many there are."""
    known = list(names)
    if not known:
        return "none is allowed here"
    if len(known) <= MAX_SHOWN:
        return f"allowed: {', '.join(known)}"
    like = {name: difflib.SequenceMatcher(None, found, name).ratio() for name in known}
    closest = sorted(sorted(known, key=lambda name: -like[name])[:MAX_SHOWN])
    return f"allowed: {', '.join(closest)} ... ({len(known)} in all)"


def unknown(kind: str, found: str, names: Iterable[str]) -> str:
    """Return the message for a name that no record has: what was found, nearest, allowed."""
    known = list(names)
    like = found[:MAX_LENGTH]
    return f"there is no {kind} {shown(found)}{nearest(like, known)}; {allowed(known, like)}"


def describe(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the message for one pydantic `error` met while building `model`."""
    kind, found = error["type"], error["input"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "missing":
        return "is missing: it is required"
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"], model)
    if kind == "literal_error":
        return _not_a_choice(found, error["loc"], model)
    if kind == "value_error":
        return _bad_value(found, str(context.get("error", error["msg"])), error["loc"], model)
    if kind in _EXPECTED:
        return f"found {shown(found)}; expected {_EXPECTED[kind]}{_hint(kind, found)}"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        word = {"greater_than": "more than", "greater_than_equal": "at least", "less_than": "less than"}
        bound = next(iter(context.values()))
        return f"found {shown(found)}; must be {word.get(kind, 'at most')} {bound:g}"
    if kind == "too_short":
        return "is empty: give at least one"
    return f"found {shown(found)}: {error['msg']}"


def _unknown_key(loc: Key, model: type[BaseModel]) -> str:
    key = str(loc[-1])[:MAX_LENGTH]
    if key in _CODE_KEYS:
        return "a task file can never name code to import: give the model with --stbench-model"
    known = field_names(model, loc[:-1])
    return f"unknown key{nearest(key, known)}; {allowed(known, key)}"


def _not_a_choice(found: object, loc: Key, model: type[BaseModel]) -> str:
    choices = [str(choice) for choice in choices_at(model, loc)]
    match = nearest(found[:MAX_LENGTH], choices) if isinstance(found, str) else ""
    return f"found {shown(found)}{match}; {allowed(choices)}"


def _bad_value(found: object, reason: str, loc: Key, model: type[BaseModel]) -> str:
    if reason == "not a number":
        whole = int in _leaves(_annotation(model, loc))
        return f"found {shown(found)}; expected {'a whole number' if whole else 'a number'}"
    return f"found {shown(found)}, {reason}"


def _hint(kind: str, found: object) -> str:
    if kind == "bool_type" and isinstance(found, str) and found.casefold() in ("yes", "no", "on", "off"):
        return f" (in YAML 1.2 {found!r} is text)"
    if kind == "string_type" and isinstance(found, int | float):
        return f': write "{shown(found)}" in quotes'
    return ""


def field_names(model: type[BaseModel], loc: Key) -> list[str]:
    """Return the keys that `model` knows at `loc`; empty where any key goes."""
    part = _part(_annotation(model, loc))
    return list(part.model_fields) if part else []


def choices_at(model: type[BaseModel], loc: Key) -> list[Any]:
    """Return the values that the field at `loc` allows, in the order of the model."""
    return [leaf for leaf in _leaves(_annotation(model, loc)) if isinstance(leaf, str | int)]


def _annotation(model: type[BaseModel], loc: Key) -> Any:
    """Return the type of the field that `loc` leads to, from `model` on."""
    annotation: Any = model
    for key in loc:
        part = _part(annotation)
        if part is not None:
            field = part.model_fields.get(str(key))
            annotation = field.annotation if field else None
        else:
            arguments = [a for a in _containers(annotation) if a is not Ellipsis]
            annotation = arguments[-1] if arguments else None
    return annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _part(annotation: Any) -> type[BaseModel] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def _containers(annotation: Any) -> tuple[Any, ...]:
    for member in _members(annotation):
        if get_origin(member) in (tuple, dict):
            return get_args(member)
    return ()


def _leaves(annotation: Any) -> list[Any]:
    """Return all types and literal values inside `annotation`."""
    arguments = get_args(annotation)
    if not arguments:
        return [annotation]
    return [leaf for argument in arguments for leaf in _leaves(argument)]
