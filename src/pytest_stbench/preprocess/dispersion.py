"""Highly variable genes as scanpy's flavours `seurat` and `cell_ranger` score them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess.normalise import TARGET_SUM
from pytest_stbench.preprocess.statistics import detection_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

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
