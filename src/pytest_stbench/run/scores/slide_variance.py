"""How far slides differ in what is asked of a model, noted while cells are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.families.question import Truth

    GeneSums = tuple[NDArray[np.str_], NDArray[np.float64]]


def sums_of(truths: Mapping[str, Truth]) -> dict[str, GeneSums]:
    """Return the genes of each slide with their number, sum and sum of squares, (3, genes).

    Truths of labels, proportions and the like have no expression, and are left out.
    """
    found: dict[str, GeneSums] = {}
    for name, truth in truths.items():
        values, genes = getattr(truth, "values", None), getattr(truth, "genes", None)
        if genes is None or not isinstance(values, np.ndarray) or values.ndim != 2:
            continue
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        found[name] = genes, np.stack([known.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)])
    return found


class SlideVariance:
    """Number, sum and sum of squares of every gene on every test slide, by pool."""

    def __init__(self) -> None:
        self._slides: dict[str, dict[str, GeneSums]] = {}
        self._cells: set[tuple[str, str]] = set()

    def note(self, pool: str, fold: str, sums: Callable[[], Mapping[str, GeneSums]]) -> None:
        """Take in the test slides of a fold, once; a slide is taken once."""
        if (pool, fold) in self._cells:
            return
        self._cells.add((pool, fold))
        slides = self._slides.setdefault(pool, {})
        for name, found in sums().items():
            slides.setdefault(name, found)

    def slide_mean_correlation(self, pool: str) -> float | None:
        """Return the pooled Pearson of the mean of each slide with the truth, mean over genes.

        It is the square root of the share of variance between slides. None with fewer than two slides,
        or where no gene varies.
        """
        # By name: sums of floats depend on their order, and items may run in any.
        slides = [found for _, found in sorted(self._slides.get(pool, {}).items())]
        if len(slides) < 2:  # one slide differs from nothing
            return None
        genes, place = np.unique(np.concatenate([found for found, _ in slides]), return_inverse=True)
        sums = np.concatenate([values for _, values in slides], axis=1)
        number, total, squares = (np.bincount(place, row, len(genes)) for row in sums)
        own = np.divide(sums[1] ** 2, sums[0], out=np.zeros(sums.shape[1]), where=sums[0] > 0)
        centre = np.divide(total**2, number, out=np.zeros(len(genes)), where=number > 0)
        between = np.bincount(place, own, len(genes)) - centre
        spread = squares - centre
        several = np.bincount(place, sums[0] > 0, len(genes)) > 1
        varies = several & (spread > 1e-9 * np.maximum(squares, 1e-300))
        if not varies.any():
            return None
        share = np.clip(between[varies] / spread[varies], 0.0, 1.0)
        return float(np.sqrt(share).mean())
