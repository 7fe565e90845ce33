"""The ceiling of a score: what a repeated measurement of the same units would reach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from pytest_stbench.kernels.draws import MOST
from pytest_stbench.kernels.streams import halves, stream
from pytest_stbench.preprocess.normalise import normalise_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.predicted_expression import ExpressionTruth


def thinned_pairs(
    fold: FoldData, slide: Slide, truth: ExpressionTruth
) -> Iterator[tuple[ExpressionTruth, NDArray[np.float64]]]:
    """Yield (truth, prediction) from counts split in halves, one pair after the other, 200 at most.

    Every count goes to one half or the other with equal chance; each half is normalised by its own
    library size, and the first is scored as the prediction of the second. Depth is halved, so the
    agreement of the halves is a conservative ceiling; a model that pools neighbours may exceed it.
    Units that a half leaves without a count take no part in that pair. The draws of a gene belong to gene
    and slide: they are the same whatever else is asked, and whoever is scored.

    Parameters
    ----------
    fold
        Gives the genes and the normalisation.
    slide
        A filtered test slide. With counts that are not whole numbers nothing is yielded.
    truth
        The truth of that slide.

    References
    ----------
    Molecular cross-validation: 10.1093/biostatistics/kxac047.
    """
    columns = fold.fitted.columns
    counts = slide.counts[:, columns].tocsr()
    rest = slide.libsize - np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    if not (_whole(counts.data) and _whole(rest)):
        return
    by_gene = counts.tocsc()
    entries = csr_matrix(csc_matrix((np.arange(by_gene.nnz), by_gene.indices, by_gene.indptr), counts.shape))
    numbers = np.diff(by_gene.indptr).tolist()
    name = slide.meta.slide_id
    rngs = [stream(0, "halves", name, str(gene)) for gene in slide.genes[columns]]
    rng = stream(0, "halves of other genes", name)
    counts = csr_matrix((by_gene.data[entries.data], entries.indices, entries.indptr), counts.shape)
    for _ in range(MOST):
        words = [own.words(number) for own, number in zip(rngs, numbers, strict=True)]
        part = halves(np.concatenate(words)[entries.data], counts.data)
        others = rng.halves(rest).astype(np.float64)
        first = csr_matrix((part, counts.indices, counts.indptr), shape=counts.shape)
        second = csr_matrix((counts.data - part, counts.indices, counts.indptr), shape=counts.shape)
        sizes = [
            np.asarray(half.sum(axis=1), dtype=np.float64).ravel() + remainder
            for half, remainder in ((first, others), (second, rest - others))
        ]
        kept = (sizes[0] > 0) & (sizes[1] > 0)
        if not kept.any():
            continue
        prediction = _values(fold, first, sizes[0])
        values = _values(fold, second, sizes[1])
        values[:, ~truth.measured] = np.nan
        target = replace(truth, values=values, counts=second, libsize=sizes[1])
        yield (target, prediction) if kept.all() else (target.select(kept), prediction[kept])


def _values(fold: FoldData, counts: csr_matrix, libsize: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one half on the scale of the task."""
    columns = np.arange(counts.shape[1])
    return normalise_counts(counts, libsize, columns, fold.fitted.normalise, fold.fitted.target_sum)


def _whole(values: NDArray[np.floating]) -> bool:
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values == np.rint(values)).all())
