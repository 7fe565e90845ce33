"""What a metric is called with beside truth and prediction, and steps that several metrics share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, MutableMapping

    from pytest_stbench.registry import Metric

    Shared = MutableMapping[Hashable, Any]


def arguments(
    record: Metric,
    function: Callable[..., Any],
    offered: Mapping[str, Callable[[], Any]],
    shared: dict[Hashable, Any] | None = None,
) -> dict[str, Any]:
    """Return what a metric takes beside truth and prediction, by the names of its parameters.

    `offered` makes every argument at hand when it is asked for; the record names those that a
    metric needs. `shared` holds what metrics of the same arms have in common
    (:func:`pytest_stbench.metrics.arguments.once`).
    """
    accepted = inspect.signature(function).parameters
    wanted = {"measured", "units" if record.over == "unit" else "genes", *record.inputs}
    given = {name: offered[name]() for name in sorted(wanted & offered.keys()) if name in accepted}
    return {**given, "shared": shared} if shared is not None and "shared" in accepted else given


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
