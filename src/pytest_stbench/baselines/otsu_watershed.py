"""B11: nuclei as dark blots of haematoxylin, without anything learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import baseline
from pytest_stbench.kernels.stain import STAINS, density_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide
    from pytest_stbench.data.region import Region

SIGMA_UM = 0.5
SEED_SIGMA_UM = 0.75
SEED_DISTANCE_UM = 2.5
SMALLEST_UM2 = 7.0
FEWEST_LEVELS = 0.02
"""A stain that varies less over a tile (decimal density, or share of full brightness) shows no nuclei."""

EXPANSION_UM = 5.0


@baseline("B11", kind="model", families=("segmentation",), needs=("image",), memory="one tile")
class OtsuWatershed:
    """Nuclei as dark blots of haematoxylin, parted by a watershed; a cell is 5 um around one.

    The haematoxylin density after colour deconvolution (or a grey image as it is, such as DAPI) is smoothed
    and cut at Otsu's threshold of the tile; touching nuclei are parted by a watershed of the
    distance to their edge. Nothing is learned. One tile is in memory.
    """

    name = "otsu_watershed"
    revision = "1"
    expansion_um = EXPANSION_UM

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {
            "sigma_um": SIGMA_UM,
            "seed_sigma_um": SEED_SIGMA_UM,
            "seed_distance_um": SEED_DISTANCE_UM,
            "smallest_um2": SMALLEST_UM2,
            "expansion_um": self.expansion_um,
        }

    def segment(self, slide: ModelSlide, region: Region) -> NDArray[np.int32]:  # noqa: ARG002  # the contract
        """Return nuclei, or cells where these are asked for, (H, W) int32."""
        found = nuclei(region.image, region.mpp)
        return found if region.kind == "nucleus" else grown(found, self.expansion_um, region.mpp)


def nuclei(image: NDArray[np.uint8], mpp: float) -> NDArray[np.int32]:
    """Return the nuclei of a tile, (H, W) int32.

    Parameters
    ----------
    image
        (H, W, 3) RGB of H&E; or grey, (H, W) or three equal channels: a stain that makes nuclei
        bright. uint8.
    mpp
        Um per pixel.

    References
    ----------
    Colour deconvolution: Ruifrok and Johnston 2001, Anal Quant Cytol Histol 23:291.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.measure import label
    from skimage.segmentation import watershed

    stain = gaussian_filter(nuclear_stain(image), SIGMA_UM / mpp)
    if stain.size == 0 or float(np.ptp(stain)) < FEWEST_LEVELS:
        return np.zeros(stain.shape, dtype=np.int32)
    blots = _large_enough(label(stain > threshold_otsu(stain)), mpp) > 0  # type: ignore[no-untyped-call]
    depth = gaussian_filter(distance_transform_edt(blots), SEED_SIGMA_UM / mpp)
    apart = max(1, round(SEED_DISTANCE_UM / mpp))
    peaks = peak_local_max(depth, min_distance=apart, labels=label(blots), exclude_border=False)  # type: ignore[no-untyped-call]
    seeds = np.zeros(stain.shape, dtype=np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    parts: NDArray[np.int32] = watershed(-depth, seeds, mask=blots).astype(np.int32)  # type: ignore[no-untyped-call]
    return _large_enough(parts, mpp)


def nuclear_stain(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the decimal density of haematoxylin, (H, W); a grey image as it is, from 0 to 1."""
    channels = image.reshape(*image.shape[:2], -1)
    if (channels == channels[..., :1]).all():
        return channels[..., 0].astype(np.float32) / np.float32(255)
    haematoxylin = np.linalg.inv(STAINS)[:, 0].astype(np.float32)
    density: NDArray[np.float32] = density_table()[image] @ haematoxylin
    return density


def grown(labels: NDArray[np.int32], distance_um: float, mpp: float) -> NDArray[np.int32]:
    """Return instances grown by `distance_um`, each place to the nearest of them."""
    from skimage.segmentation import expand_labels

    cells: NDArray[np.int32] = expand_labels(labels, distance=distance_um / mpp)  # type: ignore[no-untyped-call]
    return cells.astype(np.int32, copy=False)


def _large_enough(labels: NDArray[np.integer], mpp: float) -> NDArray[np.int32]:
    """Return the instances of at least the smallest area, numbered from 1."""
    area = np.bincount(labels.ravel())
    kept = area * mpp**2 >= SMALLEST_UM2
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    renumbered: NDArray[np.int32] = number[labels]
    return renumbered
