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


@dataclass(frozen=True, slots=True, kw_only=True)
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


def _image(given: ModelSlide, **changes: object) -> ModelSlide:
    assert given.image is not None  # the caller has looked
    return replace(given, image=AlteredImage(given.image, **changes))  # type: ignore[arg-type]  # as AlteredImage says


def _stain(factor: float, given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, pixels=partial(scale_stains, factor=factor))


def _brightness(factor: float, given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, pixels=partial(_brighter, factor=factor))


def _brighter(pixels: Pixels, *, factor: float) -> Pixels:
    table = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return np.asarray(table[pixels])


def _turn(times: int, given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, patch=partial(_turned, times=times))


def _turned(patches: Pixels, *, times: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(patches, times, axes=(1, 2)))


def _mirror(given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, patch=_mirrored)


def _mirrored(patches: Pixels) -> Pixels:
    return np.ascontiguousarray(patches[:, :, ::-1])


def _wrong_mpp(factor: float, given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, scale=factor)


def _jpeg(quality: int, given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, pixels=partial(_compressed, quality=quality))


def _compressed(pixels: Pixels, *, quality: int) -> Pixels:
    import PIL.Image

    flat = pixels.reshape(-1, *pixels.shape[-3:])
    result = np.empty_like(flat)
    for place, picture in enumerate(flat):
        buffer = io.BytesIO()
        PIL.Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
        result[place] = np.asarray(PIL.Image.open(buffer))
    return result.reshape(pixels.shape)


def _blur(given: ModelSlide, rng: Stream) -> ModelSlide:
    del rng
    return _image(given, pixels=_blurred)


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


def _of(
    name: str,
    group: str,
    needs: Literal["image", "counts", ""],
    measure: Literal["retained", "consistency", "same"],
    least: float,
    change: Change,
) -> Perturbation:
    return Perturbation(name=name, group=group, needs=needs, measure=measure, least=least, change=change)


PERTURBATIONS: tuple[Perturbation, ...] = (
    *(_of(f"stain_{f}", "stain", "image", "retained", 0.9, partial(_stain, f)) for f in (0.8, 0.9, 1.1, 1.2)),
    *(_of(f"brightness_{f}", "stain", "image", "retained", 0.9, partial(_brightness, f)) for f in (0.9, 1.1)),
    *(
        _of(f"rotate_{90 * k}", "orientation", "image", "consistency", 0.95, partial(_turn, k))
        for k in (1, 2, 3)
    ),
    _of("mirror", "orientation", "image", "consistency", 0.95, _mirror),
    *(_of(f"jitter_{s}um", "place", "", "retained", 0.9, partial(_jitter, float(s))) for s in (5, 10, 25)),
    _of("rotate_slide", "place", "", "same", 1e-3, _rotate),
    _of("translate_slide", "place", "", "same", 1e-3, _translate),
    *(_of(f"mpp_{f}", "scale", "image", "retained", 0.8, partial(_wrong_mpp, f)) for f in (0.9, 1.1)),
    *(_of(f"jpeg_{q}", "compression", "image", "retained", 0.9, partial(_jpeg, q)) for q in (90, 50)),
    _of("blur_1px", "compression", "image", "retained", 0.9, _blur),
    *(
        _of(f"dropout_{round(100 * s)}", "dropout", "counts", "retained", 0.0, partial(_dropout, s))
        for s in (0.1, 0.25, 0.5)
    ),
    _of("dropout_housekeeping", "dropout", "counts", "retained", 0.0, _housekeeping),
    _of("thinning_50", "dropout", "counts", "retained", 0.0, _thin),
    _of(GENE_ORDER, "order", "counts", "same", 1e-4, _unchanged),
    _of(UNIT_ORDER, "order", "", "same", 1e-4, _unchanged),
)
