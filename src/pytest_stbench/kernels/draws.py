"""How many random draws a mean is made of, and what error is left."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BLOCK = 10
MOST = 200
"""Draws are made in blocks, as long as they do not suffice, and never more than these."""

SHARE = 0.02
"""Largest standard error of a slide's score of 1 that is read between a floor and a drawn ceiling."""


def drawn(values: Iterable[Floats], settled: Callable[[Floats], bool]) -> Floats:
    """Return the values of as many draws as suffice, (draws, k).

    Parameters
    ----------
    values
        Values (k,) of one draw after the other, made when they are asked for.
    settled
        Whether the draws so far, (draws, k), suffice; asked after each ten of them.
    """
    source, found = iter(values), np.empty((0, 0))
    while len(found) < MOST:
        more = list(islice(source, BLOCK))
        if not more:
            break
        found = np.vstack([found, more]) if len(found) else np.asarray(more, dtype=np.float64)
        if len(more) < BLOCK or settled(found):
            break
    return found


def ceiling_draws(ceilings: Sequence[float | Sequence[float]]) -> Floats:
    """Return ceilings, numbers or draws of them, as (draws, k); nan where one has fewer draws."""
    lists = [np.atleast_1d(np.asarray(ceiling, dtype=np.float64)) for ceiling in ceilings]
    found = np.full((max((len(values) for values in lists), default=0), len(lists)), np.nan)
    for column, values in enumerate(lists):
        found[: len(values), column] = values
    return found


def standard_error(values: Floats) -> Floats:
    """Return the standard error of the mean of draws, (draws, ...) to (...); nan below two draws.

    Undefined draws (nan) are left out.
    """
    known = np.isfinite(values)
    n = known.sum(axis=0)
    centred = np.where(known, values - mean_of_draws(values), 0.0)
    few = np.where(n > 1, n, np.nan)
    error: Floats = np.sqrt((centred**2).sum(axis=0) / (few - 1) / few)
    return error


def settled_ceilings(ceilings: Floats, floors: Floats, least: float) -> bool:
    """Tell whether scores between floors and ceilings have little error left from the draws of the ceilings.

    They have where the mean over the k scores of a slide, all of them 1, has a standard error of at most
    0.02 (a score of another size has as much less or more), and where no ceiling is so near to the least
    distance from its floor (2 standard errors) that it is open whether there is a score at all.

    Parameters
    ----------
    ceilings
        Shape (draws, k); nan where a draw has none.
    floors
        Shape (k,).
    least
        Distance of ceiling and floor from which on there is a score.
    """
    room = mean_of_draws(ceilings) - floors
    if bool((np.abs(room - least) < 2 * standard_error(ceilings)).any()):
        return False
    judged = room >= least
    if not judged.any():
        return True
    shares = effects(ceilings[:, judged], np.ones(int(judged.sum())), room[judged])
    return float(standard_error(shares.mean(axis=1))) <= SHARE


def effects(ceilings: Floats, values: Floats, room: Floats) -> Floats:
    """Return by how much each draw of the ceilings moves scores between floor and ceiling, (draws, k).

    To first order: the score times the deviation of the ceiling from its mean, over the distance `room`
    (k,) of ceiling and floor, and downwards.
    """
    deviation = np.where(np.isfinite(ceilings), ceilings - mean_of_draws(ceilings), 0.0)
    moved: Floats = -values * deviation / room
    return moved


def mean_of_draws(values: Floats) -> Floats:
    """Return the mean of the defined draws; nan without any."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    return np.where(known, values, 0.0).sum(axis=0) / np.where(n > 0, n, np.nan)
