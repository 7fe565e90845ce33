"""What models gained or lost between two runs: paired differences of many scores, by guarded bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.kernels.agreement import holm
from pytest_stbench.kernels.guarded import ALPHA, MIN_PATIENTS, TOLERANCE, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Word = Literal["gained", "lost", "level", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Mean difference over `n` patients (positive = better now), what is known of it, and the word for it.

    ``low`` and ``high`` are the guarded bounds where it is ``decided``, else the patients with the smallest
    and the largest difference; ``p`` is one-sided, of the direction that was seen, None where nothing is
    decided. ``effect`` is the mean in SDs of the differences, which orders scores of several metrics.
    """

    n: int
    mean: float
    low: float
    high: float
    decided: bool
    p: float | None
    effect: float
    word: Word


def gains(several: Sequence[Mapping[str, float]], within: Sequence[bool]) -> list[Gain]:
    """Return what each of several scores gained.

    From six patients on the guarded bounds decide: ``gained`` where the difference is shown to be above
    zero, ``lost`` where below, else ``level``. Below six patients, and within slides, nothing is decided, and
    the words say what was seen: gained or lost where every patient did. ``unchanged`` where no patient
    differs.

    Parameters
    ----------
    several
        Differences by patient, at least one in each.
    within
        For each whether units of one slide were trained on and tested: patients are no replicates then.
    """
    found: dict[int, Gain] = {}
    groups: dict[tuple[int, bool], list[int]] = {}
    for place, (differences, inside) in enumerate(zip(several, within, strict=True)):
        n = len(differences)
        groups.setdefault((n, n >= MIN_PATIENTS and not inside), []).append(place)
    for (n, decided), places in groups.items():
        if n < 2:
            for place in places:
                (one,) = several[place].values()
                found[place] = _gain(one, one, one, None, n=n, sd=0.0)
            continue
        d = np.array([list(several[place].values()) for place in places])
        spreads = spread(d)
        low, high = spreads.bounds() if decided else (d.min(axis=1), d.max(axis=1))
        p = spread(np.where(spreads.mean[:, None] > 0, d, -d)).p().tolist() if decided else [None] * len(d)
        for at, place in enumerate(places):
            mean, sd = float(spreads.mean[at]), float(spreads.error[at]) * math.sqrt(n)
            found[place] = _gain(mean, float(low[at]), float(high[at]), p[at], n=n, sd=sd)
    return [found[place] for place in range(len(several))]


def _gain(mean: float, low: float, high: float, p: float | None, *, n: int, sd: float) -> Gain:
    word: Word = "level"
    if abs(mean) <= TOLERANCE and sd <= TOLERANCE:
        word = "unchanged"
    elif low > TOLERANCE:
        word = "gained"
    elif high < -TOLERANCE:
        word = "lost"
    effect = 0.0
    if abs(mean) > TOLERANCE:
        effect = mean / sd if sd > TOLERANCE else math.copysign(math.inf, mean)
    return Gain(n=n, mean=mean, low=low, high=high, decided=p is not None, p=p, effect=effect, word=word)


def after_holm(found: Sequence[Gain]) -> list[bool]:
    """Return which gains and losses hold after Holm over all that could be decided."""
    tested = [place for place, gain in enumerate(found) if gain.p is not None]
    adjusted = dict(zip(tested, holm([found[place].p or 0.0 for place in tested]), strict=True))
    return [adjusted.get(place, 1.0) < ALPHA and gain.word != "unchanged" for place, gain in enumerate(found)]
