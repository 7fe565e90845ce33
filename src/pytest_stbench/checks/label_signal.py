"""What labels of units have to do with their expression and with each other's places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.values import as_numbers
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

PERMUTATIONS = 99
SEED = 0
MAX_UNITS = 5000
MAX_GENES = 50
MIN_OTHERS = 30
"""Fewer units outside of the largest class do not tell a right label from a wrong one."""

MIN_UNITS = 50
NEIGHBOURS = 6


def beaten_by(slide: Slide, codes: NDArray[np.intp]) -> float | None:
    """Return the add-one p of the variance that labels explain; None where that cannot be said."""
    rows = np.flatnonzero(codes >= 0)
    rng = stream(SEED, "label match")
    # By name, so that the order of the units does not matter.
    rows = rows[np.argsort(np.asarray(slide.unit_names).astype(str)[rows], kind="stable")]
    if len(rows) > MAX_UNITS:
        rows = rows[rng.sample(len(rows), MAX_UNITS)]
    classes = np.unique(codes[rows])
    if len(rows) < MIN_UNITS or len(classes) < 2 or not slide.counts.shape[1]:
        return None
    if len(rows) - np.bincount(codes[rows]).max() < MIN_OTHERS:
        return None
    counts = slide.counts[rows]
    total = as_numbers(slide.libsize)[rows]
    with np.errstate(invalid="ignore"):
        sums = as_numbers(counts.sum(axis=0)).ravel()
    sums[~np.isfinite(sums)] = -1
    genes = np.sort(np.argsort(-sums, kind="stable")[:MAX_GENES])
    values = np.nan_to_num(as_numbers(counts[:, genes].toarray()), posinf=0.0)
    total = np.maximum(np.nan_to_num(total, posinf=0.0), 1)
    values = np.log1p(1e4 * np.maximum(values, 0) / total[:, None])
    values -= values.mean(axis=0)
    spread = np.sqrt((values**2).sum(axis=0))
    values = values[:, spread > 1e-9] / spread[spread > 1e-9]
    if not values.shape[1]:
        return None
    member = (codes[rows][:, None] == classes).astype(np.float64)
    size = member.sum(axis=0)

    def explained(indicator: NDArray[np.float64]) -> float:
        return float((((indicator.T @ values) ** 2) / size[:, None]).sum())

    own = explained(member)
    better = sum(explained(member[rng.permutation(len(rows))]) >= own for _ in range(PERMUTATIONS))
    return (1 + better) / (1 + PERMUTATIONS)


def coherence(slide: Slide, codes: NDArray[np.intp]) -> float | None:
    """Return Cohen's kappa between the class of a unit and those of its six nearest neighbours."""
    xy = as_numbers(slide.xy_um)
    if xy.shape != (slide.n_units, 2):
        return None
    rows = np.flatnonzero((codes >= 0) & np.isfinite(xy).all(axis=1))
    if len(rows) < MIN_UNITS:
        return None
    _, neighbour = cKDTree(xy[rows]).query(xy[rows], k=NEIGHBOURS + 1)
    own = codes[rows]
    agree = float((own[neighbour[:, 1:]] == own[:, None]).mean())
    share = np.unique(own, return_counts=True)[1] / len(own)
    chance = float((share**2).sum())
    return (agree - chance) / (1 - chance) if chance < 1 else None
