"""Sufficient statistics of linear models, kept per group: they add, and one group can be left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from numpy.typing import NDArray

BLOCK_ELEMENTS = 1 << 20
"""Elements of one block of rows: 8 MiB of float64, and few enough rows to sum in float32."""


@dataclass(slots=True, kw_only=True, eq=False)
class Moments:
    """Sums of n rows of features x and targets y, products about the rows' own means.

    ``mean_x`` (d,), ``mean_y`` (t,), ``xx`` (d, d) = sum (x - mean)(x - mean)', ``xy`` (d, t),
    ``yy`` (t,) = sum of squared deviations of each target.
    """

    n: int
    mean_x: NDArray[np.float64]
    mean_y: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    yy: NDArray[np.float64]

    @classmethod
    def empty(cls, n_features: int, n_targets: int) -> Moments:
        """Return the moments of no rows."""
        return cls(
            n=0,
            mean_x=np.zeros(n_features),
            mean_y=np.zeros(n_targets),
            xx=np.zeros((n_features, n_features)),
            xy=np.zeros((n_features, n_targets)),
            yy=np.zeros(n_targets),
        )

    @classmethod
    def of(cls, x: NDArray[np.floating], y: NDArray[np.floating]) -> Moments:
        """Return the moments of the rows of `x` (n, d) and `y` (n, t).

        Centred float32 features are multiplied in float32 and everything else in float64.
        """
        precision = np.float32 if x.dtype == np.float32 else np.float64
        mean_x = x.mean(axis=0, dtype=np.float64)
        mean_y = y.mean(axis=0, dtype=np.float64)
        dx = np.subtract(x, mean_x.astype(precision), dtype=precision)
        dy = np.subtract(y, mean_y.astype(precision), dtype=precision)
        return cls(
            n=len(x),
            mean_x=mean_x,
            mean_y=mean_y,
            xx=(dx.T @ dx).astype(np.float64),
            xy=(dx.T @ dy).astype(np.float64),
            yy=np.einsum("ij,ij->j", dy, dy, dtype=np.float64),
        )

    def add(self, other: Moments) -> None:
        """Add the rows behind `other` (Chan, Golub and LeVeque: no cancellation)."""
        if other.n == 0:
            return
        n = self.n + other.n
        step_x, step_y = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        weight = self.n * other.n / n
        self.xx += other.xx
        self.xy += other.xy
        if weight:
            self.xx += weight * np.outer(step_x, step_x)
            self.xy += weight * np.outer(step_x, step_y)
        self.yy += other.yy + weight * step_y**2
        self.mean_x = self.mean_x + step_x * (other.n / n)
        self.mean_y = self.mean_y + step_y * (other.n / n)
        self.n = n

    def targets(self, columns: NDArray[np.intp]) -> Moments:
        """Return the same rows with the targets `columns`; features are shared, not copied."""
        return Moments(
            n=self.n,
            mean_x=self.mean_x,
            mean_y=self.mean_y[columns],
            xx=self.xx,
            xy=self.xy[:, columns],
            yy=self.yy[columns],
        )


class GroupedGram:
    """Moments per group (patient) of features and targets, filled a block of rows at a time.

    Memory is O(d^2 + d t) a group, whatever the number of rows; the order of the calls does not
    matter. Sums are float64; float32 features are multiplied in float32 within a block of rows
    (error about 1e-5 of the solution, twice as fast).

    Targets may be nan. One that is nan in all rows of a call (a gene the slide did not measure)
    takes no part in that call's rows, exactly; single nan values are replaced by the mean of the
    target in that call and counted in ``filled``.

    Parameters
    ----------
    n_features, n_targets
        Columns of `x` and of `y` in every call of :meth:`add`.
    """

    def __init__(self, n_features: int, n_targets: int) -> None:
        self.n_features = n_features
        self.n_targets = n_targets
        self.filled = 0
        self._parts: dict[tuple[Hashable, bytes], Moments] = {}

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Groups in the order they were first met."""
        return tuple(dict.fromkeys(group for group, _ in self._parts))

    @property
    def n(self) -> int:
        """Number of rows in all groups."""
        return sum(part.n for part in self._parts.values())

    def add(self, group: Hashable, x: NDArray[np.floating], y: NDArray[np.floating]) -> None:
        """Add rows of `group`: features `x` (n, d), finite, and targets `y` (n, t).

        Raises ``ValueError`` when the shapes do not fit or a feature is not finite.
        """
        if x.shape != (len(y), self.n_features) or y.shape[1] != self.n_targets:
            raise ValueError(
                f"expected rows of {self.n_features} features and {self.n_targets} targets, "
                f"found features {x.shape} and targets {y.shape}"
            )
        if len(x) == 0:
            return
        missing = np.isnan(y)
        absent = missing.all(axis=0)
        key = (group, absent.tobytes())
        present = np.flatnonzero(~absent)
        if key not in self._parts:
            self._parts[key] = Moments.empty(self.n_features, len(present))
        part = self._parts[key]
        partly = missing.any()
        fill = np.nanmean(y[:, present], axis=0, dtype=np.float64) if partly else None
        # Fewer rows than features would spend the time on adding matrices.
        step = max(1, 2 * self.n_features, BLOCK_ELEMENTS // max(1, self.n_features + self.n_targets))
        for start in range(0, len(x), step):
            block_x, block_y = x[start : start + step], y[start : start + step]
            if len(present) < self.n_targets:
                block_y = block_y[:, present]
            if fill is not None:
                holes = np.isnan(block_y)
                self.filled += int(holes.sum())
                block_y = np.where(holes, fill, block_y)
            moments = Moments.of(block_x, block_y)
            if not np.isfinite(moments.mean_x).all():
                raise ValueError(f"features of group {group!r} hold values that are not finite")
            part.add(moments)

    def add_part(self, group: Hashable, absent: NDArray[np.bool_], part: Moments) -> None:
        """Add rows of `group` whose moments are known, without the targets that are `absent` (t,) there."""
        key = (group, absent.tobytes())
        if key not in self._parts:
            self._parts[key] = Moments.empty(self.n_features, len(part.mean_y))
        self._parts[key].add(part)

    def add_rows(self, group: Hashable, other: GroupedGram) -> None:
        """Add the rows of all groups of `other` to `group`."""
        self.filled += other.filled
        for (_, absent), part in other._parts.items():
            self.add_part(group, np.frombuffer(absent, dtype=bool), part)

    def parts(self) -> tuple[Moments, ...]:
        """Return the moments as they are held: together they cover every row once."""
        return tuple(self._parts.values())

    def blocks(self) -> Iterator[tuple[NDArray[np.intp], dict[Hashable, Moments]]]:
        """Yield (target columns, moments per group) for targets present in the same calls.

        Usually one block; a target that was present nowhere is in none.
        """
        if not self._parts:
            return
        present = np.stack([~np.frombuffer(mask, dtype=bool) for _, mask in self._parts])
        patterns, member = np.unique(present, axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            columns = np.flatnonzero(member.ravel() == number)
            if not pattern.any():
                continue
            per_group: dict[Hashable, Moments] = {}
            for used, here, (group, _), part in zip(
                pattern, present, self._parts, self._parts.values(), strict=True
            ):
                if used:
                    # Position of each column among the targets this part holds.
                    held = part.targets((np.cumsum(here) - 1)[columns])
                    per_group[group] = total_moments([per_group[group], held]) if group in per_group else held
            yield columns, per_group


def total_moments(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all rows of `parts` together; of a single part, that part."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    total = Moments.empty(len(parts[0].mean_x), len(parts[0].mean_y))
    for part in parts:
        total.add(part)
    return total


def cross_moments(
    blocks: Iterable[tuple[slice, NDArray[np.floating]]],
    y: NDArray[np.floating],
    mean_x: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return ``mean_y``, ``xy`` and ``yy`` of further targets, as :class:`Moments` has them.

    `blocks` are (rows, features) that cover the rows of `y` (n, t); `mean_x` (d,) is their mean.
    """
    mean_y = y.mean(axis=0, dtype=np.float64)
    xy = np.zeros((len(mean_x), y.shape[1]))
    for rows, x in blocks:
        precision = np.float32 if x.dtype == np.float32 else np.float64
        dx = np.subtract(x, mean_x.astype(precision), dtype=precision)
        xy += dx.T @ np.subtract(y[rows], mean_y.astype(precision), dtype=precision)
    yy = np.zeros(y.shape[1])
    step = max(1, BLOCK_ELEMENTS // max(1, y.shape[1]))
    for start in range(0, len(y), step):
        dy = y[start : start + step] - mean_y
        yy += np.einsum("ij,ij->j", dy, dy)
    return mean_y, xy, yy
