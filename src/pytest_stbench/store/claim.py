"""The right to compute one prediction, and the prediction where it is there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.store.marker import TIMEOUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.store.marker import StartMarker


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredPrediction:
    """Predictions of one cell by slide, an array each, and what was noted with them."""

    values: dict[str, NDArray[Any]]
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claim:
    """The right to compute one key. ``stored`` is a prediction that is there already, or None.

    ``marker`` is None where nothing is computed or the file system has no locks.
    """

    stored: StoredPrediction | None
    marker: StartMarker | None = None

    def phase(self, name: str) -> None:
        """Note what the model does now (``fit``, ``predict`` ...), to be read after its death."""
        if self.marker is not None:
            with suppress(OSError):
                self.marker.write(name)

    def model_is_done(self) -> None:
        """Note that the model did its part: what ends the process from now on is not its doing."""
        if self.marker is not None:
            self.marker.remove()

    def died(self) -> None:
        """Note that the process is about to be ended because the model ran past its timeout."""
        self.phase(TIMEOUT)
