"""Truth and prediction made comparable column by column, and the rules all metrics share.

A column is a gene over the units of one slide, or, transposed, a unit over its genes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_stbench.kernels.moments import PairMoments, column_ranges, pair_moments
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

CONSTANT_TOLERANCE = 1e-9
CLIP_TOLERANCE = 1e-12
MIN_SHARE = 0.5
MIN_CORRELATED = 3
_BLOCK_BYTES = 2**22
_REASON = "U32"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """A pair of matrices (n, g), the moments of its columns and the reasons found so far.

    ``reasons`` (g,) is filled in the order of the tests: the first reason of a column stays.
    ``gaps`` (g,) marks columns whose truth has missing values; their moments are over the rest.
    """

    truth: NDArray[Any]
    prediction: NDArray[Any]
    moments: PairMoments
    gaps: NDArray[np.bool_]
    reasons: NDArray[np.str_]
    labels: NDArray[np.str_]

    def mark(self, where: NDArray[np.bool_], reason: str) -> None:
        """Give `reason` to the columns in `where` that have none yet."""
        self.reasons[where & (self.reasons == "")] = reason

    def take(self, columns: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return `columns` of truth and prediction, without a copy where they are neighbours."""
        first, last = columns[0], columns[-1] + 1
        chosen = slice(first, last) if len(columns) == last - first else columns
        return self.truth[:, chosen], self.prediction[:, chosen]

    def mask(self, columns: NDArray[np.intp] | slice) -> NDArray[np.bool_] | None:
        """Return which values of `columns` count, or None if all do."""
        return np.isfinite(self.truth[:, columns]) if self.gaps[columns].any() else None

    def known_together(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_] | None]]:
        """Yield columns without a reason whose truth is known for the same units, and which; None for all."""
        scored = self.reasons == ""
        whole, gapped = np.flatnonzero(scored & ~self.gaps), np.flatnonzero(scored & self.gaps)
        if len(whole):
            yield whole, None
        if len(gapped):
            known = np.isfinite(self.truth[:, gapped])
            patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
            for k in range(patterns.shape[1]):
                yield gapped[pattern_of.ravel() == k], patterns[:, k]

    def constant_truth(self) -> NDArray[np.bool_]:
        """Return which columns of the truth do not vary."""
        return self._constant(self.truth, self.moments.mean_t, self.moments.ss_t)

    def constant_prediction(self) -> NDArray[np.bool_]:
        """Return which columns of the prediction do not vary, where the truth is known."""
        return self._constant(self.prediction, self.moments.mean_p, self.moments.ss_p)

    def _constant(self, values: NDArray[Any], mean: Floats, ss: Floats) -> NDArray[np.bool_]:
        allowed = CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean))
        # The standard deviation never exceeds the range, so only these columns can be constant
        # and only theirs is looked up; the factor leaves room for rounding.
        constant = ss <= 4 * self.moments.n * allowed**2
        for columns in self.blocks(np.flatnonzero(constant)):
            ranges = column_ranges(values[:, columns], self.mask(columns))
            constant[columns] = ranges <= allowed[columns]
        return constant

    def blocks(self, columns: NDArray[np.intp] | None = None) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of all columns, or of `columns`, in blocks of a few MiB."""
        columns = np.arange(self.truth.shape[1]) if columns is None else columns
        step = max(16, _BLOCK_BYTES // (8 * max(1, len(self.truth))))
        for start in range(0, len(columns), step):
            yield columns[start : start + step]

    def scores(
        self, values: Floats, *, flags: tuple[str, ...] = (), extras: dict[str, Floats] | None = None
    ) -> Scores:
        """Return `values` as scores, nan where a reason was found; so are the `extras`."""
        undefined = self.reasons != ""
        return Scores(
            values=np.where(undefined, np.nan, values),
            reasons=self.reasons,
            labels=self.labels,
            flags=flags,
            extras={name: np.where(undefined, np.nan, extra) for name, extra in (extras or {}).items()},
        )


def compare_genes(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None,
    genes: Sequence[str] | NDArray[np.str_] | None,
    at_least: int = 1,
) -> Comparison:
    """Compare each gene over the units of a slide.

    Reasons are found in this order: ``gene_missing`` (not `measured`), ``too_few_units`` (fewer
    than `at_least`), ``gt_nan`` (truth known for less than half of the units), ``too_few_units``
    again, counting only the units left.
    """
    true, predicted = matrices(truth, prediction)
    known = known_genes(measured, true.shape[1])
    comparison = _compare(true, predicted, labels_of(genes, true.shape[1], "genes"), "gene")
    comparison.mark(~known, "gene_missing")
    _mark_short(comparison, at_least, "too_few_units")
    return comparison


def compare_units(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None,
    units: Sequence[str] | NDArray[np.str_] | None,
    at_least: int = 1,
) -> Comparison:
    """Compare each unit over the genes measured on its slide.

    Reasons as in :func:`compare_genes`, with ``too_few_genes``; a gene that was not measured
    leaves the comparison of every unit.
    """
    true, predicted = matrices(truth, prediction)
    known = known_genes(measured, true.shape[1])
    if not known.all():
        true, predicted = true[:, known], predicted[:, known]
    comparison = _compare(true.T, predicted.T, labels_of(units, len(true), "units"), "unit")
    _mark_short(comparison, at_least, "too_few_genes")
    return comparison


def correlation(cross: Floats, left: Floats, right: Floats) -> Floats:
    """Return cross / sqrt(left * right), clipped; nan where `left` or `right` is 0."""
    scale = np.sqrt(left) * np.sqrt(right)
    return clip(np.divide(cross, scale, out=np.full(len(scale), np.nan), where=scale > 0))


def clip(values: Floats) -> Floats:
    """Return `values` with rounding beyond [-1, 1] taken off; a larger excess stays to be seen."""
    excess = np.abs(values) - 1.0
    return np.where((excess > 0) & (excess <= CLIP_TOLERANCE), np.sign(values), values)


def at_least_three(count: int, name: str) -> int:
    """Return `count`, or raise: a correlation of fewer than three pairs says nothing."""
    if count < MIN_CORRELATED:
        message = f"{name} is {count}: a correlation needs at least {MIN_CORRELATED}; give that or more"
        raise ValueError(message)
    return count


def matrices(truth: ArrayLike, prediction: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both as float matrices of one shape, or raise ValueError saying what to do."""
    true, predicted = _matrix(truth, "truth"), _matrix(prediction, "prediction")
    if true.shape != predicted.shape:
        raise ValueError(
            f"truth has shape {true.shape} and prediction {predicted.shape}: both must hold the same "
            "units (rows) and genes (columns) in the same order; reorder or subset one of them"
        )
    return true, predicted


def _matrix(values: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} has dtype {array.dtype}: give a dense array of numbers (.toarray() of a sparse one)"
        )
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: give units x genes; one gene is values[:, None]")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def known_genes(measured: ArrayLike | None, n_genes: int) -> NDArray[np.bool_]:
    """Return which genes were measured, all by default, or raise ValueError."""
    if measured is None:
        return np.ones(n_genes, bool)
    known = np.asarray(measured)
    if known.shape != (n_genes,) or known.dtype != np.bool_:
        raise ValueError(
            f"measured has shape {known.shape} and dtype {known.dtype}: "
            f"give one True or False for each of the {n_genes} genes"
        )
    return known


def labels_of(labels: Sequence[str] | NDArray[np.str_] | None, length: int, name: str) -> NDArray[np.str_]:
    """Return one label for each column, its index by default, or raise ValueError."""
    if labels is None:
        return np.arange(length).astype(np.str_)
    array = np.asarray(labels, dtype=np.str_)
    if array.shape != (length,):
        message = f"{name} has shape {array.shape}: give one label for each of the {length} {name} of truth"
        raise ValueError(message)
    return array


def _compare(
    truth: NDArray[Any],
    prediction: NDArray[Any],
    labels: NDArray[np.str_],
    what: Literal["gene", "unit"],
) -> Comparison:
    moments = pair_moments(truth, prediction)
    gaps = ~_finite(moments)
    comparison = Comparison(
        truth=truth,
        prediction=prediction,
        moments=moments,
        gaps=gaps,
        reasons=np.full(truth.shape[1], "", dtype=_REASON),
        labels=labels,
    )
    if not gaps.any():
        return comparison
    found: dict[str, Floats] = {field.name: getattr(moments, field.name).copy() for field in fields(moments)}
    for columns in comparison.blocks(np.flatnonzero(gaps)):
        bad = columns[~np.isfinite(prediction[:, columns]).all(axis=0)]
        if len(bad):
            raise ValueError(
                f"the prediction is not finite (NaN or infinite) for {len(bad)} or more {what}s, first "
                f"{str(labels[bad[0]])!r}: a model must return a finite number for every unit and gene"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            part = pair_moments(truth[:, columns], prediction[:, columns], comparison.mask(columns))
        huge = columns[~_finite(part)]
        if len(huge):
            raise ValueError(
                f"{what} {str(labels[huge[0]])!r} has values too large to be squared (beyond about 1e150): "
                "scale or log-transform truth and prediction"
            )
        for name, values in found.items():
            values[columns] = getattr(part, name)
    return replace(comparison, moments=PairMoments(**found))


def _finite(moments: PairMoments) -> NDArray[np.bool_]:
    """Return for which columns every moment is finite (only those with missing truth are not)."""
    stacked = np.stack([getattr(moments, field.name) for field in fields(moments)])
    finite: NDArray[np.bool_] = np.isfinite(stacked).all(axis=0)
    return finite


def _mark_short(comparison: Comparison, at_least: int, reason: str) -> None:
    total = len(comparison.truth)
    left = comparison.moments.n
    comparison.mark(np.full(len(left), total < at_least), reason)
    comparison.mark(left < MIN_SHARE * total, "gt_nan")
    comparison.mark(left < at_least, reason)
