"""Structural similarity of maps that have holes and ragged edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.blocks import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SIGMA = 1.5
RADIUS = 5
MIN_SIDE = 7
MIN_WEIGHT = 0.5
WEIGHT_ROUNDING = 1e-9
LOWER, UPPER = 1.0, 99.0
LUMINANCE, CONTRAST = 0.01**2, 0.03**2
CONSTANT_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """Pixels of a map that hold tissue, and which units are averaged in each.

    ``tissue`` is (rows, columns); ``pixel_of`` (n,) numbers the tissue pixels in their order;
    ``judged`` (pixels,) are those with at least half of their window's weight in tissue.
    """

    tissue: NDArray[np.bool_]
    pixel_of: NDArray[np.intp]
    judged: NDArray[np.bool_]

    @property
    def too_small(self) -> bool:
        """Whether a side is shorter than 7 pixels or no pixel has enough tissue around it."""
        return min(self.tissue.shape) < MIN_SIDE or not self.judged.any()


def canvas_of(pixels: NDArray[np.integer]) -> Canvas:
    """Return the map whose units lie at `pixels`, (n, 2), rows and columns from 0."""
    pixels = np.asarray(pixels, dtype=np.int64)
    rows, columns = pixels.max(axis=0) + 1 if len(pixels) else (0, 0)
    flat, pixel_of = np.unique(pixels[:, 0] * columns + pixels[:, 1], return_inverse=True)
    tissue = np.zeros(rows * columns, bool)
    tissue[flat] = True
    tissue = tissue.reshape(rows, columns)
    weight = _blur(tissue[None].astype(np.float64))[0][tissue]
    return Canvas(tissue=tissue, pixel_of=pixel_of, judged=weight >= MIN_WEIGHT - WEIGHT_ROUNDING)


def map_similarity(truth: NDArray[np.floating], prediction: NDArray[np.floating], canvas: Canvas) -> Floats:
    """Return the structural similarity of the two maps of each gene.

    Units that share a pixel are averaged. Both maps are scaled by the 1st and 99th percentile of
    the truth over tissue pixels and clipped to [0, 1]. Windows are Gaussian (sigma 1.5, 11 x 11),
    their weights renormalised over the tissue; the result is the mean over the judged pixels.

    Parameters
    ----------
    truth, prediction
        Shape (n, g), finite.
    canvas
        Where the n units lie; not one that is too small.

    Returns
    -------
    NDArray[np.float64]
        (g,), -1 to 1, higher is better; nan where both percentiles of the truth are the same.

    References
    ----------
    10.1109/TIP.2003.819861.
    """
    g = truth.shape[1]
    shared = np.bincount(canvas.pixel_of).astype(np.float64)
    weight = _blur(canvas.tissue[None].astype(np.float64))
    values = np.empty(g)
    for columns in blocks(g, 8 * canvas.tissue.size):
        true, predicted = (_averaged(arm[:, columns], canvas.pixel_of, shared) for arm in (truth, prediction))
        low, high = np.percentile(true, (LOWER, UPPER), axis=0)
        level = high - low <= CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(true.mean(axis=0)))
        span = np.where(level, 1.0, high - low)
        maps = [_on_canvas(np.clip((arm - low) / span, 0.0, 1.0), canvas.tissue) for arm in (true, predicted)]
        similarity = _similarity(maps[0], maps[1], canvas.tissue, weight)[:, canvas.judged].mean(axis=1)
        values[columns] = np.where(level, np.nan, similarity)
    return values


def _averaged(values: NDArray[np.floating], pixel_of: NDArray[np.intp], shared: Floats) -> Floats:
    """Return the mean of the units of each tissue pixel, (pixels, g)."""
    if len(shared) == len(pixel_of):
        placed = np.empty(values.shape)
        placed[pixel_of] = values
        return placed
    total = np.zeros((len(shared), values.shape[1]))
    np.add.at(total, pixel_of, values)
    return total / shared[:, None]


def _on_canvas(values: Floats, tissue: NDArray[np.bool_]) -> Floats:
    """Return maps (g, rows, columns), 0 outside the tissue."""
    maps = np.zeros((values.shape[1], *tissue.shape))
    maps[:, tissue] = values.T
    return maps


def _similarity(x: Floats, y: Floats, tissue: NDArray[np.bool_], weight: Floats) -> Floats:
    """Return the similarity of the windows around each tissue pixel, (g, pixels)."""
    share = weight[0][tissue]
    mean_x, mean_y, xx, yy, xy = (_blur(arm)[:, tissue] / share for arm in (x, y, x * x, y * y, x * y))
    variance_x, variance_y = np.maximum(xx - mean_x**2, 0.0), np.maximum(yy - mean_y**2, 0.0)
    covariance = xy - mean_x * mean_y
    alike = (2.0 * mean_x * mean_y + LUMINANCE) * (2.0 * covariance + CONTRAST)
    similarity: Floats = alike / ((mean_x**2 + mean_y**2 + LUMINANCE) * (variance_x + variance_y + CONTRAST))
    return similarity


def _blur(maps: Floats) -> Floats:
    """Return Gaussian-weighted sums around each pixel of (g, rows, columns), with 0 beyond the map."""
    from scipy.ndimage import correlate1d

    kernel = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    kernel /= kernel.sum()
    across = correlate1d(maps, kernel, axis=1, mode="constant")
    blurred: Floats = correlate1d(across, kernel, axis=2, mode="constant")
    return blurred
