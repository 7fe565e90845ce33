"""The mean of what several slides or patients say, as a prediction for another one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Statistic(Protocol):
    """What a metric takes in the place of predicted expression: ``values``, nan where unknown."""

    values: Any


S = TypeVar("S", bound=Statistic)


def mean_statistic(found: Sequence[S]) -> S:
    """Return the mean of statistics of one kind, each over those that know it.

    Statistics of niches are averaged niche by niche; a niche is there if any of them has it.

    Parameters
    ----------
    found
        At least one; ``values`` of one shape, but for the number of niches.

    Returns
    -------
    Statistic
        Of the same kind; nan where none knows.
    """
    first: Any = found[0]
    if not hasattr(first, "niches"):
        mean = _mean_of_known(np.stack([np.asarray(one.values, np.float64) for one in found]))
        return replace(first, values=mean)  # type: ignore[no-any-return]  # of the kind it was
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for one in found:
        niches: Sequence[str] = one.niches  # type: ignore[attr-defined]  # all of one kind
        for niche, values in zip(niches, np.asarray(one.values, np.float64), strict=True):
            rows.setdefault(str(niche), []).append(values)
    shape = np.shape(first.values)[1:]
    means = np.array([_mean_of_known(np.stack(rows[niche])) for niche in sorted(rows)])
    return replace(first, niches=sorted(rows), values=means.reshape(-1, *shape))  # type: ignore[no-any-return]  # of the kind it was


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
