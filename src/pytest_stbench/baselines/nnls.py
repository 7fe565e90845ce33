"""B10: cell-type proportions by non-negative least squares on expression profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.linear import pick
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

ITERATIONS = 500
TOLERANCE = 1e-8


@baseline("B10", kind="model", families=("proportions",), needs=("observed",), memory="O(genes x types)")
class Nnls:
    """Mixture of mean expression profiles that explains the counts of a spot.

    Profiles are the non-negative least-squares fit of the training counts, scaled to one library
    size, on the training proportions. A unit's mixture is fitted to its own scaled counts and
    divided by its sum; a unit without counts gets the mean training proportions.
    """

    name = "nnls"
    revision = "1"
    config: ClassVar[dict[str, Any]] = {"iterations": ITERATIONS, "tolerance": TOLERANCE}

    def __init__(self) -> None:
        self.genes: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()
        self.profiles: NDArray[np.float64] = np.empty((0, 0))
        self.mean: NDArray[np.float64] = np.empty(0)

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Fit the profile of every type, from sums over the training units.

        Raises ``ModelError`` when no training unit has proportions.
        """
        self.genes, self.types = task.observed_genes, task.classes
        k = len(self.types)
        gram, cross = np.zeros((k, k)), np.zeros((k, len(self.genes)))
        total, n = np.zeros(k), 0
        for slide in train:
            known = _known(slide)
            shares = np.zeros((0, k)) if slide.proportions is None else slide.proportions[known]
            x = _scaled(slide, self.genes)[known]
            gram += shares.T @ shares
            cross += (x.T @ shares).T
            total += shares.sum(axis=0)
            n += len(shares)
        if not n:
            raise ModelError(f"{self.name}: no training unit has the proportions of its cell types")
        self.mean = total / total.sum()
        root, inverse = _root(gram)
        self.profiles = np.column_stack([nnls(root, inverse @ column)[0] for column in cross.T])

    def predict_proportions(self, slide: ModelSlide, types: Sequence[str]) -> NDArray[np.float32]:
        """Return the mixtures, (n, k); rows sum to 1."""
        if not len(self.profiles):
            raise ModelError(f"{self.name} was asked to predict before it was fitted")
        columns = pick(self.types, types, self.name)
        x = _scaled(slide, self.genes)
        cross = np.asarray((x @ self.profiles.T).astype(np.float64))
        mixture = nonnegative(self.profiles @ self.profiles.T, cross)
        total = mixture.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, mixture / np.where(total > 0, total, 1.0), self.mean)[:, columns]
        rest = shares.sum(axis=1, keepdims=True)
        even = np.full_like(shares, 1 / len(columns))
        return np.where(rest > 0, shares / np.where(rest > 0, rest, 1.0), even).astype(np.float32)


def nonnegative(gram: NDArray[np.float64], cross: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows x >= 0 that minimise ``x gram x' / 2 - x cross'``, all rows at once.

    Accelerated projected gradient with restarts; `gram` is (k, k) positive semidefinite, `cross`
    and the result (n, k).
    """
    largest = float(np.linalg.eigvalsh(gram)[-1])
    x = np.zeros_like(cross)
    if largest <= 0:
        return x
    step, ahead, momentum = 1.0 / largest, x, 1.0
    scale = max(float(np.abs(cross).max(initial=0.0)) * step, np.finfo(np.float64).tiny)
    for _ in range(ITERATIONS):
        new = np.maximum(ahead - step * (ahead @ gram - cross), 0.0)
        moved = new - x
        if float(np.abs(moved).max(initial=0.0)) <= TOLERANCE * scale:
            return new
        restart = float(np.sum((ahead - new) * moved)) > 0
        following = 1.0 if restart else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new if restart else new + ((momentum - 1) / following) * moved
        x, momentum = new, following
    return x


def _root(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return R with R'R = gram and the pseudo-inverse of R'."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * 1e-12
    length = np.sqrt(values[kept])
    return (vectors[:, kept] * length).T, (vectors[:, kept] / length).T


def _known(slide: TrainSlide) -> NDArray[np.bool_]:
    """Return the units whose proportions are known."""
    if slide.proportions is None:
        return np.zeros(slide.n_units, dtype=bool)
    return np.asarray(np.isfinite(slide.proportions).all(axis=1))


def _scaled(slide: ModelSlide, genes: Sequence[str]) -> csr_matrix:
    """Return counts per ten thousand of `genes`, in their order; units without counts stay 0."""
    columns = pick([str(name) for name in slide.units.var_names], genes, "nnls")
    counts = csr_matrix(slide.units.X, dtype=np.float64)[:, columns]
    size = np.asarray(counts.sum(axis=1)).ravel()
    factor = np.divide(1e4, size, out=np.zeros(len(size)), where=size > 0)
    counts.data *= np.repeat(factor, np.diff(counts.indptr))
    return counts
