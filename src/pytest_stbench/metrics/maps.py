"""Whether a predicted gene lies where it truly lies: maps as images of the tissue, and as shares of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.map_ssim import canvas_of, map_similarity
from pytest_stbench.metrics.comparison import compare_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Labels = Sequence[str] | NDArray[np.str_] | None


@metric("M14", bounds=(-1.0, 1.0), better="up", group="spatial", source="10.1109/TIP.2003.819861")
def map_ssim(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    pixels: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Labels = None,
) -> Scores:
    """Structural similarity of the true and the predicted map of each gene.

    Both maps are scaled by the 1st and 99th percentile of the true one over the tissue, clipped
    to [0, 1] and compared in Gaussian windows (sigma 1.5, 11 x 11, K1 .01, K2 .03) that use tissue
    pixels alone, averaged over the pixels with at least half of their window in tissue. Range
    [-1, 1], higher is better; a constant prediction is scored as it is.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. NaN in the truth leaves that unit out for that gene.
    pixels
        Shape (n, 2): row and column of each unit on its lattice, from 0, as made in
        :mod:`pytest_stbench.kernels.pixels`. Units of one pixel are averaged.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    genes
        Gene symbols (g,), the labels of the scores.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units`` (a side
        shorter than 7 pixels, or no pixel with half of its window in tissue), ``gt_nan`` (truth
        known for less than half of the units), ``gt_constant`` (both percentiles are the same: a
        constant gene, or one with more than 99% zeros).

    Raises
    ------
    ValueError
        If shapes differ, the prediction is not finite or a pixel is negative.

    References
    ----------
    10.1109/TIP.2003.819861.
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    places = _places(pixels, len(found.truth))
    values, small = np.full(len(found.labels), np.nan), np.zeros(len(found.labels), bool)
    for columns, rows in found.known_together():
        canvas = canvas_of(places if rows is None else places[rows])
        small[columns] = canvas.too_small
        if canvas.too_small:
            continue
        true, predicted = (arm if rows is None else arm[rows] for arm in found.take(columns))
        values[columns] = map_similarity(true, predicted, canvas)
    found.mark(small, "too_few_units")
    found.mark(np.isnan(values), "gt_constant")
    return found.scores(values)


@metric("M10", bounds=(0.0, 1.0), better="down", fill=1.0, source="10.1109/18.61115")
def jsd_map(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, genes: Labels = None
) -> Scores:
    """Jensen-Shannon divergence in bits between the true and the predicted map of each gene.

    Values are clipped at 0 and divided by their sum over the units of the slide. Range [0, 1],
    lower is better. The extra ``distance`` is the square root, the Jensen-Shannon distance.

    Parameters and errors as in :func:`cosine_gene`.

    Returns
    -------
    Scores
        One value per gene, undefined as in :func:`cosine_gene`, where empty means that no value
        is positive.

    References
    ----------
    Jensen-Shannon divergence: 10.1109/18.61115.
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    g = len(found.labels)
    values = np.zeros(g)
    empty_truth, empty_prediction = np.zeros(g, bool), np.zeros(g, bool)
    for columns in found.blocks():
        mask = found.mask(columns)
        true, predicted = found.take(columns)
        true, empty_truth[columns] = _shares(true, mask)
        predicted, empty_prediction[columns] = _shares(predicted, mask)
        middle = 0.5 * (true + predicted)
        divergence = 0.5 * (_kl(true, middle) + _kl(predicted, middle))
        values[columns] = np.clip(divergence, 0.0, 1.0)
    found.mark(empty_truth, "empty_truth")
    found.mark(empty_prediction, "empty_pred")
    return found.scores(values, extras={"distance": np.sqrt(values)})


def _places(pixels: ArrayLike, n_units: int) -> NDArray[np.integer]:
    places = np.asarray(pixels)
    if places.shape != (n_units, 2) or (n_units and (places.dtype.kind not in "iu" or places.min() < 0)):
        raise ValueError(
            f"pixels have shape {places.shape} and dtype {places.dtype}: give row and column, whole "
            f"numbers from 0, of each of the {n_units} units"
        )
    return places


def _shares(
    values: NDArray[Any], mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the columns clipped at 0 and divided by their sums, and which have no sum."""
    positive = np.maximum(values if mask is None else np.where(mask, values, 0.0), 0.0).astype(np.float64)
    total = positive.sum(axis=0)
    empty = total <= 0.0
    return positive / np.where(empty, 1.0, total), empty


def _kl(share: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Kullback-Leibler divergence of each column in bits; 0 log 0 = 0."""
    # Where the share is 0 the ratio is replaced by 1, whose logarithm is 0.
    ratio = np.divide(share, middle, out=np.ones_like(share), where=share > 0.0)
    divergence: NDArray[np.float64] = np.einsum("ij,ij->j", share, np.log2(ratio))
    return divergence
