"""What a model without ``fit`` answers, as arrays: what was asked, and who was asked, decide what it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.region import Region
from pytest_stbench.models.contract import accept_embedding, accept_expression, accept_signatures, to_array
from pytest_stbench.models.contract_labels import (
    accept_clusters,
    accept_labels,
    accept_mask,
    accept_proportions,
)
from pytest_stbench.models.identity import json_digest
from pytest_stbench.models.state import state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.models.tensors import TensorDigests


def asked_digest(method: str, arguments: Sequence[Any]) -> str | None:
    """Return a digest of what is asked beside the input; None for arguments that have none."""
    parts: list[Any] = [method]
    for argument in arguments:
        if isinstance(argument, Region):
            parts.append({name: _array_digest(values) for name, values in argument.arrays().items()})
        elif isinstance(argument, int):
            parts.append(int(argument))
        elif isinstance(argument, list | tuple) and all(isinstance(name, str) for name in argument):
            parts.append([str(name) for name in argument])
        else:
            return None
    return json_digest(parts)


def own_state(model: object, tensors: TensorDigests) -> tuple[str, bool]:
    """Return a digest of what `model` holds itself, and whether all of that has one.

    Weights count by content, and so do plain values of its class and what it states of itself: a counter may
    lie in any of them.
    """
    state = state_of(model, tensors, statements=True)
    kind = type(model)
    return json_digest([kind.__module__, kind.__qualname__, dict(state.attributes)]), not state.undigested


def plain_answer(
    method: str, raw: object, units: NDArray[np.str_], arguments: Sequence[Any]
) -> NDArray[Any] | None:
    """Return what a method of the contract returned as an array that is read as the answer itself would be.

    None where that takes the fold that asks: of predicted counts. `units` are the names of the input's rows.
    Raises ``ContractError``.
    """
    match method:
        case "embed":
            return accept_embedding(raw, len(units), unit_names=units)
        case "cluster":
            return accept_clusters(raw, arguments[0], unit_names=units)[:, 0]
        case "segment":
            return accept_mask(raw, arguments[0].shape)
        case "predict_signature":
            return accept_signatures(raw, names=arguments[0], unit_names=units)
        case "predict_labels":
            return _as_it_came(raw, accept_labels(raw, classes=arguments[0], unit_names=units))
        case "predict_proportions":
            return _as_it_came(raw, accept_proportions(raw, types=arguments[0], unit_names=units))
    if isinstance(raw, tuple):
        return None
    return accept_expression(
        raw, n=len(units), genes=arguments[-1], unit_names=units, normalise_counts=np.asarray
    )


def _as_it_came(raw: object, accepted: NDArray[np.float32]) -> NDArray[Any]:
    """Return shares before they were divided by their sums: a second time that could move a last digit."""
    if ((accepted == 0) | (accepted == 1)).all():
        return accepted
    values, _, _ = to_array(raw, "")
    return np.array(values, dtype=values.dtype.newbyteorder("="), order="C")


def _array_digest(values: NDArray[Any]) -> str:
    state = hashlib.sha256(f"{values.dtype}{values.shape}".encode())
    state.update(np.ascontiguousarray(values).tobytes())
    return state.hexdigest()
