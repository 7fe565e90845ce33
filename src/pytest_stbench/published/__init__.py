"""Published methods by name: each a file of this folder, of the packages it names.

A file has ``model`` or a class ``Model``, which builds the model, of what stands after ``NAME:`` where it
asks for that, and says what it needs: ``NEEDS`` (module: distribution), ``EXTRA`` (of this package),
``LICENCE`` (None where each model has its own), ``COMMERCIAL`` (False where that forbids it).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from inspect import signature
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ModelError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

REVISION = 1
"""Raised when a method would predict otherwise with the same packages."""


def names() -> tuple[str, ...]:
    """Return the names of the methods; imports none of them."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def published(name: str) -> Callable[[], Any]:
    """Return what builds the method `name`, such as ``tangram`` or ``timm:resnet18``.

    Raises ``ModelError`` where there is none of that name, or a package that it needs is not installed.
    """
    method, _, which = name.partition(":")
    if method not in names():
        known = names()
        raise ModelError(
            f"there is no published method {method!r}{nearest(method, known)}; there are {', '.join(known)}"
        )
    module = importlib.import_module(f"{__name__}.{method}")
    missing = [package for found, package in module.NEEDS.items() if not _installed(found, package)]
    if missing:
        raise ModelError(
            f"{name} needs {' and '.join(missing)}, not installed here: "
            f"pip install 'pytest-stbench[{module.EXTRA}]'"
        )
    build = getattr(module, "model", None) or module.Model
    asked = signature(build).parameters.values()
    if (which and not asked) or (not which and any(one.default is one.empty for one in asked)):
        raise ModelError(f"--stbench-model={name}: write {method}{':NAME' if asked else ''}")
    return partial(_built, module, build, which)


def _installed(module: str, package: str) -> bool:
    """Return whether a module is there and is that of the package, not a file of its name."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return find_spec(module) is not None


def _built(module: ModuleType, build: Callable[..., Any], which: str) -> Any:
    model = build(*filter(None, [which]))
    versions = [f"{package} {metadata.version(package)}" for package in module.NEEDS.values()]
    model.name = ":".join(filter(None, (module.__name__.rpartition(".")[2], which)))
    model.revision = ", ".join([str(REVISION), *versions, *filter(None, [getattr(model, "weights", "")])])
    if module.LICENCE:
        vars(model).update(licence=module.LICENCE, commercial=getattr(module, "COMMERCIAL", True))
    if module.EXTRA != "image":  # all others learn from the training slides alone
        model.pretraining = ()
    return model


def asked_alone(reference: Any, slide: Any, task: Any) -> Any:
    """Return the reference with those genes that the slide has or the task asks for."""
    wanted = {*slide.var_names, *task.genes}
    return reference[:, [name in wanted for name in reference.var_names]].copy()


def log_counts(slide: Any, total: float | None = None) -> Any:
    """Return a copy of the units with ``log1p(counts / sum * total)``, by default the slide's median sum."""
    import numpy as np
    import scanpy as sc

    units = slide.units.copy()
    units.X = units.X.astype(np.float32)
    sc.pp.normalize_total(units, target_sum=total)
    sc.pp.log1p(units)
    return units
