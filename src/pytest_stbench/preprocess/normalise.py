"""Counts to the scale on which predictions are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.errors import ModelError
from pytest_stbench.kernels.scale_steps import stepped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import Normalisation

_SHARES: WeakKeyDictionary[Slide, NDArray[np.float64]] = WeakKeyDictionary()
BLOCK_ELEMENTS = 1 << 20
"""Values that are made at once of a slide by rows: 8 MiB, beside which what they are made of is small."""

TARGET_SUM = 1e4
WHOLE_TRANSCRIPTOME = 1000
THETA = 100.0
"""Negative-binomial overdispersion of Pearson residuals, the default of their authors."""


def default_method(n_genes: int) -> Normalisation:
    """Return the normalisation of a data set that names none.

    ``log1p_cp10k`` from 1000 genes on; smaller panels take ``log1p_median``, since 10,000 on a
    cell of 200 transcripts turns one molecule into a large value.
    """
    return "log1p_cp10k" if n_genes >= WHOLE_TRANSCRIPTOME else "log1p_median"


def target_sum(method: Normalisation, train_slides: Iterable[Slide]) -> float | None:
    """Return the library size that counts are scaled to, None where the method has none.

    10,000 for ``log1p_cp10k``, a constant that no test slide can move; for ``log1p_median`` the
    median library size of all units of the (filtered) training slides, in steps of which 20 make
    a decade (:func:`~pytest_stbench.kernels.scale_steps.stepped`).
    """
    if method == "log1p_cp10k":
        return TARGET_SUM
    if method == "log1p_median":
        return stepped(float(np.median(np.concatenate([slide.libsize for slide in train_slides]))))
    return None


def normalise_counts(
    counts: csr_matrix,
    libsize: NDArray[np.float64],
    columns: NDArray[np.intp],
    method: Normalisation,
    scale: float | None,
    dtype: type[np.floating] = np.float64,
) -> NDArray[Any]:
    """Return some genes of a slide on the scale of a task.

    Parameters
    ----------
    counts
        Raw counts of one slide, (n, G), sparse; only `columns` are made dense.
    libsize
        Total count of each unit over **all** measured genes, (n,).
    columns
        Genes to return, (g,).
    method
        ``log1p_cp10k`` and ``log1p_median``: ``log1p(counts / libsize * scale)``. ``log1p``:
        ``log1p(counts)``. ``pearson_residuals``: analytic, of this slide alone, theta 100,
        clipped at sqrt(n).
    scale
        What :func:`target_sum` returned.
    dtype
        What the values, which are float64, are rounded to.

    Returns
    -------
    NDArray
        (n, g). A unit without counts is all zero.

    References
    ----------
    Pearson residuals: Lause, Berens and Kobak 2021, 10.1186/s13059-021-02451-7.
    """
    if method == "pearson_residuals":
        block = counts[:, columns]
        sums = np.asarray(block.sum(axis=0), dtype=np.float64).ravel()
        residuals = _pearson(block.toarray().astype(np.float64), libsize, sums, float(libsize.sum()))
        return residuals.astype(dtype, copy=False)
    n, divided = counts.shape[0], method != "log1p"
    # Rows of anything but CSR are costly to take.
    step = max(1, BLOCK_ELEMENTS // max(1, len(columns)) if counts.format == "csr" else n)
    if step >= n:
        block = counts[:, columns]
        return _scaled(block, libsize, scale, divided=divided).astype(dtype, copy=False)
    values = np.empty((n, len(columns)), dtype)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        values[rows] = _scaled(_rows(counts, rows)[:, columns], libsize[rows], scale, divided=divided)
    return values


def _rows(counts: csr_matrix, rows: slice) -> csr_matrix:
    """Return some rows of a CSR matrix, without a copy: few columns of them are wanted."""
    ends = counts.indptr[rows.start : rows.stop + 1]
    part = slice(ends[0], ends[-1])
    parts = counts.data[part], counts.indices[part], ends - ends[0]
    return csr_matrix(parts, shape=(len(ends) - 1, counts.shape[1]))


def value_sums(
    counts: csr_matrix, libsize: NDArray[np.float64], method: Normalisation, scale: float | None
) -> NDArray[np.float64]:
    """Return the sum of every gene's values over the units, and the number of them, (2, G); nan is no value.

    What :func:`normalise_counts` makes is added up unit by unit, for all genes in one pass through the stored
    counts: with ``log1p`` and its relatives those that are not stored are 0.
    """
    n, n_genes = counts.shape
    sums, missing = np.zeros(n_genes), np.zeros(n_genes)
    step = max(1, int(BLOCK_ELEMENTS * n / max(1, counts.nnz)))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        block = _rows(counts, rows)
        values = _log_scaled(block, libsize[rows], scale, divided=method != "log1p").data
        unknown = np.isnan(values)
        if unknown.any():
            missing += np.bincount(block.indices[unknown], minlength=n_genes)
            values[unknown] = 0.0
        # In the order of units, whatever the blocks.
        np.add.at(sums, block.indices, values)
    return np.stack([sums, n - missing])


def _scaled(
    block: csr_matrix, libsize: NDArray[np.float64], scale: float | None, *, divided: bool
) -> NDArray[np.float64]:
    return np.asarray(_log_scaled(block, libsize, scale, divided=divided).toarray())


def _log_scaled(
    block: csr_matrix, libsize: NDArray[np.float64], scale: float | None, *, divided: bool
) -> csr_matrix:
    """Return ``log1p(counts / libsize * scale)``; not `divided`, ``log1p(counts)``."""
    block = block.tocsr().astype(np.float64)
    if divided:
        # Divided first: equal shares of equal counts stay equal, and rank metrics see their ties.
        total = np.repeat(libsize, np.diff(block.indptr))
        np.divide(block.data, total, out=block.data, where=total > 0)
        block.data[total <= 0] = 0.0
        block.data *= scale or 0.0
    np.log1p(block.data, out=block.data)
    return block


def from_counts(
    predicted: NDArray[np.floating], method: Normalisation, scale: float | None, share: float
) -> NDArray[np.float64]:
    """Bring a model's predicted counts to the scale of a task, without looking at the truth.

    The library size of a prediction is not known: only some genes are predicted, and the
    observed library size of the unit belongs to the truth. It is estimated as the sum over the
    predicted genes of the unit divided by `share`, the part of all counts that these genes make
    up in the training patients: ``log1p(counts / sum * share * scale)``. A model that predicts
    training-like composition is thus placed on the right level whatever its own depth; what
    this cannot see is a unit in which all the predicted genes together take a larger part. A
    model that knows better returns log-normalised values itself.

    Parameters
    ----------
    predicted
        Counts, (n, g), finite and at least 0.
    method, scale
        As in :func:`normalise_counts`. ``log1p`` takes the counts as they are;
        ``pearson_residuals`` takes sums of the prediction itself.
    share
        Part of the counts of a training unit that these genes make up, above 0 to 1.

    Returns
    -------
    NDArray[np.float64]
        (n, g). A unit predicted without counts is all zero.

    Raises
    ------
    ModelError
        If a predicted count is below zero.
    """
    counts = np.asarray(predicted, dtype=np.float64)
    negative = int((counts < 0).sum())
    if negative:
        raise ModelError(
            f"{negative} of {counts.size} predicted counts are below zero (lowest {counts.min():.4g}): "
            f"return counts of at least 0, or log-normalised values without 'counts'"
        )
    if method == "log1p":
        return np.log1p(counts)
    total = counts.sum(axis=1)
    if method == "pearson_residuals":
        return _pearson(counts, total, counts.sum(axis=0), float(total.sum()))
    factor = np.divide(share * (scale or 0.0), total, out=np.zeros(len(total)), where=total > 0)
    scaled: NDArray[np.float64] = np.log1p(counts * factor[:, None])
    return scaled


def gene_share(slides: Iterable[Slide]) -> NDArray[np.float64]:
    """Return the mean part of a unit's counts that each gene makes up, (G,), over patients.

    See :func:`patient_means`. 0 for a gene that no slide measured.
    """
    return np.nan_to_num(patient_means(slides, _share_sums))


def _share_sums(slide: Slide) -> NDArray[np.float64]:
    """Return the sum over units of the part that each gene makes up, (G,); added up once for a slide."""
    if slide not in _SHARES:
        _SHARES[slide] = np.asarray(slide.counts.T @ _inverse(slide.libsize)).ravel()
    return _SHARES[slide]


def patient_means(
    slides: Iterable[Slide], column_sums: Callable[[Slide], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the mean over patients of the mean over the units of each, (G,).

    `column_sums` gives the sum over the units of a slide, (G,). Slides that did not measure a gene
    do not count for it; nan for a gene that no slide measured.
    """
    per_patient: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for slide in slides:
        total = np.where(slide.measured, np.asarray(column_sums(slide)).ravel(), 0.0)
        units = np.where(slide.measured, float(slide.n_units), 0.0)
        patient = slide.meta.patient_id or slide.meta.slide_id
        sums, n = per_patient.get(patient, (0.0, 0.0))
        per_patient[patient] = (sums + total, n + units)
    means = [np.divide(s, n, out=np.full(len(s), np.nan), where=n > 0) for s, n in per_patient.values()]
    defined = ~np.isnan(means)
    count = defined.sum(axis=0)
    total = np.where(defined, means, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def _inverse(libsize: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1.0, libsize, out=np.zeros(len(libsize)), where=libsize > 0)


def _pearson(
    counts: NDArray[np.float64], libsize: NDArray[np.float64], gene_sums: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Return clipped residuals of ``mu = libsize * gene sum / total``; 0 where mu is 0."""
    n = len(counts)
    mu = np.outer(libsize, gene_sums) / total if total > 0 else np.zeros_like(counts)
    deviation = np.sqrt(mu + mu**2 / THETA)
    residual = np.divide(counts - mu, deviation, out=np.zeros_like(mu), where=deviation > 0)
    return np.clip(residual, -np.sqrt(n), np.sqrt(n))
