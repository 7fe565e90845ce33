"""Counts from uniform numbers by inversion: Poisson, binomial and negative binomial.

One uniform number is spent on one count. It is cut up by the probabilities of the counts in the
order mode, mode + 1, mode - 1, mode + 2 ...: the piece it lies in is the count. So the search takes
a few standard deviations of steps, and no distribution function is needed; neighbouring
probabilities have the ratio ``p(k + 1) / p(k) = (a + b k) / (k + 1)`` (Panjer's class).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

FROM_ZERO = 16.0
"""Where the mode is below, the search starts at 0, whose probability is plain to compute."""

NOTHING = 1e-20
"""Probabilities that end the search: below the spacing of the uniform numbers."""


def poisson(u: Floats, rate: Floats) -> Whole:
    """Return the Poisson count of each uniform number.

    Parameters
    ----------
    u
        Uniform numbers, 0 <= u < 1, any shape.
    rate
        The mean, finite and 0 or more, of the same shape.

    Raises
    ------
    ValueError
        For a rate that is not finite or is negative.
    """
    _require(rate, np.inf, "rate")
    mode, high = _start(np.floor(rate))
    p = np.exp(-rate)
    m, mean = mode[high], rate[high]
    p[high] = np.exp(-_stirling(m) - _deviance(m, mean)) / np.sqrt(2 * np.pi * m)
    return _search(u, mode, p, rate, np.zeros_like(rate))


def binomial(u: Floats, n: Whole, chance: Floats) -> Whole:
    """Return the binomial count of each uniform number: of `n` things, each kept with `chance`.

    Shapes and errors as in :func:`poisson`; `chance` is 0 to 1.
    """
    _require(n, np.inf, "number")
    _require(chance, 1.0, "chance")
    # Counted are those of the rarer kind.
    size, rare = n.astype(np.float64), np.minimum(chance, 1 - chance)
    mode, high = _start(np.floor((size + 1) * rare))
    p = np.exp(size * np.log1p(-rare))
    p[high] = _binomial_mass(mode[high], size[high], rare[high])
    odds = rare / (1 - rare)
    found = _search(u, mode, p, size * odds, -odds)
    return np.where(chance > 0.5, n - found, found)


def negative_binomial(u: Floats, mean: Floats, shape: float) -> Whole:
    """Return the count of each uniform number: Poisson with a rate that is gamma of `mean`.

    The variance is mean + mean^2 / `shape`; `shape` is above 0. Shapes and errors as in
    :func:`poisson`.
    """
    _require(mean, np.inf, "mean")
    mode, high = _start(np.floor(np.maximum(mean * ((shape - 1) / shape), 0.0)))
    chance = mean / (mean + shape)
    p = np.exp(-shape * np.log1p(mean / shape))
    # shape / (mode + shape) times the binomial probability of so many things.
    total = mode[high] + shape
    p[high] = shape / total * _binomial_mass(mode[high], total, chance[high])
    return _search(u, mode, p, shape * chance, chance)


def _start(mode: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return where the search starts, and where that is not 0."""
    high = mode >= FROM_ZERO
    return np.where(high, mode, 0.0), high


def _binomial_mass(x: Floats, n: Floats, chance: Floats) -> Floats:
    """Return the binomial probability of `x` between 0 and `n`, which need not be whole.

    Loader, Fast and accurate computation of binomial probabilities (2000).
    """
    rest = n - x
    log = _stirling(n) - _stirling(x) - _stirling(rest)
    log -= _deviance(x, n * chance) + _deviance(rest, n * (1 - chance))
    mass: Floats = np.exp(log) * np.sqrt(n / (2 * np.pi * x * rest))
    return mass


def _stirling(x: Floats) -> Floats:
    """Return the error of Stirling's formula: log(x!) less log(sqrt(2 pi x) (x / e)^x); x > 0."""
    from scipy.special import gammaln

    square = x * x
    error: Floats = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / x
    low = x < FROM_ZERO
    y = x[low]
    error[low] = gammaln(y + 1) - (y + 0.5) * np.log(y) + y - 0.5 * np.log(2 * np.pi)
    return error


def _deviance(x: Floats, mean: Floats) -> Floats:
    """Return x log(x / mean) + mean - x, exact where both are large and near each other; > 0."""
    away = (x - mean) / mean
    deviance: Floats = mean * ((1 + away) * np.log1p(away) - away)
    return deviance


def _require(values: NDArray[np.number], most: float, what: str) -> None:
    if not (np.isfinite(values) & (values >= 0) & (values <= most)).all():
        bound = "0 or more" if most == np.inf else f"between 0 and {most:g}"
        raise ValueError(f"a {what} is not finite, or not {bound}")


def _search(u: Floats, mode: Floats, p: Floats, a: Floats, b: Floats) -> Whole:
    found = np.empty(u.size, dtype=np.int64)
    u_, mode_, p_, a_, b_ = (
        np.ascontiguousarray(values, np.float64).ravel() for values in (u, mode, p, a, b)
    )
    _from_mode(u_, mode_, p_, a_, b_, NOTHING, found)
    return found.reshape(u.shape)


@compiled
def _from_mode(
    u: Floats, mode: Floats, p: Floats, a: Floats, b: Floats, nothing: float, found: Whole
) -> None:
    """Write the count of each number; `p` is the probability of `mode`."""
    for i in range(len(u)):
        rest = u[i] - p[i]
        k = mode[i]
        low = high = k
        up = down = p[i]
        while rest >= 0.0 and up + down > nothing:
            up *= (a[i] + b[i] * high) / (high + 1.0)
            high += 1.0
            k = high
            rest -= up
            if low == 0.0:
                down = 0.0
            elif rest >= 0.0:
                down *= low / (a[i] + b[i] * (low - 1.0))
                low -= 1.0
                k = low
                rest -= down
        found[i] = k
