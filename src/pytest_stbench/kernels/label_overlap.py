"""Pixels that the instances of two label images share, without a table of all against all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Labels = NDArray[np.int32]
    Counts = NDArray[np.int64]

_BLOCK = 1 << 12
"""Pixels whose ends of runs are looked for at once; they stay in the cache."""

_FIRST_SIZE = 4 * _BLOCK
_PIXELS_AT_ONCE = 1 << 20
_SPREAD = 0x9E3779B97F4A7C15 - (1 << 64)
"""2^64 over the golden ratio, as int64: multiplied by it, neighbouring keys end up far apart."""

_LOW = (1 << 32) - 1
_NEGATIVE = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlaps:
    """Instances of a true and a predicted label image, and the pairs of them that share pixels.

    ``true_ids`` (a,) and ``predicted_ids`` (b,) ascend within an image, areas are numbers of
    pixels. For each of k pairs ``true`` and ``predicted`` are places in these, in ascending order,
    and ``shared`` is the number of common pixels, at least 1. An instance is all pixels of one
    number, connected or not.
    """

    true_ids: Counts
    predicted_ids: Counts
    true_area: Counts
    predicted_area: Counts
    true: NDArray[np.intp]
    predicted: NDArray[np.intp]
    shared: Counts

    def union(self) -> Counts:
        """Return the pixels that either instance of each pair covers, (k,)."""
        union: Counts = self.true_area[self.true] + self.predicted_area[self.predicted] - self.shared
        return union

    def iou(self) -> NDArray[np.float64]:
        """Return the intersection over union of each pair, (k,)."""
        iou: NDArray[np.float64] = self.shared / self.union()
        return iou


def overlaps(truth: Labels, prediction: Labels) -> Overlaps:
    """Return the overlaps of two label images in one pass.

    Memory is proportional to the number of pairs that overlap.

    Parameters
    ----------
    truth, prediction
        Shape (H, W) int32, the same for both; 0 is background, an instance is all pixels of one
        positive number.

    Raises
    ------
    ValueError
        If a label is negative or the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise ValueError(
            f"the true image has shape {truth.shape}, the predicted one {prediction.shape}: "
            "both must show the same pixels"
        )
    first, second = np.ascontiguousarray(truth).ravel(), np.ascontiguousarray(prediction).ravel()
    try:
        keys, numbers = _by_hash(first, second)
    except ImportError:
        # numba lags behind new versions of Python
        keys, numbers = by_runs(first, second)
    true_ids, true, true_area = _instances(keys >> 32, numbers)
    predicted_ids, predicted, predicted_area = _instances(keys & _LOW, numbers)
    both = (true >= 0) & (predicted >= 0)
    return Overlaps(
        true_ids=true_ids,
        predicted_ids=predicted_ids,
        true_area=true_area,
        predicted_area=predicted_area,
        true=true[both],
        predicted=predicted[both],
        shared=numbers[both],
    )


def joined(parts: Sequence[Overlaps]) -> Overlaps:
    """Return the overlaps of several tiles as one table; instances of different tiles stay apart."""
    n_true = np.cumsum([0, *(len(part.true_ids) for part in parts)])
    n_predicted = np.cumsum([0, *(len(part.predicted_ids) for part in parts)])
    none = np.empty(0, np.int64)
    return Overlaps(
        true_ids=np.concatenate([none, *(part.true_ids for part in parts)]),
        predicted_ids=np.concatenate([none, *(part.predicted_ids for part in parts)]),
        true_area=np.concatenate([none, *(part.true_area for part in parts)]),
        predicted_area=np.concatenate([none, *(part.predicted_area for part in parts)]),
        true=np.concatenate([none, *(p.true + n for p, n in zip(parts, n_true[:-1], strict=True))]),
        predicted=np.concatenate(
            [none, *(p.predicted + n for p, n in zip(parts, n_predicted[:-1], strict=True))]
        ),
        shared=np.concatenate([none, *(part.shared for part in parts)]),
    )


def by_runs(first: Labels, second: Labels) -> tuple[Counts, Counts]:
    """Return the pairs of labels (first << 32 | second) but background, ascending, and their pixels.

    By array expressions on runs of equal pairs, some rows at a time; (n,) each.
    """
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, len(first), _PIXELS_AT_ONCE):
        part = slice(start, start + _PIXELS_AT_ONCE)
        if first[part].min() < 0 or second[part].min() < 0:
            _refuse_negative(first, second)
        pair = first[part].astype(np.int64) << 32 | second[part]
        begins = np.flatnonzero(np.diff(pair, prepend=-1))
        found.append(_added(pair[begins], np.diff(begins, append=len(pair))))
    keys, numbers = _added(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
    return keys[keys > 0], numbers[keys > 0]


def _by_hash(first: Labels, second: Labels) -> tuple[Counts, Counts]:
    """Return what :func:`by_runs` does, from a hash table that grows with the number of pairs."""
    keys, numbers, filled = np.zeros(_FIRST_SIZE, np.int64), np.zeros(_FIRST_SIZE, np.int64), 0
    place, begin = 0, 0
    while True:
        place, begin, filled = _count(first, second, place, begin, keys, numbers, filled)
        if place == _NEGATIVE:
            _refuse_negative(first, second)
        if place == len(first):
            break
        larger, more = np.zeros(4 * len(keys), np.int64), np.zeros(4 * len(keys), np.int64)
        _move(keys, numbers, larger, more)
        keys, numbers = larger, more
    keys, numbers = keys[keys > 0], numbers[keys > 0]
    order = np.argsort(keys)
    return keys[order], numbers[order]


@compiled
def _count(
    first: Labels, second: Labels, place: int, begin: int, keys: Counts, numbers: Counts, filled: int
) -> tuple[int, int, int]:
    """Add runs of pixels from `place` on, where the run at hand began at `begin`.

    Return where it stopped (before the end: the table could overflow; -1: a label is negative),
    where the run at hand began and how many keys there are.
    """
    n, mask = len(first), len(keys) - 1
    ends = np.empty(_BLOCK + 1, np.int64)
    while place < n:
        stop = min(place + _BLOCK, n)
        if 2 * (filled + stop - place) > len(keys):
            return place, begin, filled
        found = 0
        # No branch depends on a pixel: most ends of runs would be guessed wrong.
        for i in range(max(place, 1), stop):
            ends[found] = i
            found += (first[i] != first[i - 1]) | (second[i] != second[i - 1])
        if stop == n:
            ends[found] = n
            found += 1
        for k in range(found):
            a, b = first[begin], second[begin]
            if a < 0 or b < 0:
                return _NEGATIVE, begin, filled
            if a > 0 or b > 0:
                key = (np.int64(a) << 32) | np.int64(b)
                slot = ((key * _SPREAD) >> 32) & mask
                while keys[slot] != 0 and keys[slot] != key:
                    slot = (slot + 1) & mask
                filled += keys[slot] == 0
                keys[slot] = key
                numbers[slot] += ends[k] - begin
            begin = ends[k]
        place = stop
    return place, begin, filled


@compiled
def _move(keys: Counts, numbers: Counts, larger: Counts, more: Counts) -> None:
    mask = len(larger) - 1
    for i in range(len(keys)):
        if keys[i] != 0:
            slot = ((keys[i] * _SPREAD) >> 32) & mask
            while larger[slot] != 0:
                slot = (slot + 1) & mask
            larger[slot], more[slot] = keys[i], numbers[i]


def _instances(labels: Counts, numbers: Counts) -> tuple[Counts, NDArray[np.intp], Counts]:
    """Return the ids, the place of each label among them (-1: background), and the area of each."""
    ids, place = np.unique(labels, return_inverse=True)
    area = np.bincount(place, numbers, minlength=len(ids)).astype(np.int64)
    background = int(len(ids) > 0 and ids[0] == 0)
    return ids[background:], place.astype(np.intp) - background, area[background:]


def _added(keys: Counts, numbers: Counts) -> tuple[Counts, Counts]:
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(place, numbers, minlength=len(distinct)).astype(np.int64)


def _refuse_negative(truth: Labels, prediction: Labels) -> None:
    name, lowest = ("truth", truth.min()) if truth.min() < 0 else ("prediction", prediction.min())
    raise ValueError(f"{name} has the label {lowest}: 0 is background, instances are numbered from 1")
