"""What a model was built with: a digest of its attributes, and the names of those that have none.

The walk follows what ``copy.deepcopy`` would copy, so that a ``__getstate__`` that leaves something
out (a lock, a cache) is respected.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from pytest_stbench.models.identity import State
from pytest_stbench.models.tensors import TensorDigests, UndigestibleError, of_tensor

STATEMENTS = frozenset({"name", "revision", "config", "pretraining", "licence", "commercial", "gated"})
"""Attributes that the identity has by themselves, or that predictions do not depend on."""
DEVICE = re.compile(r"(cpu|mps|(cuda|xpu|hpu)(:\d+)?)")
DEPTH = 100
BOOKKEEPING = frozenset({"_modules", "_parameters", "_compiled_call_impl", "_non_persistent_buffers_set"})
"""Private attributes of a module of a framework that ``state_dict`` or its parts stand for."""
_class_level: WeakKeyDictionary[type, dict[str, tuple[object, str]]] = WeakKeyDictionary()


def state_of(model: object, tensors: TensorDigests | None = None, *, statements: bool = False) -> State:
    """Return the digests of all attributes of `model` as it is, and of its class's plain ones.

    `tensors` remembers digests of what was not written to since, for who asks again and again. What a
    model states of itself (its configuration ...) belongs to it where `statements` says so.

    Equal are: dictionaries whatever the order of their keys, numpy scalars and the Python numbers they
    hold, devices (``cuda:1``), absolute paths. Functions and classes stand for their name; lambdas,
    functions inside of others, open files and locks have no digest.
    """
    walk = _Walk(tensors)
    attributes = _of_class(type(model))
    undigested = []
    try:
        parts = walk.parts_of(model)
    except UndigestibleError as error:
        return State(attributes=attributes, undigested=(f"the model itself ({error})",))
    for name, value in parts.items():
        if name in STATEMENTS and not statements:
            continue
        try:
            attributes[name] = walk.token(value, name, (id(model),))
        except UndigestibleError as error:
            undigested.append(str(error))
        except Exception as error:  # noqa: BLE001  # a user's __iter__ or __getitem__ may raise anything
            undigested.append(f"{name} ({type(error).__name__} while it was read)")
    return State(attributes=attributes, undigested=tuple(undigested), paths=walk.paths)


class _Walk:
    """Makes tokens: short texts that are equal where values are."""

    def __init__(self, tensors: TensorDigests | None = None) -> None:
        self.paths: dict[str, str] = {}
        self._tensors = tensors or TensorDigests()
        self._known: dict[int, tuple[object, str]] = {}  # holds the objects, so that no id is used twice

    def token(self, value: Any, where: str, inside: tuple[int, ...]) -> str:
        if value is None or isinstance(value, bool | np.bool_):
            return f"b{value}"
        if isinstance(value, str):
            return self._text(value, where)
        if isinstance(value, np.generic) and not isinstance(value, np.void):
            plain = value.item()
            return self.token(plain, where, inside) if not isinstance(plain, np.generic) else f"n{plain!r}"
        if isinstance(value, int):
            return f"i{int(value):x}"
        if isinstance(value, float):
            return f"f{float(value)!r}"
        if isinstance(value, complex):
            return f"z{complex(value)!r}"
        if isinstance(value, PurePath):
            return (
                self._path(str(value), where) if value.is_absolute() else f"p{json.dumps(value.as_posix())}"
            )
        if id(value) in self._known:
            return self._known[id(value)][1]
        if id(value) in inside:
            return f"cycle {_called(type(value))}"
        if len(inside) > DEPTH:
            raise UndigestibleError(f"{where} (nested more than {DEPTH} deep)")
        found = self._container(value, where, (*inside, id(value)))
        self._known[id(value)] = (value, found)
        return found

    def parts_of(self, value: object) -> dict[str, Any]:
        """Return what an object is made of: its attributes by name, and what else makes a copy of it."""
        if callable(getattr(type(value), "state_dict", None)):
            return self._of_module(value)
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise UndigestibleError(type(value).__qualname__) from error
        if isinstance(reduced, str):
            return {"(global)": f"{getattr(value, '__module__', '')}.{reduced}"}
        maker, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        parts: dict[str, Any] = {}
        for own in (
            state if isinstance(state, tuple) and len(state) == 2 else (state,)
        ):  # attributes and slots
            if isinstance(own, dict) and all(isinstance(name, str) for name in own):
                parts |= own
            elif own is not None:
                parts[f"(state {len(parts)})"] = own
        if getattr(maker, "__name__", "") not in ("__newobj__", "_reconstructor"):
            parts["(maker)"] = maker
        if arguments and tuple(arguments) != (type(value),):
            parts["(arguments)"] = tuple(arguments)
        if items is not None:
            parts["(items)"] = list(items)
        if pairs is not None:
            parts["(pairs)"] = list(pairs)
        return parts

    def _of_module(self, value: Any) -> dict[str, Any]:
        """Return weights, settings and parts of a model of a framework; hooks and bookkeeping are no part."""
        try:
            return {**_settings(vars(value)), "(weights)": value.state_dict()}
        except Exception as error:
            message = f"{type(value).__qualname__}: {type(error).__name__} in state_dict()"
            raise UndigestibleError(message) from error

    def _container(self, value: Any, where: str, inside: tuple[int, ...]) -> str:
        kind = _called(type(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return _digest(kind, bytes(value))
        if isinstance(value, np.ndarray):
            return self._array(value, where, inside)
        if hasattr(value, "detach") and hasattr(value, "cpu"):
            digest = self._tensors.of(value, lambda: self._array(of_tensor(value, where), where, inside))
            return _digest(kind, str(value.dtype), digest)
        if isinstance(value, tuple | list | set | frozenset | Mapping):
            own = getattr(value, "__dict__", None)  # of a subclass
            further = (self.token(dict(own), where, inside),) if own else ()
            return _digest(kind, *self._items(value, where, inside), *further)
        if isinstance(value, ModuleType):
            return f"m{value.__name__}"
        method = isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, ModuleType)
        if isinstance(value, type | FunctionType | BuiltinFunctionType) and not method:
            return self._named(value, where, inside)
        if isinstance(value, np.ufunc) and "vectorized" not in value.__name__:  # by np.frompyfunc
            return f"u{value.__name__}"
        if kind in ("torch.device", "torch.dtype"):
            return f"t{value}" if kind == "torch.dtype" else "device"
        return self._object(kind, value, where, inside)

    def _items(self, value: Any, where: str, inside: tuple[int, ...]) -> list[str]:
        if isinstance(value, tuple | list):
            if {type(item) for item in value} <= {int, float}:  # as `token` has them, without a call for each
                return [f"i{v:x}" if type(v) is int else f"f{v!r}" for v in value]
            return [self.token(item, f"{where}[{i}]", inside) for i, item in enumerate(value)]
        if isinstance(value, set | frozenset):
            return sorted(self.token(item, where, inside) for item in value)
        pairs = [
            (self.token(key, f"{where} (a key)", inside), self.token(value[key], f"{where}[{key!r}]", inside))
            for key in value
        ]
        return [part for pair in sorted(pairs) for part in pair]

    def _named(self, value: Any, where: str, inside: tuple[int, ...]) -> str:
        """Return the name of a class or function; one that a function made is not its name alone."""
        name = f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, type):
            return (
                f"c{name}"
                if "<locals>" not in name
                else _digest(name, self.token(_of_class(value), where, inside))
            )
        found: Any = sys.modules.get(value.__module__ or "")
        for part in value.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is not value:
            raise UndigestibleError(f"{where} ({value.__qualname__})")
        return f"c{name}"

    def _object(self, kind: str, value: object, where: str, inside: tuple[int, ...]) -> str:
        try:
            parts = self.parts_of(value)
        except UndigestibleError as error:
            raise UndigestibleError(f"{where} ({error})") from error
        if "<locals>" in kind:
            parts["(class)"] = _of_class(type(value))
        tokens = (f"{name}={self.token(parts[name], f'{where}.{name}', inside)}" for name in sorted(parts))
        return _digest(kind, *tokens)

    def _array(self, value: Any, where: str, inside: tuple[int, ...]) -> str:
        if isinstance(value, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(value)
            return _digest("masked", *(self._array(part, where, inside) for part in (value.filled(), mask)))
        if value.dtype.hasobject or value.dtype.names:
            objects = self.token(value.tolist(), where, inside)
            return _digest("array", str(value.dtype), str(value.shape), objects)
        raw = np.ascontiguousarray(value)
        content = raw.reshape(-1).view(np.uint8).data if raw.nbytes else b""
        return _digest("array", value.dtype.str, str(value.shape), content)

    def _text(self, value: str, where: str) -> str:
        if DEVICE.fullmatch(value):
            return "device"
        path = PurePosixPath(value) if value.startswith("/") else PureWindowsPath(value)
        if (
            path.is_absolute() and len(path.parts) > 2 and "\n" not in value
        ):  # a root and one name may be anything
            return self._path(value, where)
        return f"s{json.dumps(str.__str__(value))}"

    def _path(self, value: str, where: str) -> str:
        self.paths[where] = re.split(r"[/\\]", value.rstrip("/\\"))[-1]
        return "path"


def _settings(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a model of a framework and of its parts, whose weights it has."""
    found: dict[str, Any] = {
        name: part
        for name, part in own.items()
        if name not in BOOKKEEPING and not (name.startswith("_") and "hook" in name)
    }
    for name, child in (own.get("_modules") or {}).items():
        found[f"({name})"] = None if child is None else {"(kind)": type(child), **_settings(vars(child))}
    return found


def _of_class(kind: type) -> dict[str, str]:
    """Return the digests of values that the class and its bases have, as they were when first seen.

    A class may count or collect in one of them. A public one that was assigned anew is looked at again; a
    private one is not, since classes keep there what they loaded.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        new = base not in _class_level
        seen = _class_level.setdefault(base, {})
        for name, value in vars(base).items():
            private = name.startswith("_")
            if name in STATEMENTS or (private and name.endswith("__")):
                continue
            if new or (not private and (name not in seen or seen[name][0] is not value)):
                seen[name] = (value, _class_value(value, name))
            if seen.get(name, (None, ""))[1]:
                found[f"{name} of the class"] = seen[name][1]
    return found


def _class_value(value: object, name: str) -> str:
    """Return the token of a value of a class; empty for methods, properties and what has no digest."""
    if hasattr(type(value), "__get__") or isinstance(value, type | ModuleType):
        return ""
    try:
        return _Walk().token(value, name, ())
    except Exception:  # noqa: BLE001  # a user's __reduce__ may raise anything
        return ""


def _called(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            raw = part.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(raw), raw))
        else:
            digest.update(b"%d:" % len(part))
            digest.update(part)
    return f"#{digest.hexdigest()}"
