"""A model tried on little before it is paid for: fitted and asked on some units, and what all costs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.calls.model_calls import OUTPUT, ModelCalls
from pytest_stbench.calls.peak_memory import BYTES_PER_MB, PeakMemory, resident_bytes
from pytest_stbench.models.probe import EmbedProbe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Course, Request

UNITS = 200
"""Units of a slide that a model is tried on."""
TRAIN_PATIENTS, TEST_PATIENTS = 3, 2
"""Patients of whom one slide each is taken; transfer needs two of its test side."""
TIMES = 2
"""Times that a prediction is asked for: the first loads weights, the last says what it costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a model took of a small part, and what all cells alike will take.

    Seconds are those of the fold at hand times the number of cells, each part in proportion to units (tiles
    of segmentation); memory is in proportion to units beyond what the process had, ``None`` where unknown.
    """

    units: int
    seconds: float
    cells: int
    whole_seconds: float
    memory_mb: float | None
    whole_memory_mb: float | None


class _Clock:
    """Seconds of one kind of call: all of them, and the last."""

    def __init__(self) -> None:
        self.all = self.last = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.last = time.perf_counter() - start
        self.all += self.last


def tried(contestant: Contestant, fold: FoldData, label: str, timeout: float | None, n_cells: int) -> Trial:
    """Fit and ask a fresh model on some units of a fold; nothing is kept, and nothing is scored.

    `n_cells` is the number of cells like this one, itself included. Raises ``CellFailed`` as the contract
    would, and ``DataError`` where the small part is no fold.
    """
    small = few(fold)
    calls = ModelCalls(label, timeout=timeout, ours=contestant.baseline is not None)
    fitting, asking = _Clock(), _Clock()
    before = resident_bytes()
    start = time.perf_counter()
    learns = False
    courses = small.question.courses(small)
    with PeakMemory() as memory:
        for course in courses:
            model = calls.do("build", contestant.handle.fresh)
            learns = calls.do("build", partial(_learns, model))
            if calls.do("build", partial(hasattr, model, "fit")):
                slides = None if course.train is small.train else course.train
                train = small.train_inputs(slides, own_names=contestant.handle.own_names)
                with fitting.running():
                    calls.do("fit", partial(model.fit, train, small.task))
                del train
            for _ in range(TIMES):
                _ask(model, course.requests[0], small, contestant, calls, asking)
    seconds = time.perf_counter() - start
    whole = fold.question.courses(fold)
    weights = _weights(fold, whole), _weights(small, courses)
    asked_here = sum(_weight(small, course.requests[0]) for course in courses) / len(courses)
    loading = max(0.0, asking.all - TIMES * len(courses) * asking.last)
    one = fitting.all * weights[0][0] / weights[1][0] + asking.last * weights[0][1] / asked_here
    # A model without `fit` is asked once for each input: where a fold asks of all slides, the first one pays.
    shared = not learns and contestant.baseline is None and _asks_of_all(fold, model, whole)
    times = 1 if shared else n_cells
    ratio = max(weights[0][0] / weights[1][0], 1.0)
    peak = memory.peak_mb
    held = (before or 0) / BYTES_PER_MB
    return Trial(
        units=sum(slide.n_units for slide in (*small.train, *small.test)),
        seconds=seconds,
        cells=n_cells,
        whole_seconds=(one + loading) * times,
        memory_mb=peak,
        whole_memory_mb=None if peak is None or before is None else held + max(0.0, peak - held) * ratio,
    )


def few(fold: FoldData) -> FoldData:
    """Return a fold of some units of one slide each of some patients of both sides."""
    return replace(fold, train=_few(fold.train, TRAIN_PATIENTS), test=_few(fold.test, TEST_PATIENTS))


def _few(slides: Sequence[Slide], most: int) -> tuple[Slide, ...]:
    by_patient = {slide.meta.patient_id or slide.meta.slide_id: slide for slide in reversed(slides)}
    chosen = [slide for slide in slides if slide in by_patient.values()][:most]
    return tuple(
        slide.select(np.unique(np.linspace(0, slide.n_units - 1, UNITS).round().astype(np.intp)))
        if slide.n_units > UNITS
        else slide
        for slide in chosen
    )


def _asks_of_all(fold: FoldData, model: Any, courses: Sequence[Course]) -> bool:
    """Tell whether one fold asks of the slides of both sides, as for a read-out of embeddings."""
    training = {slide.meta.slide_id for slide in fold.train}
    asked = {request.slide.meta.slide_id for course in courses for request in course.requests}
    return (isinstance(model, EmbedProbe) and bool(fold.task.genes)) or training <= asked


def _learns(model: Any) -> bool:
    return hasattr(model.model if isinstance(model, EmbedProbe) else model, "fit")


def _ask(
    model: Any, request: Request, fold: FoldData, contestant: Contestant, calls: ModelCalls, clock: _Clock
) -> None:
    asking = fold.asking(request, own_names=contestant.handle.own_names)
    given = asking.given()
    with clock.running():
        raw = calls.do("predict", partial(asking.ask, model, given))
    calls.do(OUTPUT, partial(asking.accept, raw, f"{contestant.label}, slide {request.key}"))


def _weights(fold: FoldData, courses: Sequence[Course]) -> tuple[float, float]:
    """Return how much there is to learn from in all courses, and how much to ask."""
    learnt = sum(slide.n_units for course in courses for slide in course.train)
    asked = sum(_weight(fold, request) for course in courses for request in course.requests)
    return max(learnt, 1), asked


def _weight(fold: FoldData, request: Request) -> int:
    return request.slide.n_units if fold.question.of_units else 1
