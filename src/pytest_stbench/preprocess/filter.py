"""Which units carry enough counts to be judged at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.spec.defaults import MIN_UNIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import FilterSpec


def filter_units(slide: Slide, spec: FilterSpec, resolution: str | None = None) -> NDArray[np.bool_]:
    """Return which units have enough counts and genes to be scored.

    "Under tissue" is no promise of counts: spots with a handful of molecules make log-normalised
    values pure noise. The filter looks at the truth alone and is the same for every model.

    Parameters
    ----------
    slide
        Units with their total counts (over all measured genes) and numbers of detected genes.
    spec
        ``min_counts`` and ``min_genes``; null takes the default of the resolution.
    resolution
        ``spot``, ``bin``, ``xisium``, ``cell`` or ``transcript``; None takes that of the slide.

    Returns
    -------
    NDArray[np.bool_]
        (n,), True where the unit is kept.

    Raises
    ------
    DataError
        If a threshold is left to the resolution and the resolution is not known.
    """
    min_counts, min_genes = spec.min_counts, spec.min_genes
    if min_counts is None or min_genes is None:
        resolution = resolution or slide.meta.resolution
        if resolution not in MIN_UNIT:
            raise DataError(
                f"slide {slide.meta.slide_id}: resolution is {resolution!r} and gives no default filter: set "
                f"`resolution:` ({', '.join(MIN_UNIT)}) or `filter.min_counts` and `filter.min_genes`"
            )
        counts, genes = MIN_UNIT[resolution]
        min_counts = counts if min_counts is None else min_counts
        min_genes = genes if min_genes is None else min_genes
    return np.asarray((slide.libsize >= min_counts) & (slide.n_detected >= min_genes))
