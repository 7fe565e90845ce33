"""Scores by which genes are chosen: how they vary together, and how scanpy scores their variance."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess.normalise import TARGET_SUM, normalise_counts
from pytest_stbench.preprocess.statistics import detection_counts

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


Flavour = Literal["seurat", "cell_ranger"]


def normalised_dispersion(slide: Slide, flavour: Flavour, scale: float | None) -> NDArray[np.float64]:
    """Return how much more genes vary than genes of their mean do: scanpy's ``dispersions_norm``.

    The dispersion of a gene, variance by mean, is standardised among genes of similar mean.
    `seurat` takes ``counts / library size * scale``, the logarithm of mean and dispersion, 20 bins
    of equal width, mean and SD; `cell_ranger` takes log1p of the same values, bins by percentiles,
    median and MAD.

    Parameters
    ----------
    slide
        The filtered units of one slide, (n, G); its genes with a count are compared with each other.
    flavour
        Flavour of ``scanpy.pp.highly_variable_genes``.
    scale
        Library size of the task; None for 10,000.

    Returns
    -------
    NDArray[np.float64]
        (G,); nan for genes without count, for those that cannot be compared with others of their
        bin, and everywhere with fewer than two units.

    Raises
    ------
    DataError
        Where too few genes differ in their mean to be put into bins.

    References
    ----------
    seurat: Satija et al. 2015, 10.1038/nbt.3192; cell_ranger: Zheng et al. 2017,
    10.1038/ncomms14049.
    """
    import scanpy
    from anndata import AnnData

    from pytest_stbench.data.quiet import quiet_anndata

    score = np.full(len(slide.genes), np.nan)
    if slide.n_units < 2:
        return score
    columns = np.flatnonzero(slide.measured & (detection_counts(slide) > 0))
    counts = slide.counts[:, columns].tocsr().astype(np.float64)
    size = np.repeat(slide.libsize, np.diff(counts.indptr))
    counts.data *= np.divide(scale or TARGET_SUM, size, out=np.zeros_like(size), where=size > 0)
    np.log1p(counts.data, out=counts.data)
    with quiet_anndata(), warnings.catch_warnings():
        # Bins of a single gene are scanpy's to fill.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            table = scanpy.pp.highly_variable_genes(AnnData(counts), flavor=flavour, inplace=False)
        except ValueError:
            raise DataError(
                f"slide {slide.meta.slide_id}: {len(columns)} genes cannot be put into the bins of "
                f"{flavour!r} (too many have the same mean): use `select: hvg`"
            ) from None
    found = table["dispersions_norm"].to_numpy(np.float64)
    score[columns] = np.where(np.isfinite(found), found, np.nan)
    return score
