"""T08, cell types under one ontology, whatever the panel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.families.labels import LabelQuestion, LabelTruth
from pytest_stbench.resources import cell_type_markers, cell_type_ontology, cell_type_parents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Arms, Predicted
    from pytest_stbench.registry import Metric


class CellTypesQuestion(LabelQuestion):
    """Name the type of every cell in a fixed ontology.

    A type that the panel of a slide cannot tell (fewer than ``min_markers`` of its markers are
    measured) is merged into its parent on that slide, in the truth and in the prediction; types
    of fewer than ``min_cells`` cells have no score there.
    """

    def labels(self, slide: Slide) -> NDArray[np.object_]:
        """Return the type of each cell under its name in the ontology."""
        return self.named(slide, "cell_type", cell_type_ontology(self.settings.own.level), "cell_types")

    def truth(self, slide: Slide, fold: FoldData) -> LabelTruth:
        """Return the true types of a test slide, with those that its panel cannot tell merged."""
        truth = super().truth(slide, fold)
        own = self.settings.own
        measured = frozenset(slide.genes[slide.measured].tolist())
        return MergedTruth(
            key=truth.key,
            labels=truth.labels,
            classes=truth.classes,
            not_covered=truth.not_covered,
            surroundings=truth.surroundings,
            min_units=own.min_cells,
            merged=merged_types(truth.classes, measured, own.min_markers),
        )


def merged_types(classes: tuple[str, ...], measured: frozenset[str], min_markers: int) -> dict[str, str]:
    """Return the class that each class becomes on a panel: itself, or the nearest parent it can tell.

    A class without listed markers is taken to be told; so is the last parent.
    """
    markers, parents = cell_type_markers(), cell_type_parents()
    found = {}
    for name in classes:
        kind = name
        while kind in parents and len(markers[kind] & measured) < min_markers:
            kind = parents[kind]
        found[name] = kind
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class MergedTruth(LabelTruth):
    """Truth whose classes become others on this slide: ``merged`` says which."""

    merged: Mapping[str, str]

    @cached_property
    def _as_merged(self) -> tuple[LabelTruth, NDArray[np.float32]]:
        classes = tuple(sorted(set(self.merged.values())))
        into = np.zeros((len(self.classes), len(classes)), dtype=np.float32)
        for row, name in enumerate(self.classes):
            into[row, classes.index(self.merged[name])] = 1.0
        truth = LabelTruth(
            key=self.key,
            labels=np.array([None if x is None else self.merged[x] for x in self.labels], dtype=object),
            classes=classes,
            not_covered=self.not_covered,
            surroundings=self.surroundings,
            min_units=self.min_units,
        )
        return truth, into

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return truth and prediction with merged classes."""
        truth, into = self._as_merged
        return truth.arms(record, {self.key: predicted[self.key] @ into})
