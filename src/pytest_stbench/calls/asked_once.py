"""A model without ``fit``, asked once for each input: its answer stands wherever the input is the same."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.answers import Answer, answer_key
from pytest_stbench.calls.failures import AskedInVainError
from pytest_stbench.calls.model_calls import OUTPUT
from pytest_stbench.data.inputs import ModelSlide, digest
from pytest_stbench.models.answers import asked_digest, own_state, plain_answer
from pytest_stbench.models.contract import ContractError
from pytest_stbench.models.protocol import PREDICTION_METHODS
from pytest_stbench.models.tensors import TensorDigests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.calls.answers import Answers
    from pytest_stbench.calls.model_calls import ModelCalls
    from pytest_stbench.models.identity import Identity


class AskedOnce:
    """Stands for a fresh model in the questions of one cell.

    Its answers are a function of the input alone as long as what it holds is the same after each of them:
    weights may be loaded at the first, which is kept once a second answer has left the model as it was. A
    model that is another one later, that was another one when it answered for another cell, or that holds
    what has no digest, raises ``AskedInVainError``: the cell then asks it for everything itself.

    Parameters
    ----------
    model
        A fresh model, without ``fit``.
    answers
        What is known of answers; None where everything is asked anew.
    calls
        Runs its code, one call at a time.
    label
        Name of the model.
    identity
        As the store knows the model; None where its answers stay in memory.
    """

    def __init__(
        self, model: Any, answers: Answers | None, calls: ModelCalls, label: str, identity: Identity | None
    ) -> None:
        self._model = model
        self._answers = answers
        self._calls = calls
        self._label = label
        self._identity = identity
        self._tensors = TensorDigests()
        self._who = self._holds = ""
        if answers is not None:
            built, whole = calls.do("build", partial(own_state, model, self._tensors))
            named = identity.digest if identity else f"anonymous {label} {answers.number_of(type(model))}"
            # Of what has no digest nobody can say that the next model holds the same.
            self._who = f"{named} {built}" if whole else ""
            self._holds = built
        self._own = ""
        self._first: tuple[str, Answer] | None = None
        self._served: set[str] = set()
        self.changes_input = False
        self.met: Mapping[str, Any] = {}
        """What lies beside an answer that was kept by an earlier call."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        return partial(self._ask, name) if name in PREDICTION_METHODS and callable(found) else found

    def _ask(self, method: str, slide: Any, *arguments: Any, **named: Any) -> Any:
        question = _Question(method, slide, arguments, named)
        key = self._key(question)
        if key is None or self._answers is None:
            return self._asked(question)[0]
        kept = self._identity is not None
        with self._answers.asking(key, kept=kept) as known:
            if known is not None and self._own in ("", known.made_by):
                return self._again(known)
            start = time.perf_counter()
            before = self._holds
            raw, plain, changed = self._asked(question)
            steady = self._holds == before
            if plain is None:
                return raw
            if known is None:
                answer = Answer(
                    values=plain, made_by=self._own, changes_input=changed,
                    seconds=time.perf_counter() - start,
                    beside=self._identity.beside if self._identity else {},
                )  # fmt: skip
                self._keep(key, answer, kept=kept, steady=steady)
        return plain

    def _keep(self, key: str, answer: Answer, *, kept: bool, steady: bool) -> None:
        """Keep an answer that left the model as it was, and the first one, which may have loaded weights.

        The first is kept with the second, or where a model that was left as it was is what this one is now.
        Of a model that counts its answers none is ever kept, however often it is begun anew.
        """
        assert self._answers is not None  # the caller looked
        if not steady and self._served != {self._own}:
            self._first = (key, answer)
            return
        for place, given in (*([self._first] if self._first else []), (key, answer)):
            self._answers.keep(place, given, kept=kept, label=self._label)
        self._first = None

    def _key(self, question: _Question) -> str | None:
        """Return what stands for a question; None for one that cannot be told from all others."""
        if not self._who or question.units is None:
            return None
        image = question.slide.image
        pixels = "" if image is None else image.fingerprint
        asked = asked_digest(question.method, question.arguments)
        if pixels is None or asked is None:
            return None
        return answer_key(self._who, f"{question.before} {pixels}", asked)

    def _asked(self, question: _Question) -> tuple[Any, NDArray[Any] | None, bool]:
        """Return what the model returned, the same as an array, and whether it changed what it was given."""
        raw = self._calls.do("predict", partial(question.put_to, self._model), of=question.of)
        shared = self._answers is not None and bool(self._who)
        plain, after, (holds, whole) = self._calls.do(
            OUTPUT, partial(self._looked_at, raw, question, shared=shared)
        )
        changed = after != question.before
        self.changes_input = self.changes_input or changed
        if shared:
            if not whole or self._own not in ("", holds) or self._served - {holds}:
                raise AskedInVainError
            self._own = self._holds = holds
        return raw, plain, changed

    def _looked_at(
        self, raw: object, question: _Question, *, shared: bool
    ) -> tuple[NDArray[Any] | None, str, tuple[str, bool]]:
        """Return an answer as an array, the digest of what its input is by then, and what the model holds.

        Runs what the model wrote. What breaks the contract is told by who asked.
        """
        if not shared:
            return None, digest(question.slide), ("", True)
        plain = None
        if question.units is not None:
            with suppress(ContractError):
                plain = plain_answer(question.method, raw, question.units, question.arguments)
        return plain, digest(question.slide), own_state(self._model, self._tensors)

    def _again(self, known: Answer) -> NDArray[Any]:
        self._served.add(known.made_by)
        if len(self._served) > 1:
            raise AskedInVainError
        self.changes_input = self.changes_input or known.changes_input
        self.met = known.beside
        return known.values.copy()


class _Question:
    """One call of a method: what it is given, as it was before the model had it in its hands."""

    def __init__(self, method: str, slide: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.method = method
        self.slide = slide
        self.before = digest(slide)
        own = type(slide) is ModelSlide and not named
        self.units = slide.units.obs_names.to_numpy(str) if own else None
        self.of = f"slide {slide.meta.slide_id}" if own else ""
        self.arguments = tuple(list(part) if isinstance(part, list) else part for part in arguments)
        self._given = (arguments, named)

    def put_to(self, model: Any) -> Any:
        """Return what a model says."""
        arguments, named = self._given
        return getattr(model, self.method)(self.slide, *arguments, **named)
