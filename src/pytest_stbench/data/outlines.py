"""A window of a slide with the outlines of its cells or nuclei, small enough for a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

SIDE = 360
"""Pixels of the longer side."""
ACROSS = 22
"""Median distances between neighbouring units that a window spans."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """Outlines in a window: ``labels`` (H, W) are 0 outside of them.

    ``owners`` names the cell of label 1, 2 ..., empty for none. The window begins at ``corner_um`` (x, y).
    """

    name: str
    kind: str
    labels: NDArray[np.uint16]
    owners: NDArray[np.str_]
    corner_um: tuple[float, float]
    um_per_px: float


def outlines_of(slide: Slide) -> list[Outlines]:
    """Return a window on each segmentation of a slide, where most units lie; empty ones are left out.

    Raises
    ------
    DataError
        Where outlines cannot be read.
    """
    from scipy.spatial import KDTree

    places = slide.xy_um[np.isfinite(slide.xy_um).all(axis=1)]
    if not slide.segmentations or len(places) < 2:
        return []
    tree = KDTree(places)
    spacing = float(np.median(tree.query(places, k=2)[0][:, 1]))
    if not spacing > 0:
        return []
    low, high = places.min(axis=0) - spacing, places.max(axis=0) + spacing
    width, height = np.minimum(ACROSS * spacing, high - low).tolist()
    side = max(width, height)
    tried = places[:: max(1, len(places) // 500)]
    crowd = tree.query_ball_point(tried, side / 2, p=np.inf, return_length=True)
    half = np.array([width, height]) / 2
    x, y = (np.clip(tried[int(np.argmax(crowd))], low + half, high - half) - half).tolist()
    found = []
    for name, own in slide.segmentations.items():
        labels = own.labels(side / SIDE, (x, y, x + width, y + height))
        there, small = np.unique(labels, return_inverse=True)
        small = small.reshape(labels.shape) + (there[0] != 0)
        if there.any():
            owners = own.owners[there[there > 0] - 1]
            found.append(
                Outlines(
                    name=name, kind=own.kind, labels=small.astype(np.uint16), owners=owners.astype(np.str_),
                    corner_um=(x, y), um_per_px=side / SIDE,
                )
            )  # fmt: skip
    return found
