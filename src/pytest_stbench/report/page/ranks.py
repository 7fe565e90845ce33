"""Ranks of models on one task, with the ranks that their patients leave possible."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.gate.pairing import defined
from pytest_stbench.kernels.agreement import holm
from pytest_stbench.kernels.guarded import ALPHA, MIN_PATIENTS, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.gate.pairing import PatientValues


@dataclass(frozen=True, slots=True)
class Rank:
    """Place among `of` models, 1 the best, and the best and worst place that are not ruled out."""

    place: int
    best: int
    worst: int
    of: int

    @property
    def certain(self) -> bool:
        """Whether the place is the only one left."""
        return self.best == self.worst


def ranks(
    values: Sequence[float], patients: Sequence[PatientValues], better: str, *, decided: bool = True
) -> list[Rank]:
    """Return the rank of each model, and how far it is known.

    Every two models are compared by the paired differences of their patients, with the guarded t that gates
    decide by, one-sided at 2.5 % after Holm over all pairs. The best possible place of a model is one
    after those that are better so, the worst one before those that are worse.

    Parameters
    ----------
    values
        Headline of each model, in the units of the metric.
    patients
        Values of each model by patient; None where undefined.
    better
        ``up`` or ``down``.
    decided
        False where patients are no replicates of what is asked: every place stays possible, as with fewer
        than six patients.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm, Inference for ranks, Rev Econ Stud 91 (2024) 476.
    """
    n = len(values)
    sign = 1.0 if better == "up" else -1.0
    places = [1 + sum(sign * other > sign * value for other in values) for value in values]
    above, below = [0] * n, [0] * n
    for winner, loser in _decided([defined(found) for found in patients], sign) if decided else []:
        above[loser] += 1
        below[winner] += 1
    return [Rank(places[i], 1 + above[i], n - below[i], n) for i in range(n)]


def _decided(patients: Sequence[Mapping[str, float]], sign: float) -> list[tuple[int, int]]:
    """Return winner and loser of each pair that is decided."""
    by_shared: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for one, other in combinations(range(len(patients)), 2):
        shared = tuple(sorted(patients[one].keys() & patients[other].keys()))
        if len(shared) >= MIN_PATIENTS:
            by_shared.setdefault(shared, []).append((one, other))
    pairs: list[tuple[int, int]] = []
    p: list[float] = []
    for shared, group in by_shared.items():
        table = np.array([[found.get(name, np.nan) for name in shared] for found in patients])
        first, second = np.array(group).T
        differences = sign * (table[first] - table[second])
        forward = spread(differences).mean > 0
        differences[~forward] *= -1
        found = spread(differences).p()
        pairs += [(a, b) if ahead else (b, a) for (a, b), ahead in zip(group, forward, strict=True)]
        p += [float(value) for value in found]
    return [pair for pair, adjusted in zip(pairs, holm(p), strict=True) if adjusted < ALPHA]
