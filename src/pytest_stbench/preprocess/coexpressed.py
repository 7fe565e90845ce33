"""Genes that vary together within slides, whatever their variance: candidates of gene modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.preprocess.normalise import normalise_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import Normalisation

PARTNERS = 5
MIN_UNITS = 10
BLOCK_ELEMENTS = 1 << 23
"""Correlations held at once: 64 MiB of float64."""

RELATIVE_RESIDUE = 1e-9


def coexpression_strength(
    slide: Slide, columns: NDArray[np.intp], method: Normalisation, scale: float | None
) -> NDArray[np.float64]:
    """Return for each gene the mean of its five largest correlations with the others, (g,).

    Correlations are Pearson's over the units of the slide, on the task's scale, partial on the log
    library size: genes that only follow depth are no module. Fewer than five partners: the mean
    over those there are.

    Parameters
    ----------
    slide
        A filtered training slide.
    columns
        Genes to look at, (g,), each the partner of the others.
    method, scale
        Normalisation of the values.

    Returns
    -------
    NDArray[np.float64]
        In [-1, 1]; nan for genes that do not vary once depth is taken off, for a gene without
        partners, and for all genes of a slide of fewer than 10 units.
    """
    strength = np.full(len(columns), np.nan)
    if slide.n_units < MIN_UNITS:
        return strength
    unit, varies = _residuals(slide, columns, method, scale)
    kept = np.flatnonzero(varies)
    if len(kept) < 2:
        return strength
    unit = unit[:, kept]
    partners = min(PARTNERS, len(kept) - 1)
    width = max(1, BLOCK_ELEMENTS // len(kept))
    for start in range(0, len(kept), width):
        stop = min(start + width, len(kept))
        block = unit[:, start:stop].T @ unit
        block[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        top = np.partition(block, len(kept) - partners, axis=1)[:, len(kept) - partners :]
        strength[kept[start:stop]] = np.clip(top.mean(axis=1), -1.0, 1.0)
    return strength


def _residuals(
    slide: Slide, columns: NDArray[np.intp], method: Normalisation, scale: float | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return genes with the log library size taken off, centred and of length 1, and which vary."""
    values = normalise_counts(slide.counts, slide.libsize, columns, method, scale)
    values -= values.mean(axis=0)
    before = np.sqrt(np.einsum("ij,ij->j", values, values))
    depth = np.log(np.maximum(slide.libsize, np.finfo(np.float64).tiny))
    depth = depth - depth.mean()
    length = float(depth @ depth)
    if length > 0:
        values -= np.outer(depth, (depth @ values) / length)
    norm = np.sqrt(np.einsum("ij,ij->j", values, values))
    varies = norm > RELATIVE_RESIDUE * np.maximum(before, 1.0)
    np.divide(values, norm, out=values, where=varies)
    return values, varies
