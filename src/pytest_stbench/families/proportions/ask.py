"""T09, cell-type proportions of spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.families.harmonise import harmonise
from pytest_stbench.families.labels import UnitQuestion
from pytest_stbench.families.question import Arms, Plan, Truth
from pytest_stbench.models.contract_labels import accept_proportions
from pytest_stbench.resources import cell_type_ontology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted, Request
    from pytest_stbench.registry import Metric

PREFIX = "type:"


class ProportionsQuestion(UnitQuestion):
    """Predict which share of the cells of a spot is of each type.

    The truth is counted where spots were formed of typed cells (at least ``min_cells`` of them),
    or the table that ``keys.proportions`` names. Types are those of level 1 of the ontology that
    occur in training; the shares of others are left out and the rest scaled to sum 1.
    """

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for the types that training spots have. Raises ``DataError`` for fewer than two."""
        types = sorted({name for slide in train for name in self._table(slide)})
        if len(types) < 2:
            raise DataError(
                "the training slides have no proportions of two cell types or more: name their table by "
                "`keys.proportions`, or form spots of cells that have a `keys.cell_type` by `bin`"
            )
        known = sum(int(np.isfinite(self._shares(slide, types)).all(axis=1).sum()) for slide in train)
        return Plan(
            candidates=None,
            observed=self.observed(train),
            counted={"training_units_without_proportions": sum(s.n_units for s in train) - known},
            classes=tuple(types),
        )

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``predict_proportions(slide, types)``."""
        del request
        return model.predict_proportions(given, list(task.classes))

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return checked proportions, (n, k) float32."""
        return accept_proportions(
            raw, types=fold.task.classes, unit_names=request.slide.unit_names, where=where
        )

    def columns(self, fold: FoldData) -> tuple[str, ...]:
        """Return the types."""
        return fold.task.classes

    def lessons(self, slide: Slide, fold: FoldData) -> dict[str, Any]:
        """Return the proportions of each training spot, nan where they are not known."""
        return {"proportions": self._shares(slide, fold.task.classes)}

    def truth(self, slide: Slide, fold: FoldData) -> ProportionTruth:
        """Return the true proportions of a test slide."""
        return ProportionTruth(
            key=slide.meta.slide_id,
            values=self._shares(slide, fold.task.classes),
            types=np.array(fold.task.classes),
            units=slide.unit_names,
        )

    def _table(self, slide: Slide) -> dict[str, NDArray[np.float64]]:
        """Return the shares of each type of the ontology, labels of one type added up."""
        names = [name for name in slide.measures if name.startswith(PREFIX)]
        labels = np.array([name.removeprefix(PREFIX) for name in names], dtype=object)
        where = f"slide {slide.meta.slide_id}"
        types = harmonise(
            labels, self.settings.own.map, cell_type_ontology(1), where=where, key="proportions"
        )
        found: dict[str, NDArray[np.float64]] = {}
        for name, kind in zip(names, types, strict=True):
            if kind is not None:
                found[kind] = found.get(kind, 0.0) + slide.measures[name]
        return found

    def _shares(self, slide: Slide, types: Sequence[str]) -> NDArray[np.float64]:
        """Return (n, k) shares that sum to 1, nan where none is known or too few cells were counted."""
        table = self._table(slide)
        none = np.zeros(slide.n_units)
        shares = np.column_stack([table.get(name, none) for name in types])
        total = shares.sum(axis=1)
        known = total > 0
        cells = slide.measures.get("cells")
        if cells is not None:
            known &= cells >= self.settings.own.min_cells
        result = np.full(shares.shape, np.nan)
        result[known] = shares[known] / total[known, None]
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProportionTruth(Truth):
    """What one test slide's predicted proportions are scored against; unknown units are left out."""

    key: str
    values: NDArray[np.float64]
    types: NDArray[np.str_]
    units: NDArray[np.str_]

    @property
    def n_units(self) -> int:
        """Number of spots whose proportions are known."""
        return int(self._known().sum())

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms]:
        """Return proportions of the spots where they are known."""
        del record
        known = self._known()
        offered = {
            "units": lambda: self.units[known],
            "genes": lambda: self.types,
            "types": lambda: self.types,
        }
        return (Arms(truth=self.values[known], prediction=predicted[self.key][known], offered=offered),)

    def _known(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.values).all(axis=1))
