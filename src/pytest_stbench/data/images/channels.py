"""Grey images of one size in a TIFF file: red, green and blue of an H&E where OME says so, else refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.images.codecs import GREY, RGB
from pytest_stbench.data.images.resolution import ome_channels
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.images.tiff_pages import Page

COLOURS = ({"red", "r"}, {"green", "g"}, {"blue", "b"})


def colour_pages(file: Any, first: Any, description: str) -> tuple[Any, ...]:
    """Return the images that are red, green and blue, in this order; nothing where `first` is the image."""
    names = [name.strip().lower() for name in ome_channels(description, first.imagewidth, first.imagelength)]
    colours = [[place for place, name in enumerate(names) if name in own] for own in COLOURS]
    if first.samplesperpixel != 1 or len(names) != 3 or not all(colours):
        return ()
    return tuple(file.pages[first.index + own[0]] for own in colours)


def joined(pages: Sequence[Page], level: int, name: str) -> Page:
    """Return grey images as the planes of one. Raises ``DataError`` with `name` where they are not alike."""
    first = pages[0]
    kinds = {
        (page.width, page.height, page.tile, page.samples, page.compression, page.predictor, page.tables)
        for page in pages
    }
    if len(kinds) > 1 or any(page.photometric != GREY or page.samples != 1 or page.strip for page in pages):
        raise DataError(
            f"{name}: level {level}: red, green and blue are images of different size, tiles or compression, "
            "or each in one long strip: write them into one RGB image"
        )
    return replace(
        first, samples=len(pages), planes=len(pages), photometric=RGB,
        offsets=np.concatenate([page.offsets for page in pages]),
        counts=np.concatenate([page.counts for page in pages]),
    )  # fmt: skip


def refuse_channels(file: Any, first: Any, full: Page, name: str) -> None:
    """Raise ``DataError`` where the second image of the file is as large and as grey as the first."""
    try:
        second = None if full.samples > 1 else file.pages[first.index + 1]
    except IndexError:
        return
    if second is None or second.is_reduced:
        return
    if (second.imagewidth, second.imagelength) == (first.imagewidth, first.imagelength):
        raise DataError(
            f"{name}: several grey images of {full.width} x {full.height} pixels, as of channels; RGB or one "
            "grey image is needed: fluorescence is no H&E image; name the H&E of the slide (of one in three "
            "images the OME has to name its channels red, green and blue)"
        )
