"""T08, cell types."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pytest_stbench.extend import family
from pytest_stbench.families.settings import ON_LABELS, LabelBlock
from pytest_stbench.spec.part import Integer


@family(
    "T08",
    **ON_LABELS,
    primary="macro_f1",
    metrics=("macro_f1", "balanced_accuracy", "kappa", "ari", "ece", "brier"),
    predicts="labels",
    columns="classes",
    resolutions=("cell",),
)
class CellTypes(LabelBlock):
    """Name the type of every cell under one ontology, whatever the panel.

    ``level`` is that of the ontology; a panel tells a type of which it has ``min_markers`` markers, and a
    slide scores one of which it has ``min_cells`` cells.
    """

    level: Annotated[Integer, Field(ge=1, le=2)] = 1
    min_markers: Integer = Field(default=3, ge=0)
    min_cells: Integer = Field(default=20, ge=1)

    def gene_sets(self, of_metrics: frozenset[str]) -> frozenset[str]:
        """Return those of the metrics, and markers of cell types."""
        return of_metrics | {"cell_types"}
