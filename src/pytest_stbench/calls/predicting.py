"""Predictions of one cell: from memory, from the store, or by a fresh fit under guard."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.calls.answers import Answers
from pytest_stbench.calls.computing import Computing, Prediction
from pytest_stbench.calls.contestants import control_predictions, diagnostic_predictions
from pytest_stbench.calls.failures import CellFailed
from pytest_stbench.calls.kept_models import not_fitted
from pytest_stbench.calls.model_calls import ModelCalls
from pytest_stbench.calls.recent import Recent
from pytest_stbench.calls.repeated import RepeatedMistakes
from pytest_stbench.calls.stored_identity import IdentityRemarks, keeps
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Request
    from pytest_stbench.models.identity import Identity
    from pytest_stbench.models.predictions import Place, PredictionFolder
    from pytest_stbench.registry import Baseline
    from pytest_stbench.store.marker import Claim, StoredPrediction
    from pytest_stbench.store.store import Store

    CellKey = Callable[[str], str]


@dataclass(slots=True)
class Tally:
    """Keys of the cells that were computed and taken from the store in this process.

    What another process of the run has just computed is taken from the store too: who adds up subtracts it.
    """

    computed: set[str] = field(default_factory=set)
    reused: set[str] = field(default_factory=set)
    memory_only: set[str] = field(default_factory=set)
    _told: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def news(self) -> dict[str, list[str]]:
        """Return what came since it was last asked, as builtin values."""
        kinds = {"computed": self.computed, "reused": self.reused, "memory_only": self.memory_only}
        news = {kind: sorted(names - self._told[kind]) for kind, names in kinds.items()}
        for kind, new in news.items():
            self._told[kind].update(new)
        return news


class Predictor:
    """Fits and predicts, at most once per model and cell.

    `progress` is told what begins; a process-wide tally counts what was computed and reused.
    """

    def __init__(
        self,
        store: Store,
        *,
        retry: bool,
        progress: Callable[[str], AbstractContextManager[Any]],
        afresh: bool = False,
        keep_models: Path | None = None,
    ) -> None:
        self.store = store
        self._afresh = afresh
        self._retry = retry
        self._progress = progress
        self._recent = Recent(store)
        self._remarks = IdentityRemarks()
        self._answers = Answers(store)
        self._mistakes = RepeatedMistakes()
        self._keep_models = keep_models
        self.tally = Tally()

    def forget(self) -> None:
        """Drop predictions of cells that are done; failures stay known."""
        self._recent.forget()

    def model(
        self,
        contestant: Contestant,
        fold: FoldData,
        cell_key: CellKey,
        label: str,
        timeout: float | None,
        *,
        group: str = "",
    ) -> Prediction:
        """Return the prediction of a model-kind contestant.

        `group` names the folds in which a mistake in ``fit`` that repeats is not made again.
        Raises ``CellFailed`` with the message of the contract item.
        """
        identity = self._identity(contestant)
        if identity is not None:
            self._remarks.refuse_twin(contestant, identity)
        key = cell_key(identity.digest if keeps(identity) else f"anonymous {contestant.key}")
        known = self._recent.get(key)
        if known is None:
            try:
                known = self._stored_or_computed(
                    contestant, fold, key, label, timeout, f"{contestant.key} {group}" if group else ""
                )
            except CellFailed as error:
                known = error
            self._recent.put(key, known)
        if isinstance(known, CellFailed):
            raise known
        return known

    def from_files(self, contestant: Contestant, fold: FoldData, place: Place, label: str) -> Prediction:
        """Return predictions that were made elsewhere. Raises ``CellFailed``."""
        files = contestant.files
        assert files is not None  # the caller has looked
        if not fold.question.exportable:
            message = f"{label}: this family makes inputs while it runs: give the model itself, not files"
            raise CellFailed(message)
        key = f"files {contestant.key} {place}"
        known = self._recent.get(key)
        if known is None:
            calls = ModelCalls(label)
            values = {
                request.key: calls.do("reading", partial(_accepted, files, place, request, fold))
                for request in fold.question.requests(fold)
            }
            calls.do("reading", lambda: fold.question.complete(values, contestant.label))
            remarks, files.remarks = files.remarks, ()
            known = Prediction(values=values, remarks=remarks)
            self._recent.put(key, known)
        assert isinstance(known, Prediction)  # a failure is raised, never kept under this key
        return known

    def diagnostic(self, record: Baseline, fold: FoldData, label: str, cell_key: CellKey) -> Prediction:
        """Return the prediction of a baseline that is given the truth, from the store where it is."""
        key = cell_key(f"diagnostic {record.name}")
        with _failing_cell(), self.store.claim(key, label, retry=True) as claim:
            if claim.stored is not None:
                return _from_store(claim.stored, ())
            start = time.perf_counter()
            values = ModelCalls(label, ours=True).do("fit", lambda: diagnostic_predictions(record, fold))
            found = Prediction(values=values, seconds=time.perf_counter() - start)
            # Some predict a statistic of a slide, which is no array, and cost nothing.
            if all(isinstance(v, np.ndarray) and v.dtype == np.float32 for v in values.values()):
                about = {"model": record.name, "task": fold.task.name, "label": label}
                self.store.save(key, values, {**about, "seconds": found.seconds})
        return found

    def control(self, record: Baseline, prediction: Prediction, label: str) -> Prediction:
        """Return a model's prediction, transformed by a control."""
        values = ModelCalls(label, ours=True).do(
            "control", lambda: control_predictions(record, prediction.values)
        )
        return Prediction(values=values)

    def _identity(self, contestant: Contestant) -> Identity | None:
        """Return by what the store knows a model; None where nothing is kept of it."""
        return None if self._afresh and contestant.baseline is None else contestant.handle.identity

    def _stored_or_computed(
        self, contestant: Contestant, fold: FoldData, key: str, label: str, timeout: float | None, group: str
    ) -> Prediction:
        identity = self._identity(contestant)
        if identity is None:
            self.tally.memory_only.add(contestant.label)
        with _failing_cell(), self.store.claim(key, label, retry=self._retry) as claim:
            if claim.stored is not None:
                self.tally.reused.add(key)
                told = self._remarks.differs(contestant, claim.stored.meta)
                if self._keep_models is not None and contestant.baseline is None:
                    told = (*told, not_fitted(contestant.label, self._keep_models))
                return _from_store(claim.stored, told)
            with self._tried_twice(group, label):
                prediction, met = self._computed(contestant, fold, label, timeout, claim)
            claim.model_is_done()
            if keeps(identity):
                about = {"model": contestant.label, "task": fold.task.name, "label": label}
                self.store.save(key, prediction.values, {**about, **_meta(prediction, identity)})
        self.tally.computed.add(key)
        told = (*self._remarks.memory_only(contestant), *self._remarks.differs(contestant, met))
        return replace(prediction, remarks=(*prediction.remarks, *told))

    @contextmanager
    def _tried_twice(self, group: str, label: str) -> Iterator[None]:
        """Refuse what failed alike in the latest folds of a group, and note how this one ends."""
        if self._retry or not group:
            yield
            return
        self._mistakes.refuse(group, label)
        try:
            yield
        except CellFailed as error:
            self._mistakes.note(group, label, error)
            raise
        self._mistakes.note(group, label, None)

    def _computed(
        self, contestant: Contestant, fold: FoldData, label: str, timeout: float | None, claim: Claim
    ) -> tuple[Prediction, Mapping[str, Any]]:
        """Return a prediction, and what lies beside the answers of earlier calls that are part of it."""
        identity = self._identity(contestant)
        with self._progress(label) as began:
            computing = Computing(
                contestant, fold, label, timeout=timeout, claim=claim, began=began, answers=self._answers,
                identity=identity if keeps(identity) else None, keep_models=self._keep_models,
            )  # fmt: skip
            return computing.prediction(), computing.met


@contextmanager
def _failing_cell() -> Iterator[None]:
    """Let whatever ends the block with a message be a failure of the cell."""
    try:
        yield
    except CellFailed:
        raise
    except StbenchError as error:
        raise CellFailed(str(error)) from None


def _accepted(files: PredictionFolder, place: Place, request: Request, fold: FoldData) -> NDArray[Any]:
    raw = fold.question.read(files, place, request, fold)
    return fold.question.accept(raw, request, fold, f"{files.name}, slide {request.key}")


def _meta(prediction: Prediction, identity: Identity) -> dict[str, Any]:
    return {
        **identity.beside,
        "seconds": prediction.seconds,
        "peak_memory_mb": prediction.peak_memory_mb,
        "remarks": list(prediction.remarks),
    }


def _from_store(stored: StoredPrediction, differs: tuple[str, ...]) -> Prediction:
    meta = stored.meta
    return Prediction(
        values=stored.values,
        seconds=meta.get("seconds"),
        peak_memory_mb=meta.get("peak_memory_mb"),
        reused=True,
        remarks=(*meta.get("remarks", ()), *differs),
    )
