"""T14's perturbations: what is changed of a model's input, and what a robust model keeps."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.data.altered_image import AlteredImage
from pytest_stbench.kernels.stain import scale_stains
from pytest_stbench.resources import housekeeping

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide
    from pytest_stbench.kernels.streams import Stream

    Pixels = NDArray[np.uint8]
    Change = Callable[[ModelSlide, Stream], ModelSlide]


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One change of a test input.

    ``needs`` is what the input must have (``image``, ``counts``, or nothing). A robust model keeps
    at least ``least`` of its score over the trivial baseline (``retained``), correlates at least so
    much with its own clean prediction (``consistency``), or differs from it by at most ``least``
    (``same``).
    """

    name: str
    group: str
    needs: Literal["image", "counts", ""]
    measure: Literal["retained", "consistency", "same"]
    least: float
    change: Change


def _on_image(**changes: object) -> Change:
    """Return the change of what is read from an image."""
    return lambda given, _: _image(given, **changes)


def _image(given: ModelSlide, **changes: object) -> ModelSlide:
    assert given.image is not None  # the caller has looked
    return replace(given, image=AlteredImage(given.image, **changes))  # type: ignore[arg-type]  # as AlteredImage says


def _brighter(pixels: Pixels, *, factor: float) -> Pixels:
    table = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return np.asarray(table[pixels])


def _turned(patches: Pixels, *, times: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(patches, times, axes=(1, 2)))


def _mirrored(patches: Pixels) -> Pixels:
    return np.ascontiguousarray(patches[:, :, ::-1])


def _compressed(pixels: Pixels, *, quality: int) -> Pixels:
    import PIL.Image

    flat = pixels.reshape(-1, *pixels.shape[-3:])
    result = np.empty_like(flat)
    for place, picture in enumerate(flat):
        buffer = io.BytesIO()
        PIL.Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
        result[place] = np.asarray(PIL.Image.open(buffer))
    return result.reshape(pixels.shape)


def _blurred(pixels: Pixels) -> Pixels:
    from scipy.ndimage import gaussian_filter

    sigma = (*(0 for _ in pixels.shape[:-3]), 1.0, 1.0, 0.0)
    return np.asarray(gaussian_filter(pixels, sigma, mode="nearest"))


def _move(given: ModelSlide, xy_um: NDArray[np.float64]) -> ModelSlide:
    units = given.units.copy()
    units.obsm["spatial"] = xy_um
    return replace(given, units=units)


def _jitter(sigma: float, given: ModelSlide, rng: Stream) -> ModelSlide:
    xy = np.asarray(given.units.obsm["spatial"], dtype=np.float64)
    offset = sigma * rng.normal(xy.shape)
    moved = _move(given, xy + offset)
    return moved if given.image is None else _image(moved, offset_um=offset)


def _rotate(given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    xy = np.asarray(given.units.obsm["spatial"], dtype=np.float64)
    angle, centre = np.deg2rad(30.0), xy.mean(axis=0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _move(given, (xy - centre) @ turn.T + centre)


def _translate(given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _move(given, np.asarray(given.units.obsm["spatial"], dtype=np.float64) + 1000.0)


def _counts(given: ModelSlide, change: Callable[[NDArray[Any]], NDArray[Any]]) -> ModelSlide:
    units = given.units.copy()
    counts = csr_matrix(units.X, copy=True)
    counts.data = change(counts.data).astype(counts.data.dtype)
    counts.eliminate_zeros()
    units.X = counts
    return replace(given, units=units)


def _dropout(share: float, given: ModelSlide, rng: Stream) -> ModelSlide:
    genes = given.units.n_vars
    lost = np.zeros(genes, dtype=bool)
    lost[rng.permutation(genes)[: round(share * genes)]] = True
    return _without(given, lost)


def _housekeeping(given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _without(given, np.isin(given.units.var_names.to_numpy(str), sorted(housekeeping())))


def _without(given: ModelSlide, lost: NDArray[np.bool_]) -> ModelSlide:
    """Return the slide with the counts of some genes set to 0: the model still sees their names."""
    column = csr_matrix(given.units.X).indices
    return _counts(given, lambda data: np.where(lost[column], 0, data))


def _thin(given: ModelSlide, rng: Stream) -> ModelSlide:
    return _counts(given, lambda data: rng.halves(np.rint(data)))


def _unchanged(given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return given


GENE_ORDER, UNIT_ORDER = "gene_order", "unit_order"
"""Orders are changed where the model is asked, since names go with them."""


GENE_ORDER, UNIT_ORDER = "gene_order", "unit_order"
"""Orders are changed where the model is asked, since names go with them."""

PERTURBATIONS: tuple[Perturbation, ...] = (
    *(
        Perturbation(
            f"stain_{f}", "stain", "image", "retained", 0.9, _on_image(pixels=partial(scale_stains, factor=f))
        )
        for f in (0.8, 0.9, 1.1, 1.2)
    ),
    *(
        Perturbation(
            f"brightness_{f}",
            "stain",
            "image",
            "retained",
            0.9,
            _on_image(pixels=partial(_brighter, factor=f)),
        )
        for f in (0.9, 1.1)
    ),
    *(
        Perturbation(
            f"rotate_{90 * k}",
            "orientation",
            "image",
            "consistency",
            0.95,
            _on_image(patch=partial(_turned, times=k)),
        )
        for k in (1, 2, 3)
    ),
    Perturbation("mirror", "orientation", "image", "consistency", 0.95, _on_image(patch=_mirrored)),
    *(
        Perturbation(f"jitter_{s}um", "place", "", "retained", 0.9, partial(_jitter, float(s)))
        for s in (5, 10, 25)
    ),
    Perturbation("rotate_slide", "place", "", "same", 1e-3, _rotate),
    Perturbation("translate_slide", "place", "", "same", 1e-3, _translate),
    *(Perturbation(f"mpp_{f}", "scale", "image", "retained", 0.8, _on_image(scale=f)) for f in (0.9, 1.1)),
    *(
        Perturbation(
            f"jpeg_{q}",
            "compression",
            "image",
            "retained",
            0.9,
            _on_image(pixels=partial(_compressed, quality=q)),
        )
        for q in (90, 50)
    ),
    Perturbation("blur_1px", "compression", "image", "retained", 0.9, _on_image(pixels=_blurred)),
    *(
        Perturbation(f"dropout_{round(100 * s)}", "dropout", "counts", "retained", 0.0, partial(_dropout, s))
        for s in (0.1, 0.25, 0.5)
    ),
    Perturbation("dropout_housekeeping", "dropout", "counts", "retained", 0.0, _housekeeping),
    Perturbation("thinning_50", "dropout", "counts", "retained", 0.0, _thin),
    Perturbation(GENE_ORDER, "order", "counts", "same", 1e-4, _unchanged),
    Perturbation(UNIT_ORDER, "order", "", "same", 1e-4, _unchanged),
)
