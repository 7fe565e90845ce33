"""T04, rare structures: tertiary lymphoid structures, inflamed regions, tumour."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.families.harmonise import plain
from pytest_stbench.families.labels import LabelQuestion, LabelTruth, found_alone
from pytest_stbench.families.niche_detection.rules import InflamedRule, LymphoidRule
from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.tissue_area import squares, tissue_area

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Arms, Plan, Predicted
    from pytest_stbench.registry import Metric

    Rule = Callable[[Slide], NDArray[np.bool_] | None]

OTHER = "other"
POSITIVE = {"tls": "tls", "hot_cold": "inflamed", "tumour": "tumour"}
"""The class that is to be found, by target."""


class NicheDetectionQuestion(LabelQuestion):
    """Say of every unit how probably it belongs to the structure that is to be found.

    The classes are the structure and ``other``. Positive are the units whose label is listed in
    ``positive``; units without a label are left out. Where the task file lists none, a rule on
    the expression of the slide says what is positive: silver truth. Under ``hot_cold`` windows of
    ``window_um`` are scored: positive where most of their units are, with the mean probability of
    these.
    """

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for the structure and ``other``. Raises ``DataError`` where training units lack either."""
        own = self.settings.own
        self._rule: Rule | None = None
        if not own.positive:
            self._rule = (
                InflamedRule(train, own.window_um) if own.target == "hot_cold" else LymphoidRule(train)
            )
        return super().plan(train)

    def labels(self, slide: Slide) -> NDArray[np.object_]:
        """Return the class of each unit: the structure, ``other``, or None where nobody said."""
        own = self.settings.own
        if not own.positive:
            assert self._rule is not None  # made by the plan, before any label is asked for
            units = self._rule(slide)
            if units is None:
                return np.full(slide.n_units, None, dtype=object)
            return np.where(units, self.target, OTHER).astype(object)
        names = self.named(slide, own.label, None, "niche_detection")
        return self._named(names, {plain(name) for name in own.positive})

    def _named(self, names: NDArray[np.object_], positive: set[str]) -> NDArray[np.object_]:
        kinds: dict[object, str | None] = {
            name: None if name is None else self.target if plain(str(name)) in positive else OTHER
            for name in set(names.tolist())
        }
        return np.array([kinds[name] for name in names.tolist()], dtype=object)

    @property
    def target(self) -> str:
        """Name of the class that is to be found."""
        return POSITIVE[self.settings.own.target]

    def lacking(self, found: Counter[str]) -> str:
        """Return what to say where training units are all positive, all negative, or not labelled."""
        own = self.settings.own
        labels = f"the labels {own.label!r} of the data set and `positive: [{', '.join(own.positive)}]`"
        return (
            f"the training slides must have units that are {self.target} and units that are not, found "
            f"{found_alone(found, 'none with a label')}: check "
            f"{labels if own.positive else 'the data, or name annotated labels by `positive`'}"
        )

    def truth(self, slide: Slide, fold: FoldData) -> LabelTruth:
        """Return which units, or windows, of a test slide are positive."""
        truth, own = super().truth(slide, fold), self.settings.own
        shared = {field.name: getattr(truth, field.name) for field in fields(truth)}
        found = {"positive": self.target, "min_overlap": own.min_overlap}
        if own.target != "hot_cold":
            return DetectionTruth(**shared, **found)
        return WindowTruth(**shared, **found, window_um=own.window_um)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionTruth(LabelTruth):
    """What the probabilities of one test slide are scored against: ``positive`` is to be found."""

    positive: str
    min_overlap: float

    @property
    def offered(self) -> dict[str, Any]:
        """What a metric may ask for by name."""
        return {
            **super().offered,
            "positive": lambda: self.positive,
            "min_overlap": lambda: self.min_overlap,
            "area_mm2": lambda: self._area_mm2,
        }

    @cached_property
    def _area_mm2(self) -> float:
        return tissue_area(self.surroundings.slide.xy_um) / 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowTruth(DetectionTruth):
    """The same over square windows of the side ``window_um`` instead of units."""

    window_um: float

    @property
    def n_units(self) -> int:
        """Number of windows with a class."""
        return self._windows.n_units

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return the classes of windows beside the mean probabilities of their units."""
        shares = predicted[self.key]
        _, window = self._window
        total = np.column_stack([np.bincount(window, column) for column in shares.T.astype(np.float64)])
        return self._windows.arms(record, {self.key: total / np.bincount(window)[:, None]})

    @cached_property
    def _window(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return the places of the windows that hold a unit, (m, 2) um, and the window of each unit."""
        return squares(self.surroundings.slide.xy_um, self.window_um)

    @cached_property
    def _windows(self) -> DetectionTruth:
        """What windows are scored against."""
        places, window = self._window
        own = {field.name: getattr(self, field.name) for field in fields(DetectionTruth)}
        labels = majority_of_windows(self.labels, window, self.positive)
        return _OfWindows(**{**own, "labels": labels}, places=places, pitch=self.window_um)


@dataclass(frozen=True, kw_only=True, eq=False)
class _OfWindows(DetectionTruth):
    """Windows as units: at ``places``, joined to the eight around them."""

    places: NDArray[np.float64]
    pitch: float

    @property
    def offered(self) -> dict[str, Any]:
        """What a metric may ask for by name."""
        return {
            **super().offered,
            "graph": lambda: lattice_graph(self.places, self.pitch),
            "xy_um": lambda: self.places,
        }


def majority_of_windows(
    labels: NDArray[np.object_], window: NDArray[np.intp], positive: str
) -> NDArray[np.object_]:
    """Return the class of each window: `positive` where more than half of its labelled units are."""
    n = int(window.max(initial=-1)) + 1
    known = np.bincount(window, [label is not None for label in labels], minlength=n)
    hits = np.bincount(window, [label == positive for label in labels], minlength=n)
    found = np.where(2 * hits > known, positive, OTHER).astype(object)
    found[known == 0] = None
    return found
