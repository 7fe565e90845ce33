"""How well an image fits the units of a slide: background, place and scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.checks.values import as_numbers
from pytest_stbench.kernels.stain import STAINS
from pytest_stbench.kernels.streams import stream
from pytest_stbench.kernels.subset_fit import explained, spearman
from pytest_stbench.kernels.tissue import tissue_mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

MPP = 8.0
"""Micrometres per pixel at which images are looked at: a spot is 7 pixels wide, a whole slide some MB."""

PATCH_UM = 112.0
SPOT_UM = 56.0
CELL_UM = 24.0
WHITE = 215
"""A pixel all of whose channels are above this shows glass."""

BLACK = 15
"""A pixel all of whose channels are below this was masked."""

HAEMATOXYLIN = np.linalg.inv(STAINS)[:, 0]
"""What the densities of red, green and blue are multiplied with to give that of haematoxylin."""

N_GENES = 50
N_COMPONENTS = 10
SHIFTS = 99
SHIFT_UM = (200.0, 1000.0)
SEED = 0
MIN_UNITS = 30
MAX_UNITS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFit:
    """What was found on one slide; None where it could not be judged."""

    blank: float
    outside: float
    off_tissue: float | None
    rank: float | None
    own: float | None
    scale: float | None


def image_fit(slide: Slide, xy: NDArray[np.float64], patch_background: float) -> ImageFit:
    """Return how the image of a slide fits its units, whose places in its pixels are `xy` (n, 2)."""
    image = slide.image
    assert image is not None  # the caller looked
    finite = np.isfinite(xy).all(axis=1)
    mpp = max(MPP, float(image.mpp))
    pixels = replace(image, target_mpp=mpp).input(xy).array
    at = np.full(xy.shape, -1e9)
    at[finite] = xy[finite] * (image.mpp / mpp)
    height, width = pixels.shape[:2]
    inside: NDArray[np.bool_] = np.asarray(((at >= 0) & (at < [width, height])).all(axis=1))
    glass = np.asarray((pixels > WHITE).all(axis=2) | (pixels < BLACK).all(axis=2))
    (blank,) = _means_around(glass, PATCH_UM / mpp, at[inside])
    background = float((blank > patch_background).sum() / max(1, len(xy)))
    tissue = tissue_mask(pixels, mpp)
    off_tissue = None
    if tissue.any() and inside.any():  # a grey image shows none
        (there,) = _means_around(tissue, PATCH_UM / mpp, at[inside])
        off_tissue = float((there < 1 - patch_background).sum() / len(xy))
    rank, own = _rank(slide, pixels, at, inside, mpp)
    return ImageFit(
        blank=background,
        outside=float((~inside).mean()),
        off_tissue=off_tissue,
        rank=rank,
        own=own,
        scale=_scale(slide, xy, float(image.mpp)),
    )


def _rank(
    slide: Slide, pixels: NDArray[np.uint8], at: NDArray[np.float64], inside: NDArray[np.bool_], mpp: float
) -> tuple[float | None, float | None]:
    """Return the share of shifts that fit as well as the given place, and how well that fits."""
    # By name, so that the order of the units does not matter.
    rows = np.flatnonzero(inside)
    rows = rows[np.argsort(np.asarray(slide.unit_names).astype(str)[rows], kind="stable")]
    rng = stream(SEED, "image fit")
    if len(rows) > MAX_UNITS:
        rows = rows[np.sort(rng.sample(len(rows), MAX_UNITS))]
    if len(rows) < MIN_UNITS:
        return None, None
    expression, amount = _expression(slide, rows)
    side = (CELL_UM if _is_cell(slide) else SPOT_UM) / mpp
    places = at[rows]
    angle = 2 * np.pi * rng.uniform(SHIFTS)
    shortest, longest = _lengths(places * mpp)
    length = (shortest + (longest - shortest) * rng.uniform(SHIFTS)) / mpp
    height, width = pixels.shape[:2]
    steps = np.column_stack([np.cos(angle) * length, np.sin(angle) * length])
    moved = places + steps[:, None]
    left = ((moved >= 0) & (moved < [width, height])).all(axis=2)
    usable = left.sum(axis=1) >= max(MIN_UNITS, len(rows) / 2)
    moved, left = moved[usable], left[usable]
    moved[~left] = 0.0
    # One channel after the other: the table of a large slide is larger than all that is looked up in it.
    colours = [_means_around(channel, side, places, moved) for channel in _densities(pixels)]
    seen, there = (np.stack(channels, axis=-1) for channels in zip(*colours, strict=True))
    everywhere = np.ones((1, len(rows)), np.bool_)
    own = float(explained(seen[None], expression, everywhere)[0])
    if usable.sum() < SHIFTS // 4 or np.isnan(own):
        return None, None
    # Fewer units are fitted better by chance, so both places are asked for the same ones.
    ranks = [(explained(there, expression, left) >= explained(seen[None], expression, left)).mean()]
    stain, amount = (seen @ HAEMATOXYLIN)[None], amount[None]
    if not np.isnan(spearman(stain, amount, everywhere)[0]):
        as_high = spearman(there @ HAEMATOXYLIN, amount, left) >= spearman(stain, amount, left)
        ranks.append(as_high.mean())
    return float(min(ranks)), own


def _lengths(places_um: NDArray[np.float64]) -> tuple[float, float]:
    """Return the least and the greatest shift, in um: on a small section no more than half of it."""
    longest = min(SHIFT_UM[1], float(np.ptp(places_um, axis=0).max()) / 2)
    return min(SHIFT_UM[0], longest / 4), longest


def _densities(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.float64]]:
    """Yield the optical density of red, green and blue; masked pixels have none."""
    table = -np.log10(np.maximum(np.arange(256), 1) / 255.0)
    masked = (pixels < BLACK).all(axis=2)
    for channel in range(3):
        yield np.where(masked, 0.0, table[pixels[..., channel]])


def _expression(slide: Slide, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is to be explained.

    Leading components of log count and the highest genes, (n, k), and the number of cells where it is
    known, else the count, of each unit, (n,).
    """
    total = np.maximum(np.nan_to_num(as_numbers(slide.libsize)[rows], posinf=0.0), 0.0)
    counts = slide.counts[rows]
    sums = np.nan_to_num(as_numbers(counts.sum(axis=0)).ravel(), posinf=0.0)
    genes = np.sort(np.argsort(-sums, kind="stable")[:N_GENES])
    values = np.nan_to_num(as_numbers(counts[:, genes].toarray()), posinf=0.0)
    values = np.log1p(1e4 * np.maximum(values, 0.0) / np.maximum(total, 1.0)[:, None])
    values = np.column_stack([_standard(np.log1p(total)[:, None]), _standard(values)])
    left, size, _ = np.linalg.svd(values, full_matrices=False)
    cells = slide.measures.get("cells")
    amount = total if cells is None else np.nan_to_num(as_numbers(cells)[rows])
    return left[:, :N_COMPONENTS] * size[:N_COMPONENTS], amount


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    scaled: NDArray[np.float64] = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
    return scaled


def _is_cell(slide: Slide) -> bool:
    return slide.meta.resolution in ("cell", "transcript")


def _means_around(
    values: NDArray[Any], side: float, *places: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return the means of the squares of `side` pixels around places (..., x and y), cut at the border."""
    reach = max(0, round((side - 1) / 2))
    height, width = values.shape
    total = np.zeros((height + 1, width + 1))
    total[1:, 1:] = values
    for axis in (0, 1):
        np.cumsum(total, axis=axis, out=total)
    means = []
    for wanted in places:
        x, y = np.moveaxis(wanted.astype(np.intp), -1, 0)
        top, bottom = np.maximum(y - reach, 0), np.minimum(y + reach + 1, height)
        left, right = np.maximum(x - reach, 0), np.minimum(x + reach + 1, width)
        of_columns = (total[bottom, right] - total[top, right]) - (total[bottom, left] - total[top, left])
        means.append(of_columns / ((bottom - top) * (right - left)))
    return means


def _scale(slide: Slide, xy_px: NDArray[np.float64], mpp: float) -> float | None:
    """Return the um per pixel that the two sets of coordinates give, over the declared ones."""
    xy = as_numbers(slide.xy_um)
    if xy.shape != xy_px.shape:
        return None
    both = np.isfinite(xy).all(axis=1) & np.isfinite(xy_px).all(axis=1)
    if both.sum() < 2:  # one point has no extent
        return None
    um = float(np.sqrt(xy[both].var(axis=0).sum()))
    px = float(np.sqrt(xy_px[both].var(axis=0).sum()))
    return um / px / mpp if um > 0 and px > 0 and mpp > 0 else None
