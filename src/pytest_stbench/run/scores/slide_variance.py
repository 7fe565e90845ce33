"""How far slides differ in what is asked of a model, noted while cells are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.families.question import Truth


class SlideVariance:
    """Number, sum and sum of squares of every gene on every test slide, by pool."""

    def __init__(self) -> None:
        self._slides: dict[str, dict[str, tuple[NDArray[np.str_], NDArray[np.float64]]]] = {}

    def note(self, pool: str, truths: Mapping[str, Truth]) -> None:
        """Take in the truth of the test slides of one cell; a slide is taken once."""
        slides = self._slides.setdefault(pool, {})
        for name, truth in truths.items():
            # Truths of labels, proportions and the like have no expression.
            values, genes = getattr(truth, "values", None), getattr(truth, "genes", None)
            if name in slides or genes is None or not isinstance(values, np.ndarray) or values.ndim != 2:
                continue
            known = np.isfinite(values)
            filled = np.where(known, values, 0.0)
            sums = np.stack([known.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)])
            slides[name] = (genes, sums)

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
