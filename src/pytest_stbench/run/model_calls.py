"""Calls of a model's methods: bounded in time, every way to fail told in the user's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import StbenchError
from pytest_stbench.run.guard import ModelTimeout, guarded_call
from pytest_stbench.run.outcomes import CellFailed
from pytest_stbench.run.settings import GRACE
from pytest_stbench.run.tracebacks import user_traceback

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.run.store import Claim


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
    """

    def __init__(
        self, label: str, *, timeout: float | None = None, claim: Claim | None = None, ours: bool = False
    ) -> None:
        self._label = label
        self._timeout = timeout
        self._claim = claim
        self._ours = ours

    def do(self, phase: str, function: Callable[[], Any]) -> Any:
        """Return ``function()``. Raises ``CellFailed`` for whatever it raises."""
        if self._claim is not None:
            self._claim.phase(phase)
        try:
            return guarded_call(function, timeout=self._timeout, grace=GRACE, on_death=self._died)
        except ModelTimeout as error:
            message = (
                f"{self._label}: {phase} took longer than the {self._timeout:g} s of `timeout` and was "
                "stopped; raise `timeout` in the task file, or make it faster. It was here:\n"
                f"{user_traceback(error)}"
            )
            raise CellFailed(message) from None
        except StbenchError as error:
            if error.__cause__ is None:
                message = f"{self._label}: {error}"
                raise CellFailed(message) from None
            raise CellFailed(self._raised(phase, error)) from None
        except Exception as error:  # noqa: BLE001  # a model may raise anything
            raise CellFailed(self._raised(phase, error)) from None

    def _raised(self, phase: str, error: Exception) -> str:
        import traceback

        text = "".join(traceback.format_exception(error)) if self._ours else user_traceback(error)
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        return f"{self._label} raised {what} (in {phase})\n{text}"

    def _died(self) -> None:
        if self._claim is not None:
            self._claim.died()
