"""Ridge regression and PCA from sufficient statistics; the penalty by leaving out whole groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

from pytest_stbench.kernels.gram import GroupedGram, Moments, total_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["GroupedGram", "Pca", "RidgeFit", "alpha_grid", "fit_ridge", "pca"]

RELATIVE_ALPHAS = tuple(float(value) for value in 10.0 ** np.arange(-3, 3.01, 0.5))
"""Thirteen penalties, in units of the mean eigenvalue of the (scaled) Gram matrix."""

RANK_TOLERANCE = 1e-10
SINGLE_PRECISION_FROM = 512
"""Features from which leading components are looked for in float32, then refined in float64."""

MIN_SPARE = 16
CONSTANT_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeFit:
    """A fitted linear map: ``x @ coef + intercept``.

    ``alpha`` is the penalty used. ``alphas`` and ``cv_error`` hold the grid and the error of each
    value (mean over left-out groups of the mean over targets of squared error / variance); both
    are empty when nothing had to be chosen. ``fitted`` (t,) is False for targets that no
    training row had; they are predicted as 0.
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    alpha: float
    alphas: NDArray[np.float64]
    cv_error: NDArray[np.float64]
    fitted: NDArray[np.bool_]

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return predictions (n, t) float64 for features (n, d)."""
        # float32 features are multiplied in float32: the product is twice as fast and they know no more.
        product = x @ self.coef.astype(np.float32) if x.dtype == np.float32 else x @ self.coef
        return np.asarray(product + self.intercept, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pca:
    """Principal components: ``((x - mean) / scale) @ components``.

    ``components`` is (d, k), largest variance first, the largest loading of each positive;
    ``variance`` (k,) is with 1/n.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    components: NDArray[np.float64]
    variance: NDArray[np.float64]

    def transform(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the scores (n, k) of rows (n, d)."""
        weights = self.components / self.scale[:, None]
        return np.asarray(x @ weights - self.mean @ weights, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Basis:
    """Eigenvectors (d, k) and eigenvalues (k,) of one training set's scaled Gram matrix."""

    vectors: NDArray[np.float64]
    values: NDArray[np.float64]
    scale: NDArray[np.float64]
    mean_eigenvalue: float


def pca(gram: GroupedGram, n_components: int, *, standardise: bool = False) -> Pca:
    """Return principal components of all rows of `gram`, whatever their targets.

    Parameters
    ----------
    gram
        Statistics of the rows; they add, so the rows may have been streamed.
    n_components
        Number of components, cut to the rank of the data.
    standardise
        Divide each feature by its 1/n SD first; constant features then count nothing.
    """
    features = total_moments([part.targets(np.empty(0, np.intp)) for part in gram.parts()])
    basis = _decompose(features, standardise=standardise, n_components=n_components)
    rank = int((basis.values > RANK_TOLERANCE * max(basis.values.max(initial=0.0), 0.0)).sum())
    vectors = basis.vectors[:, :rank]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(rank)]
    return Pca(
        mean=features.mean_x,
        scale=basis.scale,
        components=vectors * np.where(largest < 0, -1.0, 1.0),
        variance=basis.values[:rank] / features.n,
    )


def alpha_grid(
    gram: GroupedGram, *, standardise: bool = True, n_components: int | None = None
) -> NDArray[np.float64]:
    """Return 13 penalties from 1e-3 to 1e3 times the mean eigenvalue of the Gram matrix.

    With standardised features that is 1e-3 n to 1e3 n: from nearly no shrinkage to nearly the
    mean, whatever the number of rows. The middle value suits data that offer no second group.
    """
    features = total_moments([part.targets(np.empty(0, np.intp)) for part in gram.parts()])
    if n_components is None:
        scale = _scale(features, standardise=standardise)
        level = float(np.mean(np.diag(features.xx) / scale**2))
    else:
        level = _decompose(features, standardise=standardise, n_components=n_components).mean_eigenvalue
    return np.asarray(RELATIVE_ALPHAS) * (level if level > 0 else 1.0)


def fit_ridge(
    gram: GroupedGram,
    alphas: Sequence[float] | NDArray[np.float64],
    *,
    standardise: bool = True,
    n_components: int | None = None,
) -> RidgeFit:
    """Fit ``min |y - b - x w|^2 + alpha |w|^2`` for all targets, intercept b unpenalised.

    Parameters
    ----------
    gram
        Statistics per group. Targets missing from some rows are fitted on the rows that have
        them, with one decomposition for each set of rows that occurs.
    alphas
        Penalties on the Gram matrix (a sum over rows, as in scikit-learn). Of several, the one
        with the least error when each group in turn is left out, the larger one on ties. With a
        single group nothing can be left out and the middle of the sorted values is used. 0 is
        ordinary least squares of least norm.
    standardise
        Divide features by the 1/n SD of the training rows (in the cross-validation: of its
        training rows); features that are constant there get coefficient 0.
    n_components
        Fit in the first principal components of the (scaled) features; None uses them all.

    Raises
    ------
    ValueError
        Without rows, without penalties, or with a negative penalty.
    """
    grid = np.sort(np.asarray(alphas, dtype=np.float64).ravel())
    if len(grid) == 0 or not np.isfinite(grid).all() or grid[0] < 0:
        raise ValueError(f"ridge penalties must be finite and at least 0, found {list(grid)}")
    if gram.n == 0:
        raise ValueError("a ridge regression needs at least one training row")
    blocks = list(gram.blocks())
    errors = np.empty(0)
    chosen = float(grid[len(grid) // 2])
    if len(grid) > 1 and len(gram.groups) > 1:
        errors = _cross_validate(gram, grid, standardise=standardise, n_components=n_components)
        if np.isfinite(errors).all():
            chosen = float(grid[len(grid) - 1 - np.argmin(errors[::-1])])
    coef = np.zeros((gram.n_features, gram.n_targets))
    intercept = np.zeros(gram.n_targets)
    fitted = np.zeros(gram.n_targets, bool)
    for columns, groups in blocks:
        train = total_moments(groups.values())
        basis = _decompose(train, standardise=standardise, n_components=n_components)
        rotated = basis.vectors.T @ (train.xy / basis.scale[:, None])
        weights = (basis.vectors @ (rotated * _inverse(basis.values, chosen)[:, None])) / basis.scale[:, None]
        coef[:, columns] = weights
        intercept[columns] = train.mean_y - train.mean_x @ weights
        fitted[columns] = True
    used = grid if len(errors) else np.empty(0)
    return RidgeFit(coef=coef, intercept=intercept, alpha=chosen, alphas=used, cv_error=errors, fitted=fitted)


def _cross_validate(
    gram: GroupedGram, grid: NDArray[np.float64], *, standardise: bool, n_components: int | None
) -> NDArray[np.float64]:
    """Return the leave-one-group-out error of every penalty, from the statistics alone."""
    error: dict[object, NDArray[np.float64]] = {}
    targets: dict[object, int] = {}
    for _, groups in gram.blocks():
        total = total_moments(groups.values())
        variance = total.yy / total.n
        varies = np.flatnonzero(variance > CONSTANT_TOLERANCE**2 * np.maximum(1.0, total.mean_y**2))
        if len(groups) < 2 or len(varies) == 0:
            continue
        for group, left_out in groups.items():
            kept = total_moments(part for name, part in groups.items() if name != group)
            train = kept.targets(varies)
            squared = _left_out_error(train, left_out.targets(varies), grid, standardise, n_components)
            error[group] = error.get(group, 0.0) + (squared / variance[varies]).sum(axis=1)
            targets[group] = targets.get(group, 0) + len(varies)
    if not error:
        return np.full(len(grid), np.nan)
    return np.asarray(np.mean([error[group] / targets[group] for group in error], axis=0))


def _left_out_error(
    train: Moments,
    test: Moments,
    grid: NDArray[np.float64],
    standardise: bool,  # noqa: FBT001  # private; the caller names it
    n_components: int | None,
) -> NDArray[np.float64]:
    """Return the mean squared error (alphas, t) on the rows of `test`."""
    basis = _decompose(train, standardise=standardise, n_components=n_components)
    step_x = (test.mean_x - train.mean_x) / basis.scale
    step_y = test.mean_y - train.mean_y
    half = basis.vectors.T @ (test.xx / basis.scale[:, None] / basis.scale)
    along_x = basis.vectors.T @ step_x
    xx = half @ basis.vectors + test.n * np.outer(along_x, along_x)
    xy = basis.vectors.T @ (test.xy / basis.scale[:, None]) + test.n * np.outer(along_x, step_y)
    yy = test.yy + test.n * step_y**2
    rotated = basis.vectors.T @ (train.xy / basis.scale[:, None])
    result = np.empty((len(grid), len(yy)))
    for row, alpha in enumerate(grid):
        weights = rotated * _inverse(basis.values, alpha)[:, None]
        result[row] = yy + np.einsum("ij,ij->j", weights, xx @ weights - 2.0 * xy)
    return np.maximum(result, 0.0) / test.n


def _scale(train: Moments, *, standardise: bool) -> NDArray[np.float64]:
    """Return what each feature is divided by: its SD, infinity where it is constant."""
    if not standardise:
        return np.ones(len(train.mean_x))
    deviation = np.sqrt(np.maximum(np.diag(train.xx), 0.0) / train.n)
    constant = deviation <= CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(train.mean_x))
    return np.where(constant, np.inf, deviation)


def _decompose(train: Moments, *, standardise: bool, n_components: int | None) -> _Basis:
    scale = _scale(train, standardise=standardise)
    matrix = train.xx / scale[:, None] / scale
    d = len(scale)
    if n_components is not None and n_components < d:
        values, vectors = _leading(matrix, n_components)
    else:
        values, vectors = eigh(matrix, overwrite_a=True, check_finite=False, driver="evd")
    values = np.maximum(values[::-1], 0.0)
    return _Basis(
        vectors=vectors[:, ::-1],
        values=values,
        scale=scale,
        mean_eigenvalue=float(values.mean()) if len(values) else 0.0,
    )


def _leading(matrix: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the `k` largest eigenvalues, ascending, and their vectors.

    Large matrices: a somewhat larger subspace is found in float32, the `k` leading directions
    within it exactly (Rayleigh and Ritz).
    """
    d = len(matrix)
    size = np.diag(matrix).max(initial=0.0)
    wide = k + max(MIN_SPARE, k // 8)
    if d < SINGLE_PRECISION_FROM or wide >= d or size <= 0:
        values, vectors = eigh(matrix, subset_by_index=(d - k, d - 1), check_finite=False)
        return values, vectors
    single = eigh(
        (matrix / size).astype(np.float32),
        subset_by_index=(d - wide, d - 1),
        overwrite_a=True,
        check_finite=False,
    )[1]
    span = single.astype(np.float64)
    values, rotation = eigh(span.T @ matrix @ span, span.T @ span, check_finite=False)
    return values[-k:], span @ rotation[:, -k:]


def _inverse(values: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return 1 / (value + alpha), 0 for directions without variance."""
    usable = values > RANK_TOLERANCE * values.max(initial=0.0)
    inverse: NDArray[np.float64] = np.divide(1.0, values + alpha, out=np.zeros_like(values), where=usable)
    return inverse
