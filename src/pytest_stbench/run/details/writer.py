"""What a run keeps beside its results: parts of it, put down by each process as it makes them."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.scores import MODEL_REASONS
from pytest_stbench.results.details import PARTS, unanswered
from pytest_stbench.results.map_parts import MapPart, write_part as write_map
from pytest_stbench.results.single_scores import (
    MARKER,
    PREDICTED_MARKERS,
    SLIDE,
    TRUE_MARKERS,
    Block,
    Encoder,
    Place,
    single,
    write_part,
)
from pytest_stbench.run.cells import patient_of
from pytest_stbench.run.details.map_writer import MapKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.families.question import Truth
    from pytest_stbench.metrics.scores import Scores
    from pytest_stbench.results.details import Level
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.scores.ceilings import Ceiling
    from pytest_stbench.run.scores.scoring import Detail
    from pytest_stbench.run.task_run import TaskRun

CEILING = "ceiling"
"""Role and model under which ceilings stand among scores."""
LISTS_OF = "niche_jaccard"
"""Metric whose lists of markers are kept; those of another one where it is not asked."""
NOTHING_TO_SCORE, NO_CEILING = "nothing_to_score", "no_ceiling"
"""Reasons of values that are undefined as a whole."""


class Keeper:
    """Puts down what one process has to keep, in `folder`; whoever reports makes files of it.

    A failure of the disk ends the keeping, not the run: ``problem`` says what happened.
    """

    def __init__(self, folder: Path, level: Level = "scores") -> None:
        self.folder = folder
        self.level = level
        self.problem = ""
        self._encoder = Encoder()

    def scores(
        self, task: str, cell: Cell, who: tuple[str, str], details: Iterable[Detail], of: Mapping[str, str]
    ) -> None:
        """Keep every single score of one contestant on one cell.

        `who` is its role and name, `of` gives the patient of each slide. The seed of a model concerns
        neither baselines nor ceilings.
        """
        role, name = who
        seed = cell.seed if cell.seed_in_id and role in ("model", "control") else -1
        place = Place(task, cell.dataset, cell.variant, cell.split, role, name, cell.fold.name, seed)

        def blocks() -> Iterator[Block]:
            known = list(details)
            for detail in known:
                yield from _blocks(detail, of[detail.slide])
            for detail in _with_lists(known):
                yield from _markers(detail, of[detail.slide])

        self._put(place, blocks())

    def ceilings(
        self, task: str, cell: Cell, found: Mapping[str, Mapping[str, Ceiling]], of: Mapping[str, str]
    ) -> None:
        """Keep the ceilings of one cell, as scores of a model of that name."""
        place = Place(task, cell.dataset, cell.variant, cell.split, CEILING, CEILING, cell.fold.name)
        self._put(
            place,
            (
                single(
                    metric, SLIDE, ceiling.value, NO_CEILING if np.isnan(ceiling.value) else "",
                    patient=of[slide], slide=slide,
                )
                for metric, by_slide in found.items()
                for slide, ceiling in by_slide.items()
            ),
        )  # fmt: skip

    def _put(self, place: Place, blocks: Iterable[Block]) -> None:
        """Write the scores of one place, unless they are there already."""
        path = self.folder / PARTS / f"{_digest(place)}.arrow"
        if not self.problem and not path.exists():
            made = list(blocks)
            self.guarded(lambda: write_part(path, self._encoder.part(place, made)))

    def guarded(self, write: Callable[[], None]) -> None:
        """Put something down unless the disk has failed before."""
        if self.problem:
            return
        try:
            write()
        except OSError as error:
            self.problem = not_kept(self.folder, error)


class TaskKeeper:
    """Hands what a task run makes to the keeper of its process."""

    def __init__(self, keeper: Keeper, run: TaskRun) -> None:
        self._keeper = keeper
        self._task = run.spec.name
        self._grid = run.grid
        asked = keeper.level != "scores"
        self._maps = MapKeeper(keeper.folder, run, everything=keeper.level == "all") if asked else None

    def ceilings(self, cell: Cell, found: Mapping[str, Mapping[str, Ceiling]]) -> None:
        """Keep the ceilings of one cell."""
        self._keeper.ceilings(self._task, cell, found, patient_of(self._grid, cell.dataset))

    def scores(self, cell: Cell, who: tuple[str, str], details: Sequence[Detail]) -> None:
        """Keep every single score of one contestant, its role and name, on one cell."""
        self._keeper.scores(self._task, cell, who, details, patient_of(self._grid, cell.dataset))
        if self._maps is not None and who[0] == "model":
            self._maps.note(cell, who[1], details)

    def unanswered(self, contestant: Contestant, cell: Cell, why: str) -> None:
        """Say of each test slide of a cell that a model gave no prediction; variants keep no maps."""
        for slide in cell.fold.test if not cell.variant else ():
            about = {"task": self._task, "dataset": cell.dataset, "slide": slide}
            part = MapPart(about=about, left_out=(unanswered(contestant.label, why),))
            self._keeper.guarded(partial(write_map, self._keeper.folder, part, contestant.label))

    def maps(self, contestant: Contestant, cell: Cell, truths: Mapping[str, Truth]) -> None:
        """Keep the maps of one cell, where maps are asked."""
        maps = self._maps
        if maps is not None:
            self._keeper.guarded(lambda: maps.keep(contestant, cell, truths))


def not_kept(folder: Path, error: OSError) -> str:
    """Return what to say where the disk takes no more."""
    return (
        f"single scores and maps are not kept, {folder.parent} cannot be written to "
        f"({error.strerror or error}): free space, or save to another folder"
    )


def _blocks(detail: Detail, patient: str) -> list[Block]:
    """Return the value of a slide, and those of the genes, units ... that it is the mean of."""
    value = detail.value.value
    reason = ""
    if np.isnan(value):
        found = {reason for scores in detail.repeats for reason in np.unique(scores.reasons).tolist()}
        reason = ", ".join(sorted(found - {""})) or NOTHING_TO_SCORE
    whole = single(detail.metric.name, SLIDE, value, reason, patient=patient, slide=detail.slide)
    if detail.metric.over == SLIDE or not detail.repeats:
        return [whole]
    names, values, reasons = _mean_over(detail.repeats)
    own = Block(
        metric=detail.metric.name, level=detail.metric.over, slide=detail.slide, patient=patient,
        names=names, values=values, reasons=reasons,
    )  # fmt: skip
    return [whole, own]


def _with_lists(details: Iterable[Detail]) -> list[Detail]:
    """Return of each slide what compares lists of markers: the plain Jaccard index where it is asked."""
    found: dict[str, Detail] = {}
    for detail in sorted(details, key=lambda detail: detail.metric.name != LISTS_OF):
        if detail.repeats and detail.repeats[0].members is not None:
            found.setdefault(detail.slide, detail)
    return list(found.values())


def _markers(detail: Detail, patient: str) -> list[Block]:
    """Return the place of each gene in the true and in the predicted list of markers of each niche.

    A niche whose value the data leave undefined has none.
    """
    scores = detail.repeats[0]
    return [
        Block(
            metric=metric, level=MARKER, slide=detail.slide, patient=patient, names=genes,
            values=np.arange(1.0, len(genes) + 1), reasons=np.full(len(genes), ""), niche=str(niche),
        )
        for niche, lists, reason in zip(scores.labels, scores.members or (), scores.reasons, strict=True)
        if reason in ("", *MODEL_REASONS)
        for metric, genes in zip((TRUE_MARKERS, PREDICTED_MARKERS), lists, strict=True)
        if len(genes)
    ]  # fmt: skip


def _mean_over(repeats: Sequence[Scores]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return names, values and reasons; of several repeats the mean of those in which a name has a value."""
    if len(repeats) == 1:
        return repeats[0].labels, repeats[0].values, repeats[0].reasons
    labels = np.concatenate([scores.labels for scores in repeats])
    values = np.concatenate([scores.values for scores in repeats])
    reasons = np.concatenate([scores.reasons for scores in repeats])
    names, first, places = np.unique(labels, return_index=True, return_inverse=True)
    defined = ~np.isnan(values)
    count = np.bincount(places[defined], minlength=len(names))
    total = np.bincount(places[defined], values[defined], minlength=len(names))
    mean = np.divide(total, count, out=np.full(len(names), np.nan), where=count > 0)
    return names, mean, np.where(count > 0, "", reasons[first])


def _digest(place: Place) -> str:
    return hashlib.sha256(json.dumps(place).encode()).hexdigest()[:32]
