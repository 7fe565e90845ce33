"""B04: what the place of a unit on its slide predicts."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from pytest_stbench.baselines.families import READ_OUT
from pytest_stbench.baselines.linear import LinearBaseline
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide
    from pytest_stbench.kernels.ridge import GroupedGram

PENALTY = 1.0


@baseline("B04", kind="model", families=READ_OUT, memory="O(1)")
class Coords(LinearBaseline):
    """Ridge on the place of a unit on its slide: how much of the score is centre and rim.

    Ridge on 14 features of position: x, y, radius, distance to the rim, and their products.

    The penalty is 1 on the Gram matrix of the standardised features; nothing is tuned.
    """

    name = "coords"

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {"penalty": PENALTY}

    def recipe(self) -> Hashable:
        """Return what, beside a slide, decides the features: nothing."""
        return ()

    def features(self, slide: ModelSlide) -> NDArray[np.float64]:
        """Return the position features of a slide, (n, 14)."""
        return position_features(np.asarray(slide.units.obsm["spatial"], dtype=np.float64))

    def penalties(self, gram: GroupedGram) -> NDArray[np.float64]:  # noqa: ARG002  # fixed, whatever the data
        """Return the one penalty."""
        return np.array([PENALTY])


def position_features(xy_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 14 features of the units' places on their slide, (n, 14).

    x and y from the mean of the units, divided by the root mean squared radius; the radius; the
    distance to the convex hull of the units on the same scale; then the ten products of these
    four (xx, xy, xr, xd, yy, yr, yd, rr, rd, dd). Units at one place, or on a line, have distance
    0 to their hull.
    """
    centred = xy_um - xy_um.mean(axis=0) if len(xy_um) else xy_um
    scale = np.sqrt((centred**2).sum(axis=1).mean()) if len(xy_um) else 0.0
    xy = centred / (scale if scale > 0 else 1.0)
    radius = np.hypot(xy[:, 0], xy[:, 1])
    first = np.column_stack([xy, radius, _hull_distance(xy)])
    products = [first[:, i] * first[:, j] for i, j in combinations_with_replacement(range(4), 2)]
    return np.column_stack([first, *products])


def _hull_distance(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each unit to the nearest edge of the convex hull of all."""
    if len(xy) < 3:
        return np.zeros(len(xy))
    try:
        edges = ConvexHull(xy).equations
    except QhullError:
        return np.zeros(len(xy))
    inside = np.full(len(xy), np.inf)
    for a, b, offset in edges:
        np.minimum(inside, -(xy[:, 0] * a + xy[:, 1] * b + offset), out=inside)
    return np.asarray(np.maximum(inside, 0.0))
