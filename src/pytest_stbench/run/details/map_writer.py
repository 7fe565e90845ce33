"""Maps that a run keeps: truth and predictions of a slide, put down by whoever has them in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.calls.failures import CellFailed
from pytest_stbench.data.region import outlines_of
from pytest_stbench.errors import DataError
from pytest_stbench.families.labels import LabelTruth
from pytest_stbench.families.niches.ask import ClusterTruth
from pytest_stbench.families.predicted_expression import ExpressionTruth
from pytest_stbench.results.map_parts import MapPart, write_part
from pytest_stbench.results.slide_maps import BUDGET
from pytest_stbench.run.details.tissue_image import NoImageError, small_image
from pytest_stbench.spec.defaults import dataset_of, primary_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.data.region import Outlines
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.question import Predicted, Truth
    from pytest_stbench.registry import Metric
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.scores.scoring import Detail
    from pytest_stbench.run.task_run import TaskRun

ENDS = 20
"""So many genes of the best and of the worst."""
LAYERS = 4
"""Matrices of a file of one model: truth as X and as layer, model, simple baseline."""
BY_COLUMN = ("gene", "signature", "class")


class MapKeeper:
    """Puts down the maps of one task: of each test slide where it is first a test slide, main setting."""

    def __init__(self, folder: Path, run: TaskRun, *, everything: bool) -> None:
        self._folder = folder
        self._run = run
        self._everything = everything
        self._primary = run.registry.metrics[primary_of(run.spec, run.family)]
        self._ranked: dict[tuple[str, str, str], tuple[Metric, Mapping[str, float]]] = {}
        self._owner: dict[tuple[str, str], str] = {}
        self._images: dict[tuple[str, str], tuple[dict[str, Any], Outlines | None, tuple[str, ...]]] = {}
        for pool in run.grid.pools:
            for cell in pool.cells if not pool.variant else ():
                for slide in cell.fold.test:
                    self._owner.setdefault((cell.dataset, slide), cell.id)

    def note(self, cell: Cell, label: str, details: Sequence[Detail]) -> None:
        """Remember how well each gene of a model was predicted: the headline's score where it has one."""
        by_column = [detail for detail in details if detail.metric.over in BY_COLUMN and detail.repeats]
        for detail in sorted(by_column, key=lambda detail: detail.metric.name != self._primary.name):
            scores = detail.repeats[0]
            values = dict(zip(scores.labels.tolist(), scores.values.tolist(), strict=True))
            self._ranked.setdefault((label, cell.id, detail.slide), (detail.metric, values))

    def keep(self, contestant: Contestant, cell: Cell, truths: Mapping[str, Truth]) -> None:
        """Put down the slides of a cell, with the predictions of a model and of the simple baseline."""
        mine = [slide for slide in truths if self._owner.get((cell.dataset, slide)) == cell.id]
        if not mine or cell.variant:
            return
        predicted = {contestant.label: self._run.prediction(contestant, cell).values}
        simple = self._run.ladder(cell.dataset).simple
        if simple is not None and simple.name != contestant.label:
            with suppress(CellFailed):
                predicted[simple.name] = self._run.run_baseline(simple, cell).values
        slides = {slide.meta.slide_id: slide for slide in self._run.fold(cell).test}
        for slide in mine:
            part = self._part(contestant.label, cell, slides[slide], truths[slide], predicted)
            write_part(self._folder, part, contestant.label)

    def _part(
        self, label: str, cell: Cell, slide: Slide, truth: Truth, predicted: Mapping[str, Predicted]
    ) -> MapPart:
        about = self._about(cell, slide)
        known = {name: self._matrices(slide, truth, values) for name, values in predicted.items()}
        if known[label] is None:
            family = self._run.family.name
            why = f"predictions of the family {family} are no matrix of units and genes or classes"
            return MapPart(about=about, left_out=(why,))
        names, units, values, _, places = known[label]
        chosen, kinds = self._choice(label, cell, slide, names, len(units))
        rows = _rows(slide, units)
        left_out: tuple[str, ...] = ()
        if len(chosen) < len(names):
            why = f"{len(names) - len(chosen)} of {len(names)} genes of the headline: with them the maps of "
            left_out = (f"{why}this task would take more than {BUDGET // 10**6} MB",)
        image, outlines, without = self._seen(cell.dataset, slide)
        return MapPart(
            about=about,
            genes=names[chosen],
            why=np.array(kinds, dtype=np.str_),
            order=places[chosen],
            units=units,
            xy_um=slide.xy_um[rows],
            labels={name: _text(labels[rows]) for name, labels in slide.labels.items()},
            libsize=slide.libsize[rows],
            truth=values[:, chosen].astype(np.float32),
            layers={
                name: found[3][:, chosen].astype(np.float32, copy=False)
                for name, found in known.items()
                if found is not None
            },
            left_out=left_out + without,
            outlines=outlines,
            **image,
        )

    def _seen(self, dataset: str, slide: Slide) -> tuple[dict[str, Any], Outlines | None, tuple[str, ...]]:
        """Return the small image and the outlines of a slide, made once, and why one of them is missing."""
        place = dataset, slide.meta.slide_id
        if place not in self._images:
            image: dict[str, Any] = {}
            outlines, without = None, []
            try:
                if (found := small_image(slide, make=self._run.family.input_class == "image")) is not None:
                    image = {"image": found[0], "image_scale": found[1]}
            except NoImageError as error:
                without.append(f"the image of the tissue: {error}")
            try:
                outlines = next(iter(outlines_of(slide)), None)
            except DataError as error:
                without.append(f"the outlines of cells: {error}")
            self._images[place] = image, outlines, tuple(without)
        return self._images[place]

    def _matrices(self, slide: Slide, truth: Truth, predicted: Predicted) -> Any:
        """Return names, units, truth, prediction and the places of the names among all that were asked.

        None where truth and prediction are no matrices.
        """
        found: tuple[Any, Any, Any, Any]
        places = truth.places[self._primary.genes] if isinstance(truth, ExpressionTruth) else None
        if self._everything and isinstance(truth, ExpressionTruth):
            values, places = predicted.get(slide.meta.slide_id), None
            found = truth.genes, truth.units, truth.values, values
        elif isinstance(truth, LabelTruth) and not isinstance(truth, ClusterTruth):
            found = _of_classes(truth, slide, predicted.get(truth.key))
        else:
            arms = truth.arms(self._primary, predicted)
            offered = arms[0].offered if len(arms) == 1 else {}
            if not {"genes", "units"} <= offered.keys():
                return None
            found = offered["genes"](), offered["units"](), arms[0].truth, arms[0].prediction
        names, units, true, values = found
        shape = (len(units), len(names))
        if any(not isinstance(one, np.ndarray) or one.shape != shape for one in (true, values)):
            return None
        places = np.arange(len(names)) if places is None else places
        return np.asarray(names), np.asarray(units), true, values, places

    def _choice(
        self, label: str, cell: Cell, slide: Slide, names: NDArray[np.str_], n_units: int
    ) -> tuple[NDArray[np.intp], list[str]]:
        """Return the columns that are kept, and why each is."""
        slide_id = slide.meta.slide_id
        metric, scores = self._ranked.get((label, cell.id, slide_id), (self._primary, {}))
        values = np.array([scores.get(name, np.nan) for name in names.tolist()])
        ranked = np.argsort(values if metric.better == "down" else -values, kind="stable")
        ranked = ranked[~np.isnan(values[ranked])]
        ends = min(ENDS, len(ranked) // 2)
        said = {
            **{int(place): f"among the {ends} best by {metric.name} of {label}" for place in ranked[:ends]},
            **{int(place): f"among the {ends} worst by {metric.name} of {label}" for place in ranked[-ends:]},
        } if ends else {}  # fmt: skip
        share = BUDGET / max(len(self._owner), 1)
        if self._everything or n_units * len(names) * 4 * LAYERS <= share:
            chosen = np.arange(len(names))
        else:
            chosen = np.array(sorted(said) or range(min(2 * ENDS, len(names))), dtype=np.intp)
        plain = "asked" if self._everything else "of the headline"
        return chosen, [said.get(int(place), plain) for place in chosen]

    def _about(self, cell: Cell, slide: Slide) -> dict[str, Any]:
        spec, meta = self._run.spec, slide.meta
        config = dataset_of(spec, cell.dataset, "")
        return {
            "task": spec.name,
            "task_version": spec.version,
            "dataset": cell.dataset,
            "slide": meta.slide_id,
            "patient": meta.patient_id or meta.slide_id,
            "organ": meta.organ or config.organ or "",
            "technology": meta.technology or config.technology or "",
            "resolution": meta.resolution or config.resolution or "",
            "headline": self._primary.name,
            "split": cell.split,
            "fold": cell.fold.name,
        }


def _of_classes(
    truth: LabelTruth, slide: Slide, shares: Any
) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.float32], Any]:
    """Return classes as columns: 1 where a unit is of the class, nan where it has none; probabilities."""
    classes = np.array(truth.classes, dtype=np.str_)
    true = (truth.labels[:, None] == np.array(truth.classes, dtype=object)).astype(np.float32)
    true[[label is None for label in truth.labels]] = np.nan
    return classes, slide.unit_names, true, shares


def _rows(slide: Slide, units: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return the rows of `units` on the slide: all, or those that are scored."""
    if len(units) == slide.n_units:
        return np.arange(slide.n_units)
    return np.flatnonzero(np.isin(slide.unit_names, units))


def _text(labels: NDArray[np.object_]) -> NDArray[np.str_]:
    """Return labels as text, empty where a unit has none."""
    return np.array(["" if label is None else str(label) for label in labels.tolist()], dtype=np.str_)
