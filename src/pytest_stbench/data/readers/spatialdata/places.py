"""Where the instances of an element lie: shapes, labels or points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.readers.spatialdata.images import level_of
from pytest_stbench.data.readers.spatialdata.labels import Labels
from pytest_stbench.data.readers.spatialdata.points import places_of_points
from pytest_stbench.data.readers.spatialdata.shapes import read_shapes
from pytest_stbench.data.readers.spatialdata.store import kind_of
from pytest_stbench.data.readers.spatialdata.transforms import transformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]


def instances_of(store: Store, frame: Frame, element: str) -> tuple[NDArray[np.str_], Floats]:
    """Return names and places of all instances of an element, in units of the coordinate system."""
    if kind_of(element) == "labels":
        return Labels(store, frame, element, "cell", dict).raw_centroids()
    names, xy = _listed(store, element)
    return names, transformed(frame.raw(element), xy)


def extent_of(store: Store, frame: Frame, element: str) -> Floats:
    """Return the box (x0, y0, x1, y1) of an element in units of the coordinate system, (4,).

    Of labels it is that of the image. Raises ``DataError`` where the element is not in the system.
    """
    if kind_of(element) == "labels":
        array, matrix = level_of(store, element)
        height, width = array.shape[-2:]
        corners = transformed(matrix, np.array([(0, 0), (width, 0), (0, height), (width, height)], float))
    else:
        corners = _listed(store, element)[1]
    xy = transformed(frame.raw(element), corners)
    return np.concatenate([np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)])


def _listed(store: Store, element: str) -> tuple[NDArray[np.str_], Floats]:
    """Return names and places of shapes or points, in units of the file."""
    if kind_of(element) == "points":
        return places_of_points(store, element)
    found = read_shapes(store, element)
    return found.names, found.centres()
