"""What a name is made of, and where a unit stands, as words that a classifier can count."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

N_BINS = 20
IN_SQUARE = 16
SHORT = 3
"""A number of so many digits at most is a word of its own."""

GRAM = 3
MAX_LETTERS = 24
MAX_PARTS = 6
MAX_DIGITS = 15
MIN_SEEN = 5
"""A word that fewer units have tells nothing of others."""

_PART = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d\s]+")

Words = list[tuple["Hashable", ...]]


class Vocabulary:
    """Collects the words of units and makes a table of who has which."""

    def __init__(self) -> None:
        self._place: dict[Hashable, int] = {}
        self._columns: list[int] = []
        self._ends: list[int] = [0]

    def add(self, units: Sequence[Sequence[Hashable]]) -> None:
        """Add the words of further units."""
        for own in units:
            known = {self._place.setdefault(word, len(self._place)) for word in own}
            self._columns.extend(sorted(known))
            self._ends.append(len(self._columns))

    def matrix(self) -> csr_matrix:
        """Return (units, words) of 0 and 1, rare words left out."""
        shape = (len(self._ends) - 1, len(self._place))
        found = csr_matrix((np.ones(len(self._columns)), self._columns, self._ends), shape=shape)
        return found[:, np.asarray(found.sum(axis=0)).ravel() >= MIN_SEEN]


def words(names: Sequence[str]) -> Words:
    """Return the words of the names of one slide.

    Letters give their parts of three, numbers their rank on the slide among those at the same place of
    the name, and themselves where they are short.
    """
    parts = [_PART.findall(name)[:MAX_PARTS] for name in names]
    found: list[list[Hashable]] = [[] for _ in names]
    for place in range(max(map(len, parts), default=0)):
        numbers = np.array([_number(own, place) for own in parts])
        ranked = bins(f"number {place}", numbers)
        for row, own in enumerate(parts):
            if len(own) <= place:
                continue
            part = own[place]
            if numbers[row] < 0:
                lower = part[:MAX_LETTERS].lower()
                found[row] += [lower, *(lower[at : at + GRAM] for at in range(len(lower) - GRAM + 1))]
                continue
            found[row] += ranked[row]
            if len(part) <= SHORT:
                found[row].append((place, int(part)))
    return [tuple(own) for own in found]


def _number(parts: Sequence[str], place: int) -> int:
    """Return the number at a place of a name; -1 where there is none."""
    part = parts[place] if len(parts) > place else ""
    return int(part[-MAX_DIGITS:]) if part.isascii() and part.isdigit() else -1


def bins(what: str, values: NDArray[np.integer] | NDArray[np.floating]) -> Words:
    """Return in which twentieth of all each value lies, as one word each; equal values share it."""
    _, rank = np.unique(values, return_inverse=True)
    part = np.floor(N_BINS * rank / max(int(rank.max(initial=0)) + 1, 1)).astype(int)
    return [((what, number),) for number in part.tolist()]


def places_of(xy_um: NDArray[np.float64], rows: NDArray[np.intp]) -> Words:
    """Return in which twentieth of the slide the units `rows` lie, across and down."""
    x, y = np.nan_to_num(xy_um, posinf=0.0, neginf=0.0).T
    across, down = bins("x", x), bins("y", y)
    return [(*across[row], *down[row]) for row in rows.tolist()]


def squares_of(xy_um: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the number of the square each unit lies in; squares hold about 16 units of the sample."""
    xy = np.nan_to_num(xy_um, posinf=0.0, neginf=0.0)
    extent = np.ptp(xy, axis=0)
    side = float(np.sqrt(max(np.prod(extent), 0.0) * IN_SQUARE / max(len(xy), 1)))
    if side <= 0:
        return np.zeros(len(xy), np.intp)
    cell = np.floor((xy - xy.min(axis=0)) / side).astype(np.int64)
    _, square = np.unique(cell, axis=0, return_inverse=True)
    return square.reshape(-1).astype(np.intp)
