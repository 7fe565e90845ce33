"""Truth and prediction of one slide: by a baseline that is fitted here, or as a run kept them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.calls.failures import Blocked, CellFailed
from pytest_stbench.errors import ResultsError
from pytest_stbench.families.predicted_expression import ExpressionTruth
from pytest_stbench.report.figures.figure import CannotDraw
from pytest_stbench.report.page.sources import details_of, read_sources
from pytest_stbench.results.slide_maps import read_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.report.figures.opened import Subject

    Floats = NDArray[np.float64]

SIMPLE = "ridge"
NO_NICHE = ("", "undetermined")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """What was measured and what was predicted on one slide, (n, g) each, on the scale of the task.

    ``places`` are the genes of a set that metrics look at; of a set that is not there, all. ``who`` made
    the prediction, ``how`` says it in a sentence; ``scores`` are what a results file says of this slide.
    """

    slide: str
    who: str
    how: str
    truth: Floats
    prediction: Floats
    measured: NDArray[np.bool_]
    genes: NDArray[np.str_]
    niches: NDArray[np.object_]
    places: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def of(self, name: str) -> tuple[Floats, Floats, dict[str, Any]]:
        """Return truth, prediction, and which genes are measured, of the set of genes `name`."""
        at = self.places.get(name, np.arange(len(self.genes)))
        about = {"measured": self.measured[at], "genes": self.genes[at]}
        return self.truth[:, at], self.prediction[:, at], about


def niches_of(labels: Any) -> dict[str, int]:
    """Return the number of units of each niche, those without one left out."""
    named = [str(label) for label in labels if label is not None and str(label) not in NO_NICHE]
    names, numbers = np.unique(np.asarray(named, np.str_), return_counts=True)
    return dict(zip(names.tolist(), numbers.tolist(), strict=True))


def fitted(subject: Subject, slide_id: str) -> Pair:
    """Return a slide as the simple baseline predicts it from other patients, or from other blocks.

    Raises ``CannotDraw`` and ``DataError``.
    """
    run, cell = subject.run, subject.cell_of(slide_id)
    contestant = run.baseline(SIMPLE, subject.name)
    try:
        fold = run.fold(cell)
        prediction = run.prediction(contestant, cell)
    except (Blocked, CellFailed) as error:
        why = f"the baseline {contestant.baseline} cannot be fitted: {str(error).splitlines()[0]}"
        raise CannotDraw(
            why, "name what it may see in a task file (`imputation`), and run `stbench check`"
        ) from None
    slide = next(found for found in fold.test if found.meta.slide_id == slide_id)
    truth = fold.truth(slide)
    assert isinstance(truth, ExpressionTruth)  # the family that is asked has no other
    trained = len({s.meta.patient_id or s.meta.slide_id for s in fold.train})
    how = (
        "trained on other blocks of the same slides"
        if cell.fold.within
        else f"trained on {len(fold.train)} slides of {trained} other patients"
        if trained > 1
        else f"trained on {len(fold.train)} slides of one other patient"
    )
    inputs = (
        f"from counts of {len(fold.task.observed_genes):,} other genes"
        if len(fold.task.observed_genes)
        else "from what the slide offers beside counts"
    )
    return Pair(
        slide=slide_id,
        who=str(contestant.baseline),
        how=f"Prediction: the baseline {contestant.baseline}, {inputs}, {how} (fold {cell.fold.name})",
        truth=truth.values,
        prediction=np.asarray(prediction.values[slide_id], np.float64),
        measured=truth.measured,
        genes=truth.genes,
        niches=truth.surroundings.niches,
        places=truth.places,
    )


def kept(path: Path, known: Sequence[str], *, niches: bool = False) -> Pair:
    """Return the slide of most units (with `niches`: of most niches first) that a results file kept.

    `known` are the slides of the data. Raises ``ResultsError`` where the file or a map of it cannot be
    used, ``CannotDraw`` where it kept none of these slides.
    """
    (source,) = read_sources([path])
    held = details_of(source)
    model = next((score.model for score in source.results.scores if score.role == "model"), None)
    best: tuple[tuple[int, int], Any, str] | None = None
    for item in held.maps:
        if item.slide not in known:
            continue
        try:
            part = read_map(item.path)
        except (OSError, KeyError, ValueError) as error:
            message = f"{item.path}: this kept map cannot be read ({error}): run again with --stbench-keep"
            raise ResultsError(message) from None
        layer = model if model in part.layers else next(iter(part.layers), None)
        if layer is None:
            continue
        size = (len(niches_of(part.labels.get("niche", ()))) if niches else 0, len(part.units))
        if best is None or size > best[0]:
            best = size, part, layer
    if best is None:
        said = " ".join((*held.notices, *held.left_out)) or "it kept no map"
        why = f"{path.name} holds no map of these slides with a prediction ({said})"
        raise CannotDraw(why, "run pytest with --stbench-save and --stbench-keep=maps (or all) on these data")
    _, part, layer = best
    task, dataset, slide = part.key
    whole = np.isfinite(part.layers[layer]).all(axis=0)
    scores = {
        score.metric: value
        for score in source.results.scores
        if (score.task, score.dataset, score.model, score.variant) == (task, dataset, layer, "")
        and score.fold is None
        and (value := (score.per_slide or {}).get(slide)) is not None
    }
    others = sorted({name for name in part.layers if name != layer})
    return Pair(
        slide=slide,
        who=layer,
        how=f"Prediction: {layer} of the task {task}, as {path.name} kept it",
        truth=part.truth[:, whole].astype(np.float64),
        prediction=part.layers[layer][:, whole].astype(np.float64),
        measured=np.isfinite(part.truth[:, whole]).all(axis=0),
        genes=part.genes[whole],
        niches=np.array(
            [label or None for label in part.labels.get("niche", [None] * len(part.units))], object
        ),
        scores=scores,
        left_out=(f"other models that were kept: {', '.join(others)}",) if others else (),
    )
