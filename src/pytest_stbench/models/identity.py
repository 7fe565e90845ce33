"""Who a model is: what decides whether a stored prediction may be used for it."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pytest_stbench.errors import ModelError

AS_GIVEN = "as given"
"""``unit_names`` of a model that joins files of its own by the names of units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under what terms a model may be used, as it says; None where it says nothing.

    ``commercial`` is False for licences that forbid such use, ``gated`` True for weights that are given to
    those who accepted their terms.
    """

    licence: str | None = None
    commercial: bool | None = None
    gated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Digests of a model's attributes.

    ``undigested`` names attributes that have no digest and why (``lock (lock)``). ``paths`` has the last
    part of every absolute path: the rest is another one on another machine, so that none is in
    ``attributes``.
    """

    attributes: Mapping[str, str]
    undigested: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A model as the store and the results name it.

    ``kind`` is the qualified name of its class, so that a subclass which inherits ``name`` and
    ``revision`` is another model; ``attributes`` (name: digest) are what it was built with, so that
    other arguments are. ``undigested`` names attributes without digest, ``paths`` the last part of every
    absolute path.
    ``pretraining`` is a statement about the model that its predictions do not depend on, and
    ``source`` (digest of the text of its class, empty where there is none) changes with every comment:
    both are no part of :attr:`digest`.
    """

    name: str
    revision: str
    kind: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    pretraining: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    undigested: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of name, revision, class, configuration and attributes."""
        return json_digest(
            {
                "name": self.name, "revision": self.revision, "kind": self.kind, "config": dict(self.config),
                "attributes": dict(self.attributes),
            }
        )  # fmt: skip

    @property
    def beside(self) -> dict[str, Any]:
        """What is kept beside a prediction and compared, JSON-safe: source, and names of files."""
        return {"source": self.source, "paths": dict(self.paths)}


def identity(model: object) -> Identity | None:
    """Return the identity of `model` as it was built, or None.

    Needs ``name`` and ``revision`` (strings that are not empty); ``config`` (a JSON-safe mapping)
    and ``pretraining`` (names of corpora) are optional. A model without identity has its
    predictions in memory only. Raises ``ModelError`` for an attribute of the wrong kind.
    """
    name = _text(model, "name")
    revision = _text(model, "revision")
    if name is None or revision is None:
        return None
    from pytest_stbench.models.state import state_of

    kind: Any = type(model)
    state = state_of(model)
    return Identity(
        name=name, revision=revision, kind=f"{kind.__module__}.{kind.__qualname__}",
        config=_config(model), pretraining=pretraining(model),
        attributes=state.attributes, undigested=state.undigested, paths=state.paths,
        source=_source(kind),
    )  # fmt: skip


def pretraining(model: object) -> tuple[str, ...]:
    """Return the corpora `model` says it was pretrained on; empty when it says nothing."""
    found = getattr(model, "pretraining", None)
    if found is None:
        return ()
    if (
        isinstance(found, str)
        or not isinstance(found, Sequence | frozenset | set)
        or not all(isinstance(corpus, str) for corpus in found)
    ):
        raise ModelError(
            f"`pretraining` of the model must be a tuple of names of corpora, found {found!r}: "
            "write for example pretraining = ('HEST', 'TCGA')"
        )
    return tuple(sorted(found)) if isinstance(found, set | frozenset) else tuple(found)


def input_class(model: object) -> str | None:
    """Return the kind of input `model` says it uses (``image``, ``image+coordinates`` ...)."""
    return _text(model, "input_class")


def terms(model: object) -> Terms:
    """Return the terms that `model` states. Raises ``ModelError`` for one of the wrong kind."""
    said = {name: getattr(model, name, None) for name in ("commercial", "gated")}
    wrong = next((name for name, value in said.items() if not isinstance(value, bool | None)), None)
    if wrong:
        raise ModelError(f"`{wrong}` of the model must be True or False, found {said[wrong]!r}")
    return Terms(licence=_text(model, "licence"), **said)


def own_names(model: object) -> bool:
    """Return whether `model` asks for the names of units as the data set has them.

    Raises ``ModelError`` for another ``unit_names`` than ``"as given"``.
    """
    found = getattr(model, "unit_names", None)
    if found is None or (isinstance(found, str) and found == AS_GIVEN):
        return found is not None
    raise ModelError(
        f"`unit_names` of the model is {found!r}: write unit_names = {AS_GIVEN!r} to get the names of the "
        "data set, or leave it out"
    )


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no blanks, no nan."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def json_digest(value: object) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=256)  # the text of a class that is loaded stays what it was
def _source(kind: type) -> str:
    """Return the digest of the text of a class and of its bases; empty where none can be read."""
    texts = []
    for base in kind.__mro__[:-1]:
        try:
            texts.append(inspect.getsource(base))
        except (OSError, TypeError):  # typed in, built in, or its file has gone
            continue
    return json_digest(texts) if texts else ""


def _text(model: object, attribute: str) -> str | None:
    found = getattr(model, attribute, None)
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise ModelError(
            f"`{attribute}` of the model must be a string, found {found!r} ({type(found).__name__}): "
            f"write for example {attribute} = {str(found) if isinstance(found, int | float) else 'v1'!r}"
        )
    return found


def _config(model: object) -> Mapping[str, Any]:
    found = getattr(model, "config", None)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ModelError(
            f"`config` of the model must be a mapping, found {type(found).__name__}: "
            "give its settings as a dictionary, for example config = {'layers': 4}"
        )
    return {key: _json_safe(found[key], f"config[{key!r}]", (), key) for key in found}


def _json_safe(value: Any, where: str, parents: tuple[int, ...], key: object) -> Any:
    """Return a plain copy of `value`; `parents` are the ids of the containers around it."""
    if not isinstance(key, str):
        raise ModelError(
            f"{where} of the model has a key that is not a string ({type(key).__name__}): write {str(key)!r}"
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if id(value) in parents:
        message = f"{where} of the model contains itself and cannot be written as JSON: give plain settings"
        raise ModelError(message)
    inside = (*parents, id(value))
    if isinstance(value, Mapping):
        return {k: _json_safe(value[k], f"{where}[{k!r}]", inside, k) for k in value}
    if isinstance(value, list | tuple):
        return [_json_safe(item, f"{where}[{i}]", inside, "") for i, item in enumerate(value)]
    raise ModelError(
        f"{where} of the model is {value!r} ({type(value).__name__}), which is not JSON-serialisable: "
        "`config` may hold strings, finite numbers, booleans, None, lists and dictionaries; "
        "convert it with str(), float(), int() or .tolist()"
    )
