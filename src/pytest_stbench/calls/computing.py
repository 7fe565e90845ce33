"""One cell computed: a fresh model built, fitted and asked for everything, under guard."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.asked_once import AskedOnce
from pytest_stbench.calls.failures import AskedInVainError, CellFailed, first_line
from pytest_stbench.calls.kept_models import keep_model, not_kept
from pytest_stbench.calls.model_calls import OUTPUT, ModelCalls
from pytest_stbench.calls.peak_memory import PeakMemory
from pytest_stbench.data.inputs import digest
from pytest_stbench.models.probe import EmbedProbe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.calls.answers import Answers
    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide
    from pytest_stbench.families.asking import Asking
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Course
    from pytest_stbench.models.identity import Identity
    from pytest_stbench.store.marker import Claim

    Predictions = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Predicted values by the key of what was asked, what they cost, and remarks on the model."""

    values: Predictions
    seconds: float | None = None
    peak_memory_mb: float | None = None
    reused: bool = False
    remarks: tuple[str, ...] = ()


class Computing:
    """Computes the prediction of one cell.

    A user's model without ``fit`` is asked once for each input, whatever cells share it; so are the
    embeddings that one with ``embed`` alone is read out from. Its calls are then guarded one by one, each
    with the timeout: what is around them is this package's own.

    Parameters
    ----------
    contestant, fold, label
        Who is asked what, and what messages call it.
    timeout
        Seconds for one call; None for no limit.
    claim, began
        Told the phase.
    answers
        What is known of answers to inputs.
    identity
        As the store knows the model; None where what it says stays in memory.
    keep_models
        Folder for fitted models of users; None to keep none.
    """

    def __init__(
        self,
        contestant: Contestant,
        fold: FoldData,
        label: str,
        *,
        timeout: float | None,
        claim: Claim,
        began: Callable[[str], object] | None,
        answers: Answers,
        identity: Identity | None,
        keep_models: Path | None = None,
    ) -> None:
        self._contestant = contestant
        self._fold = fold
        self._ours = contestant.baseline is not None
        self._calls = ModelCalls(label, timeout=timeout, claim=claim, ours=self._ours, began=began)
        self._around = ModelCalls(label, claim=claim, ours=True, began=began)
        self._answers = answers
        self._identity = identity
        self._label = label
        self._keep_models = None if self._ours else keep_models
        self._fits = 0
        self._remarks: dict[str, None] = {}
        self.met: Mapping[str, Any] = {}
        """What lies beside an answer that an earlier call had kept."""

    def prediction(self) -> Prediction:
        """Return the prediction. Raises ``CellFailed``, and what else says why there is none."""
        start = time.perf_counter()
        with PeakMemory() as memory:
            values = self._values()
        return Prediction(
            values=values,
            seconds=time.perf_counter() - start,
            peak_memory_mb=memory.peak_mb,
            remarks=tuple(self._remarks),
        )

    def _values(self) -> dict[str, NDArray[Any]]:
        who = self._contestant.key
        if who not in self._answers.apart:
            try:
                return self._of_courses(self._answers)
            except AskedInVainError:
                self._answers.apart.add(who)
        values = self._of_courses(None)
        self._remarks[_changes_itself(self._contestant.label)] = None
        return values

    def _of_courses(self, answers: Answers | None) -> dict[str, NDArray[Any]]:
        values: dict[str, NDArray[Any]] = {}
        for course in self._fold.question.courses(self._fold):
            values |= self._of_course(course, answers)
        self._fold.question.complete(values, self._contestant.label)
        return values

    def _of_course(self, course: Course, answers: Answers | None) -> dict[str, NDArray[Any]]:
        calls, own_names = self._calls, self._contestant.handle.own_names
        model = calls.do("build", self._contestant.handle.fresh)
        asked = None if self._ours else self._asked_once(model, answers)
        if asked is not None:
            calls, model = self._around, EmbedProbe(asked) if isinstance(model, EmbedProbe) else asked
        if calls.do("build", partial(hasattr, model, "fit")):
            slides = None if course.train is self._fold.train else course.train
            if slides is None and self._ours and _of_package(model):
                train = self._fold.later_inputs()
            else:
                train = self._fold.train_inputs(slides, own_names=own_names)
            calls.do("fit", partial(_fit, model, train, self._fold.task))
            del train
            if self._keep_models is not None and asked is None:
                self._keep(model, self._keep_models)
        values = {}
        for request in course.requests:
            asking = self._fold.asking(request, own_names=own_names)
            given = asking.given()
            before = digest(given) if asked is None else ""
            raw = calls.do("predict", partial(asking.ask, model, given))
            where = f"{self._contestant.label}, slide {request.key}"
            look = partial(_accepted_output, asking, raw, None if asked is not None else given, where)
            values[request.key], after = self._calls.do(OUTPUT, look)
            if after != before:
                self._remarks[_changes_input(self._contestant.label)] = None
        if asked is not None:
            self._note(asked)
        return values

    def _asked_once(self, model: Any, answers: Answers | None) -> AskedOnce | None:
        """Return what stands for a user's model without ``fit``; None for any other."""
        inner = model.model if isinstance(model, EmbedProbe) else model
        if self._calls.do("build", partial(hasattr, inner, "fit")):
            return None
        return AskedOnce(inner, answers, self._calls, self._contestant.label, self._identity)

    def _keep(self, model: Any, folder: Path) -> None:
        self._fits += 1
        label = self._label if self._fits == 1 else f"{self._label} {self._fits}"
        try:
            self._calls.do("keep", partial(keep_model, model, folder, label))
        except CellFailed as error:
            why = first_line(error).removeprefix(self._label).strip()
            self._remarks[not_kept(self._contestant.label, folder, why)] = None

    def _note(self, asked: AskedOnce) -> None:
        if asked.changes_input:
            self._remarks[_changes_input(self._contestant.label)] = None
        self.met = asked.met or self.met


def _of_package(model: Any) -> bool:
    """Return whether a model changes none of its slides, as no baseline of this package does."""
    inner = model.model if isinstance(model, EmbedProbe) else model
    return type(inner).__module__.partition(".")[0] == __name__.partition(".")[0]


def _fit(model: Any, train: list[TrainSlide], task: TaskInfo) -> None:
    model.fit(train, task)


def _accepted_output(
    asking: Asking, raw: object, given: ModelSlide | None, where: str
) -> tuple[NDArray[Any], str]:
    """Return a checked copy of what a model returned, and the digest of what its input is by then.

    Runs what the model wrote (``__array__``, ``shape``), as the model itself does.
    """
    return asking.accept(raw, where), "" if given is None else digest(given)


def _changes_input(label: str) -> str:
    """Return what is said of any slide and fold: the same words, so that a run says it once."""
    return (
        f"{label} changes its input in predict; here nothing else sees that copy, elsewhere it would: copy "
        "before you change"
    )


def _changes_itself(label: str) -> str:
    return (
        f"{label} has no fit, and what it holds changes from answer to answer (or is drawn without a seed, "
        "or has no digest): every fold asks it for everything again. Hold nothing but what the first answer "
        "needs, seeded, and each input is asked once"
    )
