"""One question as a model is asked it: units in the order of models, answers in that of the slide."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.build import arrange
from pytest_stbench.models.contract import ContractError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Request

_NAMED = re.compile(r"at unit '([^']+)'")


class Asking:
    """A request of a fold, between the slide and a model.

    Parameters
    ----------
    fold, request
        What is asked.
    own_names
        The model asks for the names of units as the data set has them.
    """

    def __init__(self, fold: FoldData, request: Request, *, own_names: bool) -> None:
        self._fold = fold
        self._request = request
        self._arrangement = arrange(request.slide, own_names=own_names) if fold.question.of_units else None

    def given(self) -> ModelSlide:
        """Return the input, built anew at every call."""
        given = self._fold.question.given(self._request, self._fold)
        return given if self._arrangement is None else self._arrangement.arranged(given)

    def ask(self, model: Any, given: ModelSlide) -> object:
        """Return what `model` answers, as it came."""
        return self._fold.question.ask(model, given, self._request, self._fold.task)

    def accept(self, raw: object, where: str) -> NDArray[Any]:
        """Return a checked copy of an answer, rows in the order of the slide. Raises ``ContractError``."""
        question, arrangement = self._fold.question, self._arrangement
        if arrangement is None:
            return question.accept(raw, self._request, self._fold, where)
        # Of the units an answer is held against their number and names alone.
        named = replace(self._request, slide=replace(self._request.slide, unit_names=arrangement.names))
        try:
            return arrangement.back(question.accept(raw, named, self._fold, where))
        except ContractError as error:
            own = dict(zip(arrangement.names.tolist(), self._own_names(), strict=True))
            error.args = (_NAMED.sub(lambda match: _both(match[1], own), str(error)),)
            raise

    def _own_names(self) -> list[str]:
        assert self._arrangement is not None  # the caller has looked
        names: list[str] = self._request.slide.unit_names[self._arrangement.rows].tolist()
        return names


def _both(name: str, own: dict[str, str]) -> str:
    known = own.get(name, name)
    return f"at unit {name!r}" if known == name else f"at unit {name!r} ({known!r} of the data)"
