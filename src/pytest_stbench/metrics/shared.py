"""Steps that several metrics of one pair of truth and prediction begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, MutableMapping

    Shared = MutableMapping[Hashable, Any]

T = TypeVar("T")


def once(shared: Shared | None, step: Hashable, make: Callable[[], T]) -> T:
    """Return the result of `make`, from `shared` where an earlier metric has left it.

    Parameters
    ----------
    shared
        Results of one pair of truth and prediction, for nothing else; None computes anew.
    step
        Names the step and every setting it depends on.
    make
        Computes it.
    """
    if shared is None:
        return make()
    if step not in shared:
        shared[step] = make()
    found: T = shared[step]
    return found
