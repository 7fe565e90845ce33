"""T10, segmentation of nuclei and cells."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_stbench.extend import family
from pytest_stbench.spec.block import Block
from pytest_stbench.spec.part import Integer, Number


@family(
    "T10",
    method="segment",
    primary="pq",
    metrics=(
        "pq",
        "segmentation_ap",
        "dice",
        "aji",
        "count_error",
        "transcripts_assigned",
        "doublet_rate",
    ),
    trivial="voronoi_nuclei",
    simple=("otsu_watershed",),
    baselines=(),
    input_class="image",
    predicts="masks",
)
class Segmentation(Block):
    """Outline nuclei or cells: do instances hold in new sites and technologies?

    Tiles have ``tile_px`` pixels a side of ``mpp`` um (null: those of the image, at least 0.2125 and at most
    0.5). ``truth`` names the outlines of the slide that are right; null takes those named like the object,
    else the first of its kind. At most ``max_tiles`` of a slide are asked, spread over it; null asks all.
    """

    object: Literal["nucleus", "cell"] = "cell"
    tile_px: Integer = Field(default=1024, ge=64)
    mpp: Number | None = Field(default=None, gt=0, le=1)
    truth: str | None = None
    max_tiles: Annotated[Integer, Field(ge=1)] | None = 32
    trust: Literal["gold", "silver"] = "gold"
