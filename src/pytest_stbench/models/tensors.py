"""Tensors of frameworks as arrays, and digests of them that last until somebody writes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


class UndigestibleError(Exception):
    """A value without digest; the text says where it stands and what it is."""


class TensorDigests:
    """Digests of tensors by place and number of writes: of large weights nothing is read twice."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[object, str]] = {}

    def of(self, value: Any, make: Callable[[], str]) -> str:
        """Return what `make` gives for a tensor, made once until it is written to (``_version`` counts)."""
        if not hasattr(value, "_version") or not hasattr(value, "data_ptr"):
            return make()
        mark = (value.data_ptr(), value._version, str(value.dtype), tuple(value.shape), value.stride())
        if mark not in self._known:
            self._known[mark] = (value, make())  # it is held, so that its place is not used twice
        return self._known[mark][1]


def of_tensor(value: Any, where: str) -> Any:
    """Return a tensor as a numpy array. Raises ``UndigestibleError``."""
    try:
        plain = value.detach().cpu()
        try:
            return np.asarray(plain.numpy())
        except TypeError:  # numpy has no bfloat16; every one of them is a float32
            return np.asarray(plain.float().numpy())
    except Exception as error:
        raise UndigestibleError(f"{where} ({type(value).__qualname__})") from error
