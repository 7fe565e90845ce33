"""B05: what the colours of an H&E patch predict, without any deep network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.baselines.families import READ_OUT
from pytest_stbench.baselines.linear import LinearBaseline
from pytest_stbench.data.encoded import RecentArrays
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.stain import STAINS, density_table

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from pytest_stbench.data.input_image import InputImage
    from pytest_stbench.data.inputs import ModelSlide

PATCH_UM = 112.0
CENTRE_UM = 56.0
FINEST_MPP = 0.5
NUCLEUS = 0.5
"""Haematoxylin density (decimal) above which a pixel counts as nucleus."""

WHITE = 200
"""A pixel all of whose channels are above this shows glass or fat."""

TILES = 4
BATCH_PIXELS = 1 << 19
N_FEATURES = 24
_FEATURES = RecentArrays(1 << 27)
"""Features by image and places: every fold asks for those of the same slides."""


@baseline(
    "B05",
    kind="model",
    families=(*READ_OUT, "embedding"),
    needs=("image",),
    memory="O(24^2), patches streamed",
)
class HeColour(LinearBaseline):
    """Ridge on 24 numbers of colour, nuclei and edges of the H&E patch of a unit.

    Patches are 112 um wide at the resolution of the image, 0.5 um per pixel at the finest; they
    are read and summarised in batches of bounded memory. See :func:`patch_features`.
    """

    name = "he_colour"

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {
            **super().config,
            "patch_um": PATCH_UM,
            "finest_mpp": FINEST_MPP,
            "nucleus": NUCLEUS,
            "white": WHITE,
        }

    def recipe(self) -> Hashable:
        """Return what, beside a slide, decides the features: nothing."""
        return ()

    def features(self, slide: ModelSlide) -> NDArray[np.float64]:
        """Return the colour features of a slide, (n, 24).

        Raises ``ModelError`` when the slide has no image.
        """
        if slide.image is None:
            message = f"slide {slide.meta.slide_id} has no image: he_colour needs `image:` in the task file"
            raise ModelError(message)
        image, identity = slide.image, slide.image.identity
        if identity is None:
            return self._computed(slide, image)
        return _FEATURES.get(identity, lambda: self._computed(slide, image))

    def _computed(self, slide: ModelSlide, image: InputImage) -> NDArray[np.float64]:
        mpp = max(FINEST_MPP, float(image.mpp))
        size = max(TILES, round(PATCH_UM / mpp))
        step = max(1, BATCH_PIXELS // size**2)
        result = np.empty((slide.n_units, N_FEATURES))
        for units, patches in slide.batches(size=size, mpp=mpp, batch=step):
            result[units] = patch_features(patches, mpp)
        return result


def patch_features(patches: NDArray[np.uint8], mpp: float) -> NDArray[np.float64]:
    """Return 24 numbers of each RGB patch (n, P, P, 3) uint8, P at least 4: (n, 24) float64.

    H and E are decimal optical densities of haematoxylin and eosin after colour deconvolution.

    ====== =====================================================================================
    0-3    H: mean, SD, 10th and 90th percentile
    4-7    E: mean, SD, 10th and 90th percentile
    8      nuclear fraction: pixels with H > 0.5
    9      white fraction: pixels with every channel > 200
    10-12  edge energy of H, E, total density: mean absolute difference of neighbouring pixels / um
    13-15  mean of red, green, blue (0 to 1)
    16-18  SD of red, green, blue
    19     correlation of H and E over pixels; 0 where either is constant
    20-22  mean H, mean E and nuclear fraction of the central disc 56 um wide
    23     SD of mean H over 4 x 4 tiles: how unevenly cells are spread
    ====== =====================================================================================

    References
    ----------
    Colour deconvolution: Ruifrok and Johnston 2001, Anal Quant Cytol Histol 23:291.
    """
    n, size = patches.shape[:2]
    density = density_table()[patches]
    unmix = np.linalg.inv(STAINS)[:, :2].astype(np.float32)
    stains = density @ unmix
    h, e = stains[..., 0], stains[..., 1]
    rgb = patches.reshape(n, -1, 3)
    colour_mean = rgb.mean(axis=1) / 255.0
    colour_sd = rgb.std(axis=1) / 255.0
    nucleus = h > NUCLEUS
    offset = (np.arange(size) + 0.5) * mpp - size * mpp / 2
    # At the very least the four pixels in the middle.
    disc = np.hypot(*np.meshgrid(offset, offset)) <= max(CENTRE_UM / 2, mpp)
    edge = size - size % TILES
    tiles = h[:, :edge, :edge].reshape(n, TILES, edge // TILES, TILES, edge // TILES).mean(axis=(2, 4))
    columns = [
        *_summary(h),
        *_summary(e),
        nucleus.mean(axis=(1, 2)),
        (patches > WHITE).all(axis=3).mean(axis=(1, 2)),
        _edges(h, mpp),
        _edges(e, mpp),
        _edges(density.sum(axis=3), mpp),
        *colour_mean.T,
        *colour_sd.T,
        _correlation(h, e),
        h[:, disc].mean(axis=1),
        e[:, disc].mean(axis=1),
        nucleus[:, disc].mean(axis=1),
        tiles.reshape(n, -1).std(axis=1),
    ]
    return np.column_stack(columns).astype(np.float64)


def _summary(stain: NDArray[np.float32]) -> list[NDArray[np.floating]]:
    flat = stain.reshape(len(stain), -1)
    low, high = np.percentile(flat, [10, 90], axis=1)
    return [flat.mean(axis=1, dtype=np.float64), flat.std(axis=1, dtype=np.float64), low, high]


def _edges(values: NDArray[np.float32], mpp: float) -> NDArray[np.floating]:
    across = np.abs(np.diff(values, axis=2)).mean(axis=(1, 2))
    down = np.abs(np.diff(values, axis=1)).mean(axis=(1, 2))
    return np.asarray((across + down) / (2 * mpp))


def _correlation(h: NDArray[np.float32], e: NDArray[np.float32]) -> NDArray[np.float64]:
    x, y = (v.reshape(len(v), -1).astype(np.float64) for v in (h, e))
    x -= x.mean(axis=1, keepdims=True)
    y -= y.mean(axis=1, keepdims=True)
    size = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    # float32 rounding of a constant patch leaves deviations of about 1e-8 a pixel.
    varies = size > 1e-12 * x.shape[1]
    correlation: NDArray[np.float64] = np.divide(
        (x * y).sum(axis=1), size, out=np.zeros(len(x)), where=varies
    )
    return correlation
