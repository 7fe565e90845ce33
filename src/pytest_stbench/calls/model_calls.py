"""Calls of a model's methods: bounded in time, every way to fail told in the user's terms."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import AskedInVainError, Blocked, CellFailed
from pytest_stbench.calls.guard import GRACE, ModelTimeout, guarded_call
from pytest_stbench.calls.tracebacks import outcome_call, said, user_traceback
from pytest_stbench.errors import ModelError, StbenchError
from pytest_stbench.models.contract import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.store.marker import Claim

OUTPUT = "output"
"""The phase in which what a model returned is looked at."""
ADVICE = "choose a model that runs here, or let it raise an error of its own"


def built(label: str, make: Callable[[], Any], timeout: float | None) -> Any:
    """Return ``make()``, which runs a model's code before any cell: its constructor, its attributes.

    Raises ``Blocked`` for whatever it raises, but for Ctrl-C.
    """
    try:
        return guarded_call(make, timeout=timeout, grace=GRACE)
    except KeyboardInterrupt:
        raise
    except ModelError as error:
        detail = str(error)
    except BaseException as error:  # noqa: BLE001  # a user's factory may raise anything
        verb = "called" if outcome_call(error) else "raised"
        detail = f"building it {verb} {said(error)}\n{user_traceback(error)}"
    raise Blocked(cause=f"model {label}", detail=detail)


class ModelCalls:
    """Runs a model's code for one cell.

    Parameters
    ----------
    label
        What messages call the model and cell.
    timeout
        Seconds for one call; None for no limit.
    claim
        Told the phase, so that the end of the process can be blamed on it later.
    ours
        Whether the code is a baseline of this package: its traceback is shown whole.
    began
        Told the phase as well, to show it.
    """

    def __init__(
        self,
        label: str,
        *,
        timeout: float | None = None,
        claim: Claim | None = None,
        ours: bool = False,
        began: Callable[[str], object] | None = None,
    ) -> None:
        self._label = label
        self._timeout = timeout
        self._claim = claim
        self._ours = ours
        self._began = began

    def do(self, phase: str, function: Callable[[], Any], *, of: str = "") -> Any:
        """Return ``function()``. Raises ``CellFailed`` for whatever it raises, but for Ctrl-C.

        Also what tests raise to say how they ended (``pytest.skip``): a model has no say in that. `of` says
        what is done with, to show it beside the phase.
        """
        if self._claim is not None:
            self._claim.phase(phase)
        if self._began is not None:
            self._began(f"{phase} {of}".rstrip())
        try:
            return self._guarded(function)
        except (KeyboardInterrupt, CellFailed, AskedInVainError):
            raise  # the latter two by a call inside of this one
        except BaseException as error:  # noqa: BLE001  # a model may raise anything
            failed = CellFailed(self._message(phase, error))
            failed.phase = phase
            raise failed from None

    def _guarded(self, function: Callable[[], Any]) -> Any:
        return guarded_call(function, timeout=self._timeout, grace=GRACE, on_death=self._died)

    def _message(self, phase: str, error: BaseException) -> str:
        """Return the message; the text of an exception is the model's code as well."""
        try:
            text: str = self._guarded(lambda: self._text(phase, error))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  # a model's exception may do anything
            text = f"{self._label} raised {type(error).__name__} (in {phase}), whose text cannot be shown"
        return text

    def _text(self, phase: str, error: BaseException) -> str:
        if isinstance(error, ModelTimeout):
            return (
                f"{self._label}: {phase} took longer than the {self._timeout:g} s of `timeout` and was "
                "stopped; raise `timeout` in the task file, or make it faster. It was here:\n"
                f"{user_traceback(error)}"
            )
        if isinstance(error, ContractError) and phase == OUTPUT:
            return str(error)  # says whose output it is
        if isinstance(error, StbenchError) and error.__cause__ is None:
            return f"{self._label}: {error}"
        call = outcome_call(error)
        if call:
            what = f"called {said(error)} (in {phase})\nA model that ends its test has not passed: {ADVICE}"
        else:
            what = f"raised {said(error)} (in {phase})"
        trace = "".join(traceback.format_exception(error)) if self._ours else user_traceback(error)
        return f"{self._label} {what}\n{trace}"

    def _died(self) -> None:
        if self._claim is not None:
            self._claim.died()
