"""A fresh model for every fold, from what a user gives or names (``import:pkg.module:attr``, entry points).

Only the standard library is imported until a model is loaded.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import weakref
from importlib import metadata
from typing import Any

from pytest_stbench.errors import ModelError
from pytest_stbench.models.identity import (
    Identity,
    Terms,
    identity,
    input_class,
    own_names,
    pretraining,
    terms,
)
from pytest_stbench.models.protocol import PREDICTION_METHODS, has_fit, prediction_methods
from pytest_stbench.registry import nearest

ENTRY_POINT_GROUP = "pytest_stbench.models"
PREFIX = "import:"


def import_model(reference: str) -> Any:
    """Return the attribute that `reference` (``import:pkg.module:attr``) names.

    What comes back is a class, a function that builds a model, or a model. Raises ``ModelError``
    when the module or the attribute does not exist; an exception of the user's own code inside
    the module passes through as it is.
    """
    reference = reference.removeprefix(PREFIX)
    module_name, _, attribute = reference.partition(":")
    if not _dotted(module_name) or not _dotted(attribute):
        raise ModelError(
            f"{PREFIX + reference!r} does not name a model: write import:PACKAGE.MODULE:ATTRIBUTE, "
            "for example import:mylab.models:Model"
        )
    return _attribute(_import(module_name), module_name, attribute)


def entry_point_names() -> tuple[str, ...]:
    """Return the names of the models that installed packages offer; loads none of them."""
    return tuple(sorted({entry.name for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)}))


def load_entry_point(name: str) -> Any:
    """Return what the entry point `name` of the group ``pytest_stbench.models`` stands for.

    Raises ``ModelError`` when there is none of that name, when two packages offer different ones,
    or when it names a module or attribute that does not exist.
    """
    values = sorted({entry.value for entry in metadata.entry_points(group=ENTRY_POINT_GROUP, name=name)})
    if not values:
        known = entry_point_names()
        raise ModelError(
            f"no installed package offers a model {name!r} (entry points of the group {ENTRY_POINT_GROUP}: "
            f"{', '.join(known) or 'none'}){nearest(name, known)}"
        )
    if len(values) > 1:
        raise ModelError(
            f"several installed packages offer a model {name!r} ({', '.join(values)}): "
            f"choose one by {PREFIX}{values[0]}"
        )
    return import_model(values[0].partition("[")[0].replace(" ", ""))


def _dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(missing + "."):
            raise
        raise ModelError(
            f"there is no module {missing!r} (asked for by {PREFIX}{name}:...): install its package, or put "
            "its folder on the path (PYTHONPATH=. or `pythonpath = .` in the pytest configuration)"
        ) from None


def _attribute(module: Any, module_name: str, attribute: str) -> Any:
    found, path = module, module_name
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [known for known in dir(found) if not known.startswith("_")]
            raise ModelError(f"{path} has no attribute {part!r}{nearest(part, public)}")
        found, path = getattr(found, part), f"{path}.{part}"
    return found


PROBED = frozenset({"predict_expression", "impute"})

_Facts = tuple[Identity | None, frozenset[str], str | None, tuple[str, ...], bool, bool, Terms]


class ModelHandle:
    """A model that can be had anew.

    Parameters
    ----------
    label
        What the model is called in ids, messages and results.
    source
        A class or another callable without arguments that builds a model (it has no prediction
        method itself), or a model. An object is deep-copied here and now, before any fit, and
        every fresh model is a copy of that copy. An object that cannot be copied is used as it
        is when it has no ``fit``.

    Raises
    ------
    ModelError
        When `source` is no model, or has ``fit`` and can neither be copied nor made anew.
    """

    def __init__(self, label: str, source: object) -> None:
        self.label = label
        self._factory = _is_factory(source)
        self._unused: Any = None
        self._latest: weakref.ref[Any] | None = None
        if self._factory:
            self._refuse_arguments(source)
            self._source: Any = source
        else:
            self._refuse_no_model(source)
            self._source = self._copy(source)
        self._facts: _Facts | None = None
        self._failed: BaseException | None = None
        self._digest: str | None = None

    def fresh(self) -> Any:
        """Return a model that nobody has fitted; one with ``embed`` alone comes as a probe.

        What the user's factory or constructor raises passes through.
        """
        from pytest_stbench.models.probe import EmbedProbe

        model, self._unused = (self._make() if self._unused is None else self._unused), None
        return EmbedProbe(model) if prediction_methods(model) == {"embed"} else model

    @property
    def identity(self) -> Identity | None:
        """Identity of a fresh model, None when it has none."""
        return self._known()[0]

    @property
    def digest(self) -> str:
        """Digest of that identity, made once; empty where there is none."""
        if self._digest is None:
            found = self.identity
            self._digest = found.digest if found else ""
        return self._digest

    @property
    def methods(self) -> frozenset[str]:
        """Methods of the contract the model can serve, those of the probe included."""
        return self._known()[1]

    @property
    def input_class(self) -> str | None:
        """Kind of input the model says it uses."""
        return self._known()[2]

    @property
    def pretraining(self) -> tuple[str, ...]:
        """Corpora the model says it was pretrained on."""
        return self._known()[3]

    @property
    def declares_pretraining(self) -> bool:
        """Whether the model says what it was pretrained on, be it nothing."""
        return self._known()[4]

    @property
    def own_names(self) -> bool:
        """Whether the model asks for the names of units as the data set has them."""
        return self._known()[5]

    @property
    def terms(self) -> Terms:
        """Licence and gate of the model, as it says."""
        return self._known()[6]

    def _known(self) -> _Facts:
        """Build a model and ask it; one that could not be built is not built again."""
        if self._failed is not None:
            raise self._failed
        if self._facts is None:
            try:
                self._unused = self._make()
                model = self._unused
                said = getattr(model, "pretraining", None) is not None
                self._facts = (
                    identity(model), methods(model), input_class(model), pretraining(model), said,
                    own_names(model), terms(model),
                )  # fmt: skip
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._failed = error
                raise
        return self._facts

    def _make(self) -> Any:
        if not self._factory:
            return self._copy(self._source)
        model = self._source()
        self._refuse_no_model(model)
        if has_fit(model) and self._latest is not None and self._latest() is model:
            raise ModelError(
                f"the factory of model {self.label!r} returned the same {type(model).__name__} twice, so a "
                "fold would start from the fit of another: let it build a new object at every call"
            )
        try:
            self._latest = weakref.ref(model)
        except TypeError:  # an object with __slots__ cannot be told apart from its successor
            self._latest = None
        return model

    def _copy(self, model: object) -> object:
        try:
            twin = copy.deepcopy(model)
        except Exception as error:  # noqa: BLE001  # a user's __deepcopy__ or __reduce__ may raise anything
            reason = f"it cannot be deep-copied ({type(error).__name__}: {error})"
        else:
            if twin is not model:
                return twin
            reason = "its deep copy is the same object"
        if not has_fit(model):
            return model
        raise ModelError(
            f"model {self.label!r} ({type(model).__name__}) has `fit` and must be new for every fold, but "
            f"{reason}: give its class or a function without arguments that builds it, for example "
            "`return Model` or `return lambda: Model(size=4)` in the fixture"
        )

    def _refuse_arguments(self, source: Any) -> None:
        try:
            parameters = inspect.signature(source).parameters.values()
        except (TypeError, ValueError):  # builtins without a signature: the call itself will tell
            return
        positional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = [p.name for p in parameters if p.default is p.empty and p.kind not in positional]
        if needed:
            name = getattr(source, "__name__", type(source).__name__)
            raise ModelError(
                f"model {self.label!r} is built by {name}, which needs arguments ({', '.join(needed)}): give "
                f"something that takes none, for example `return lambda: {name}({needed[0]}=...)`"
            )

    def _refuse_no_model(self, model: object) -> None:
        if isinstance(model, type):
            raise ModelError(
                f"the factory of model {self.label!r} returned the class {model.__name__}, not a model: "
                "give the class itself, or call it"
            )
        if prediction_methods(model):
            return
        if model is None:
            found = "None: return the model from the fixture or factory"
        else:
            public = [name for name in dir(model) if not name.startswith("_")]
            hints = (nearest(name, PREDICTION_METHODS) for name in public)
            found = f"an object of type {type(model).__name__}{next((hint for hint in hints if hint), '')}"
        raise ModelError(
            f"model {self.label!r} has none of the methods {', '.join(PREDICTION_METHODS)}; found {found}"
        )


def methods(model: object) -> frozenset[str]:
    """Return the methods of the contract `model` can serve; ``embed`` alone is probed."""
    own = prediction_methods(model)
    return own | PROBED if own == {"embed"} else own


def _is_factory(source: object) -> bool:
    return isinstance(source, type) or (callable(source) and not prediction_methods(source))
