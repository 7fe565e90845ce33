"""What a model must look like, and how one is found, copied, identified and checked."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.models.contract import ContractError, accept_embedding, accept_expression
    from pytest_stbench.models.fresh import ModelHandle
    from pytest_stbench.models.identity import Identity
    from pytest_stbench.models.probe import EmbedProbe

_HOMES = {
    "ContractError": "contract",
    "EmbedProbe": "probe",
    "Identity": "identity",
    "ModelHandle": "fresh",
    "accept_embedding": "contract",
    "accept_expression": "contract",
}
__all__ = [
    "ContractError",
    "EmbedProbe",
    "Identity",
    "ModelHandle",
    "accept_embedding",
    "accept_expression",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
