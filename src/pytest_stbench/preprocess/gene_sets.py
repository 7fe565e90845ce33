"""The genes each group of metrics looks at, chosen on training slides; a model is asked for all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess import genes as selection
from pytest_stbench.preprocess.statistics import detection_rate, is_detected, slide_statistics
from pytest_stbench.resources import lr_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey
    from pytest_stbench.spec.model import Normalisation

EVALUATED = "evaluated"
"""The set of the task file (``preprocess.genes``): what T01 and T11 are scored on."""

N_COEXPRESSED = 50
N_MARKERS = 200
"""Candidates for niche markers: four times the 50 markers of a niche."""

MIN_DETECTION = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneSets:
    """All genes of a fold, and which of them each group of metrics looks at.

    ``columns`` (g,) of the data set: the evaluated genes in their order, then the others by
    symbol. ``places`` holds for each set its places in ``columns``.
    """

    columns: NDArray[np.intp]
    places: Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What the sets are chosen from and how values are made.

    ``communication`` are ligands and receptors, those of the built-in pairs where it is None.
    """

    slides: Sequence[Slide]
    method: Normalisation
    scale: float | None
    candidates: NDArray[np.intp] | None
    statistics: MutableMapping[StatisticsKey, SlideStatistics] | None
    communication: Collection[str] | None = None

    @property
    def pool(self) -> NDArray[np.intp]:
        """Columns that may be asked of a model."""
        return np.arange(len(self.slides[0].genes)) if self.candidates is None else self.candidates


def make_sets(evaluated: NDArray[np.intp], wanted: Collection[str], choice: Choice) -> GeneSets:
    """Choose every set of `wanted` on the training slides and join them.

    Parameters
    ----------
    evaluated
        Columns of the main selection, in the order in which they are asked.
    wanted
        Names of further sets: ``coexpressed`` (50 genes that vary together, depth taken off),
        ``markers`` (the evaluated genes and the most spatially variable ones, 200 where there are
        as many), ``communication`` (ligands and receptors detected in 10 % of the units of some
        training slide).
    choice
        Training slides, scale and candidates.

    Returns
    -------
    GeneSets
        A set for which no gene qualifies is empty: its metrics say ``too_few_genes`` or
        ``too_few_pairs``.
    """
    sets = {EVALUATED: np.asarray(evaluated, dtype=np.intp)}
    for name in sorted(set(wanted) - {EVALUATED}):
        sets[name] = _CHOOSERS[name](sets[EVALUATED], choice)
    further = np.setdiff1d(np.concatenate(list(sets.values())), sets[EVALUATED])
    symbols = choice.slides[0].genes[further]
    columns = np.concatenate([sets[EVALUATED], further[np.argsort(symbols, kind="stable")]])
    place = {int(column): position for position, column in enumerate(columns)}
    return GeneSets(
        columns=columns,
        places={
            name: np.array([place[int(column)] for column in chosen], dtype=np.intp)
            for name, chosen in sets.items()
        },
    )


def _coexpressed(evaluated: NDArray[np.intp], choice: Choice) -> NDArray[np.intp]:
    del evaluated
    try:
        found = selection.coexpressed(
            choice.slides, N_COEXPRESSED, MIN_DETECTION, choice.method, choice.scale, choice.candidates
        )
    except DataError:
        return np.empty(0, dtype=np.intp)
    return found.columns


def _markers(evaluated: NDArray[np.intp], choice: Choice) -> NDArray[np.intp]:
    if len(evaluated) >= N_MARKERS:
        return evaluated
    statistics = [
        slide_statistics(slide, choice.method, choice.scale, MIN_DETECTION, choice.statistics)
        for slide in choice.slides
    ]
    try:
        found = selection.svg(choice.slides, statistics, N_MARKERS, MIN_DETECTION, choice.candidates)
    except DataError:
        return evaluated
    others = found.columns[~np.isin(found.columns, evaluated)]
    return np.concatenate([evaluated, others[: N_MARKERS - len(evaluated)]])


def _communication(evaluated: NDArray[np.intp], choice: Choice) -> NDArray[np.intp]:
    del evaluated
    members = choice.communication
    if members is None:
        members = {gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)}
    detected = np.logical_or.reduce(
        [is_detected(detection_rate(slide)[choice.pool], MIN_DETECTION) for slide in choice.slides]
    )
    names = choice.slides[0].genes[choice.pool]
    found: NDArray[np.intp] = choice.pool[detected & np.isin(names, list(members))]
    return found


_CHOOSERS: Mapping[str, Callable[[NDArray[np.intp], Choice], NDArray[np.intp]]] = {
    "coexpressed": _coexpressed,
    "markers": _markers,
    "communication": _communication,
}
SETS = (EVALUATED, *_CHOOSERS)
"""Names a metric record may use for the genes it looks at."""
