"""B12: each place belongs to the cell of the nearest nucleus."""

from __future__ import annotations

from pytest_stbench.baselines.otsu_watershed import OtsuWatershed
from pytest_stbench.extend import baseline


@baseline("B12", kind="model", families=("segmentation",), needs=("image",), memory="one tile")
class VoronoiNuclei(OtsuWatershed):
    """Cells that fill the space between the nuclei of B11, up to 10 um from the nearest.

    The nuclei are those of B11; asked for nuclei it returns them.
    """

    name = "voronoi_nuclei"
    expansion_um = 10.0
