"""Models that are named, not given: ``import:pkg.module:attr`` and entry points.

Only the standard library is imported until a model is loaded.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

from pytest_stbench.errors import ModelError
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
    return _attribute(_module(module_name), module_name, attribute)


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


def _module(name: str) -> Any:
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
