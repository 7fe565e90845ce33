"""Images of a store: the levels of pyramids, and H&E among them."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers.imaging.pictures import MAX_STRETCH, XENIUM_PIXEL_UM, side_of
from pytest_stbench.data.readers.spatialdata.store import last, readable
from pytest_stbench.data.readers.spatialdata.transforms import inverse, matrix_of
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]

MORPHOLOGY = ("morphology", "cell_labels", "nucleus_labels")
"""How elements begin whose pixels are those of Xenium's morphology image, the image itself first."""

COLOURS = (["r", "g", "b"], ["r", "g", "b", "a"])
WANTED_UM = 0.5
"""Patches are asked for at this many um per pixel by default: finer levels of an image are not read."""


def level_of(store: Store, element: str, largest: float = 0.0) -> tuple[Any, Floats]:
    """Return one level of a pyramid and the map (3, 3) of its pixels (x, y) to those of the element.

    The coarsest whose pixels are not larger than `largest` pixels of the element, else the finest.
    """
    group = store.group(element)
    with readable(store.path / element):
        scales = store.attributes(element)["multiscales"][0]
        axes = [axis["name"] for axis in scales["axes"]]
        found = []
        for level in scales["datasets"]:
            matrix = np.eye(3)
            for transformation in reversed(level.get("coordinateTransformations", ())):
                matrix = matrix @ matrix_of(transformation, axes)
            found.append((level["path"], matrix))
        fine = [entry for entry in found if side_of(entry[1]) <= largest * (1 + 1e-6)]
        path, matrix = max(fine or found[:1], key=lambda entry: side_of(entry[1]))
        return group[path], matrix


def morphology_um(store: Store, frame: Frame) -> float:
    """Return the side in um of a pixel of Xenium's morphology image.

    It is told by the transformations of the image, else of the label images that lie on it; else it is
    the unit of the coordinate system, which counts these pixels. Of a system that is in um, and of no
    image, nothing is told: it is the usual size.
    """
    for name in MORPHOLOGY:
        for element in store.elements("images", "labels"):
            if last(element).startswith(name) and frame.has(element):
                return side_of(frame.to_um(element) @ level_of(store, element)[1])
    return XENIUM_PIXEL_UM if math.isclose(frame.um, 1) else frame.um


def is_rgb(store: Store, element: str) -> bool:
    """Tell whether an image says of itself that its channels are r, g and b."""
    return channels_of(store, element) in COLOURS


def channels_of(store: Store, element: str) -> list[str]:
    """Return the names of the channels of an image, in lower case; those of format 0.1 too."""
    attributes = store.attributes(element)
    said: Mapping[str, Any] = attributes.get("omero") or attributes.get("channels_metadata") or {}
    return [str(channel.get("label")).casefold() for channel in said.get("channels", ())]


def pixel_um(store: Store, frame: Frame, element: str) -> float:
    """Return um per pixel of the finest level of an image."""
    return side_of(frame.to_um(element) @ level_of(store, element)[1])


def open_image(store: Store, frame: Frame, element: str) -> tuple[Image, Floats]:
    """Return an image and the map (3, 3) from um to its pixels; its header alone is read.

    Raises ``DataError`` where it is not (3, y, x) uint8 (or r, g, b and alpha), or stretched more
    along one axis.
    """
    to_um = frame.to_um(element)
    array, own = level_of(store, element, WANTED_UM / side_of(to_um))
    matrix, where = to_um @ own, store.path / element
    shape = tuple(array.shape)
    if len(shape) != 3 or shape[0] not in (3, 4) or array.dtype != np.uint8:
        raise DataError(
            f"{where}: an H&E image is (3, y, x) uint8, found {array.dtype} of shape {shape}; name another "
            "by `params: {image: NAME}`"
        )
    if shape[0] == 4 and not is_rgb(store, element):
        raise DataError(
            f"{where}: four channels, {', '.join(channels_of(store, element))}, are no H&E image of r, g and "
            "b; name another by `params: {image: NAME}`"
        )
    long, short = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if long > MAX_STRETCH * short:
        raise DataError(
            f"{where}: its pixels are {long:.4g} by {short:.4g} um; models see square pixels: resample the "
            "image, or register it by rotation, shift and one scale"
        )
    image = Image(partial(_pixels, array, where), mpp=side_of(matrix))
    return image, inverse(matrix)


def _pixels(array: Any, where: Path) -> NDArray[np.uint8]:
    """Return the pixels as (H, W, 3); transparent parts become white."""
    with readable(where):
        found = np.moveaxis(np.asarray(array[...]), 0, -1)
    if found.shape[-1] == 3:
        return np.ascontiguousarray(found)
    import PIL.Image

    colours = PIL.Image.fromarray(np.ascontiguousarray(found))
    canvas = PIL.Image.new("RGBA", colours.size, (255, 255, 255, 255))
    return np.array(PIL.Image.alpha_composite(canvas, colours).convert("RGB"))
