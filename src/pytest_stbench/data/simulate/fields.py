"""Smooth random fields that can be asked at any place of the tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.streams import Stream

WAVES = 96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fields:
    """Gaussian fields with squared-exponential covariance, as sums of random cosines.

    Random Fourier features (Rahimi and Recht 2007): mean 0, variance 1, covariance
    ``exp(-d^2 / (2 length^2))`` at distance d. Unlike a Cholesky factor the cost is linear in the
    number of places, and image and units see one and the same field.
    """

    frequencies: NDArray[np.float64]
    phases: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: Stream, *, n: int, length_um: float) -> Fields:
        """Draw `n` independent fields of length scale `length_um`."""
        frequencies = rng.normal((2, WAVES)) / length_um
        phases = rng.uniform(WAVES) * 2 * np.pi
        weights = rng.normal((WAVES, n)) * np.sqrt(2 / WAVES)
        return cls(frequencies=frequencies, phases=phases, weights=weights)

    def at(self, xy_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values (places, n) at `xy_um` (places, 2)."""
        waves: NDArray[np.float64] = np.cos(xy_um @ self.frequencies + self.phases)
        return waves @ self.weights
