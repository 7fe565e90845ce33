"""Silver truth of rare structures: rules on signature scores, where nobody has annotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.kernels.tissue_area import squares
from pytest_stbench.metrics.detection import objects
from pytest_stbench.preprocess.normalise import TARGET_SUM, normalise_counts
from pytest_stbench.preprocess.signature_sets import choose_signatures
from pytest_stbench.preprocess.statistics import unit_graph
from pytest_stbench.resources import housekeeping, signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.preprocess.signature_sets import SignatureSets

    Found = NDArray[np.bool_] | None

LYMPHOID = ("TLS_IMPRINT_29", "TLS_CHEMOKINE_12")
CELLS = ("B_CELL", "T_CELL")
LYMPHOID_PERCENTILE = 95.0
CELLS_PERCENTILE = 75.0
MIN_UNITS = 3
INFLAMED = "TIS_GEP_18"
HIGHEST = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scorer:
    """Scores of signatures on any slide, with genes and controls chosen on training slides."""

    sets: SignatureSets
    columns: NDArray[np.intp]

    @classmethod
    def of(cls, names: Sequence[str], train: Sequence[Slide]) -> Scorer:
        """Choose genes and controls of the signatures `names`."""
        every = signatures()
        reserved = {gene for genes in every.values() for gene in genes} | housekeeping()
        sets = choose_signatures(train, {name: every[name] for name in names}, reserved=reserved)
        columns = sets.needed
        return cls(sets=sets.select(columns), columns=columns)

    def lacking(self, names: Sequence[str]) -> str:
        """Return which of `names` cannot be scored, with their genes, as in a message; empty for none."""
        counts = self.sets.not_covered
        return ", ".join("{} ({} of {} genes)".format(n, *counts[n]) for n in names if n in counts)

    def scores(self, slide: Slide) -> dict[str, NDArray[np.float64]]:
        """Return the scores (n,) of the signatures that the slide's panel covers."""
        measured = slide.measured[self.columns]
        values = normalise_counts(slide.counts, slide.libsize, self.columns, "log1p_cp10k", TARGET_SUM)
        covered = self.sets.covered(measured)
        found = self.sets.score(values, measured)
        return {name: found[:, place] for place, name in enumerate(self.sets.names) if covered[place]}


class LymphoidRule:
    """Tertiary lymphoid structures by expression.

    A unit is positive where a signature of such structures is above the 95th percentile of its
    slide, those of B cells and of T cells are above the 75th, and at least three such units are
    connected. Raises ``DataError`` where the genes do not carry these signatures.
    """

    def __init__(self, train: Sequence[Slide]) -> None:
        self._scorer = Scorer.of((*LYMPHOID, *CELLS), train)
        lacking = self._scorer.lacking(CELLS)
        both = self._scorer.lacking(LYMPHOID)
        if lacking or both.count("(") == len(LYMPHOID):
            raise DataError(_not_covered("tls", lacking or both))

    def __call__(self, slide: Slide) -> Found:
        """Return which units are positive, (n,); None where the slide's panel cannot tell."""
        scores = self._scorer.scores(slide)
        lymphoid = [scores[name] for name in LYMPHOID if name in scores]
        if not lymphoid or any(name not in scores for name in CELLS) or not slide.n_units:
            return None
        high = np.any([_above(score, LYMPHOID_PERCENTILE) for score in lymphoid], axis=0)
        cells = np.all([_above(scores[name], CELLS_PERCENTILE) for name in CELLS], axis=0)
        group = objects(unit_graph(slide), high & cells)
        return np.asarray((group > 0) & (np.bincount(group)[group] >= MIN_UNITS))


class InflamedRule:
    """Inflamed windows by expression: the highest third of a T-cell inflamed signature.

    The limit is that of the windows of all training slides, every patient with the same weight.
    Raises ``DataError`` where the genes do not carry the signature.
    """

    def __init__(self, train: Sequence[Slide], window_um: float) -> None:
        self._scorer = Scorer.of((INFLAMED,), train)
        self._window_um = window_um
        lacking = self._scorer.lacking((INFLAMED,))
        if lacking:
            raise DataError(_not_covered("hot_cold", lacking))
        found: dict[str, list[NDArray[np.float64]]] = {}
        for slide in train:
            windows = self._windows(slide)
            if windows is not None:
                found.setdefault(slide.meta.patient_id or slide.meta.slide_id, []).append(windows[0])
        values = [np.concatenate(parts) for parts in found.values()]
        if not values:
            raise DataError(_not_covered("hot_cold", f"{INFLAMED} (on no training slide)"))
        self.limit = weighted_quantile(
            np.concatenate(values),
            np.concatenate([np.full(len(part), 1.0 / max(len(part), 1)) for part in values]),
            HIGHEST,
        )

    def __call__(self, slide: Slide) -> Found:
        """Return which units lie in an inflamed window, (n,); None where the slide's panel cannot tell."""
        windows = self._windows(slide)
        return None if windows is None else np.asarray(windows[0][windows[1]] > self.limit)

    def _windows(self, slide: Slide) -> tuple[NDArray[np.float64], NDArray[np.intp]] | None:
        """Return the mean score of each window and the window of each unit."""
        scores = self._scorer.scores(slide).get(INFLAMED)
        if scores is None or not slide.n_units:
            return None
        _, window = squares(slide.xy_um, self._window_um)
        return np.bincount(window, scores) / np.bincount(window), window


def weighted_quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """Return the least of `values` up to which `share` of all weight lies."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    place = np.searchsorted(below, share * below[-1] * (1 - 1e-12))
    return float(values[order[min(place, len(order) - 1)]])


def _above(score: NDArray[np.float64], percentile: float) -> NDArray[np.bool_]:
    return np.asarray(score > np.percentile(score, percentile))


def _not_covered(target: str, lacking: str) -> str:
    return (
        f"the rule of `niche_detection: {{target: {target}}}` needs signatures that the genes of the data "
        f"set do not carry: {lacking}; half of their genes must be seen in 2 % of the training units. Name "
        "annotated labels by `positive`"
    )
