"""What a task file is read by: its keys, and a block for each family that has settings."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from pytest_stbench.errors import StbenchError
from pytest_stbench.index import loaded
from pytest_stbench.spec.model import TaskSpec

if TYPE_CHECKING:
    from pytest_stbench.registry import Family, Registry
    from pytest_stbench.spec.block import Block


@lru_cache(maxsize=8)
def task_model(registry: Registry) -> type[TaskSpec]:
    """Return what a task file is read by: beside its other keys a block for each family that has settings.

    Raises ``StbenchError`` where a family cannot be imported or bears the name of a key of task files.
    """
    kinds: dict[str, type[Block]] = {}
    for family in registry.families:
        kind = _settings_kind(family) if family.target else None
        if kind is not None and kind.model_fields:
            kinds[family.name] = kind
    fields: dict[str, Any] = {name: (kind | None, None) for name, kind in kinds.items()}
    model = create_model(TaskSpec.__name__, __base__=TaskSpec, __doc__=TaskSpec.__doc__, **fields)
    model.kinds = kinds
    return model


def _settings_kind(family: Family) -> type[Block]:
    try:
        kind: type[Block] = loaded(family)
    except StbenchError:
        raise
    except Exception as error:
        raise StbenchError(
            f"the family {family.name}: {family.target} cannot be imported: {type(error).__name__}: {error}: "
            "mend what declares it, or take it out"
        ) from error
    if hasattr(TaskSpec, family.name) or family.name in (*TaskSpec.model_fields, "extends"):
        raise StbenchError(
            f"{family.target}: no family can be called {family.name!r}, which is a key of task files: rename "
            "the class"
        )
    return kind
