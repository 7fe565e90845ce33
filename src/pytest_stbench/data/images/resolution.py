"""Um per pixel that a file says, and what the task file says against it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AGREE = 0.05
"""Relative difference above which two sizes of a pixel contradict each other."""

STRETCH = 0.02
"""So much longer may one side of a pixel be: models see square ones."""

OF_TAGS_UM = (0.05, 5.0)
"""Sides of a pixel that resolution tags say: others are those of a screen or a printer (72, 300 dpi)."""

UNIT_UM = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6,
    "Å": 1e-4, "in": 25_400.0,
}  # fmt: skip
TAG_UM = {2: 25_400.0, 3: 10_000.0}
OME, TAGS, APERIO, IMAGEJ = "OME PhysicalSizeX", "TIFF resolution tags", "MPP of Aperio", "ImageJ"
_MPP = re.compile(r"\bMPP\s*=\s*([0-9.]+(?:[eE][-+]?[0-9]+)?)")
_OME = re.compile(r"<(?:\w+:)?OME\b")
_PER_MICRON = re.compile(r"\bunit=(?:micron|um|\\u00B5m|µm)\b")


def ome_pixels(description: str, width: int, height: int) -> Mapping[str, str]:
    """Return the attributes of the OME image of this size (else the first); nothing where there is none."""
    return {} if (found := _ome_image(description, width, height)) is None else found.attrib


def ome_channels(description: str, width: int, height: int) -> list[str]:
    """Return the names of the channels of that image; nothing unless they lie in the file in their order."""
    image = _ome_image(description, width, height)
    if image is None or any(image.get(size, "1") != "1" for size in ("SizeZ", "SizeT")):
        return []
    kinds = [(node.tag.rpartition("}")[2], node) for node in image]
    names = [node.get("Name", "") for kind, node in kinds if kind == "Channel"]
    moved = any(node.get("IFD", "0") != node.get("FirstC", "0") for kind, node in kinds if kind == "TiffData")
    return [] if moved else names


def _ome_image(description: str, width: int, height: int) -> ET.Element | None:
    text = description.lstrip("\ufeff \r\n")
    if not text.startswith("<") or not _OME.search(text[:4096]) or "<!" in text.replace("<!--", ""):
        return None  # entities may fill the memory, and OME has none
    try:
        root = ET.fromstring(text)  # without entities
    except ET.ParseError:
        return None
    found = [node for node in root.iter() if node.tag.rpartition("}")[2] == "Pixels"]
    own = [node for node in found if (node.get("SizeX"), node.get("SizeY")) == (str(width), str(height))]
    return next(iter(own or found), None)


def channels_declared(attributes: Mapping[str, str], samples: int, name: str) -> None:
    """Raise ``DataError`` where the description of the file declares more channels than an image holds."""
    text = attributes.get("SizeC", "1")
    if text.isdecimal() and int(text) > samples:
        raise DataError(
            f"{name}: image of {text} channels, each by itself; RGB or grey is needed: fluorescence is no "
            "H&E image; name the H&E of the slide, or write its channels into one RGB image"
        )


def stated(
    description: str, pixels: Mapping[str, str], resolution: tuple[float, float, int] | None, name: str
) -> dict[str, float]:
    """Return um per pixel of level 0 by what says it, most telling first.

    Parameters
    ----------
    description
        Text of the first image of the file.
    pixels
        From :func:`ome_pixels`.
    resolution
        Pixels per unit along x and y and the unit's number, from the tags.

    Raises
    ------
    DataError
        With `name`: pixels are not square.
    """
    found: dict[str, float] = {}
    for what, x, y in _said(description, pixels, resolution):
        if not (math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0):
            continue
        if max(x, y) > (1 + STRETCH) * min(x, y):
            raise DataError(
                f"{name}: pixels are {x:.4g} by {y:.4g} um ({what}); models see square pixels: resample it"
            )
        found[what] = math.sqrt(x * y)
    return found


def _said(
    description: str, pixels: Mapping[str, str], resolution: tuple[float, float, int] | None
) -> Iterator[tuple[str, float, float]]:
    x = _number(pixels.get("PhysicalSizeX")) * UNIT_UM.get(pixels.get("PhysicalSizeXUnit", "µm"), math.nan)
    y = _number(pixels.get("PhysicalSizeY")) * UNIT_UM.get(pixels.get("PhysicalSizeYUnit", "µm"), math.nan)
    yield OME, x, x if math.isnan(y) else y
    mpp = _MPP.search(description) if "Aperio" in description[:200] else None
    if mpp is not None:
        yield APERIO, _number(mpp[1]), _number(mpp[1])
    if resolution is None or min(resolution[:2]) <= 0:
        return
    if description.startswith("ImageJ") and _PER_MICRON.search(description):
        yield IMAGEJ, 1 / resolution[0], 1 / resolution[1]
    elif resolution[2] in TAG_UM:
        sides = [TAG_UM[resolution[2]] / per_unit for per_unit in resolution[:2]]
        if all(OF_TAGS_UM[0] <= side <= OF_TAGS_UM[1] for side in sides):
            yield TAGS, sides[0], sides[1]


def settled(
    statements: Mapping[str, float], declared: float | None, name: str, *, key: str = "image.um_per_px"
) -> float:
    """Return um per pixel of an image: as declared by `key` (else None), and not against its file.

    Raises
    ------
    DataError
        With `name`: what is declared is more than 5 % from all that the file says, nothing says it, or
        two statements of the file contradict each other and nothing is declared.
    """
    said = ", ".join(f"{value:.4g} um ({what})" for what, value in statements.items())
    if declared is not None:
        if statements and not any(_agree(declared, value) for value in statements.values()):
            raise DataError(
                f"{name}: {key} says that a pixel is {declared:.4g} um, the file says {said}: correct the "
                "wrong one, or name the image whose pixels are meant"
            )
        return declared
    if not statements:
        raise DataError(
            f"{name}: the file does not say the size of its pixels: write `um_per_px` of the image in um"
        )
    first = next(iter(statements.values()))
    if not all(_agree(first, value) for value in statements.values()):
        raise DataError(
            f"{name}: the file says two sizes of its pixels, {said}: write the right one as `um_per_px`"
        )
    return first


def _agree(one: float, other: float) -> bool:
    return abs(one / other - 1) <= AGREE


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan
