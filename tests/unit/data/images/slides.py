"""Whole-slide images as scanners and libraries write them, made here: the tests know every pixel."""

from __future__ import annotations

import functools
import io
import struct

import numpy as np
import tifffile
from PIL import Image, ImageDraw, ImageFilter

from pytest_stbench.data.images.whole import resample

RAW, JPEG, DEFLATE = 1, 7, 8


@functools.cache
def drawn(height, width, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    pink = np.array([225, 150, 190]) + 12 * np.sin(x / 19)[..., None] + 10 * np.cos(y / 23)[..., None]
    picture = Image.fromarray((pink + rng.normal(0, 4, (height, width, 3))).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for cy, cx, radius in rng.uniform((0, 0, 9), (height, width, 18), (height * width // 3000, 3)).tolist():
        draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=(95, 60, 140))
    # As sharp as a microscope shows it.
    found = np.array(picture.filter(ImageFilter.GaussianBlur(1.2)))
    found[:, : width // 12] = 244
    return found


def tissue(height=300, width=420, seed=0):
    """Pink tissue with purple nuclei and grain, beside white glass."""
    return drawn(height, width, seed).copy()


def encoded(tile, compression, **options):
    """A tile of a file: (h, w, samples)."""
    if compression == JPEG:
        buffer = io.BytesIO()
        Image.fromarray(tile.squeeze()).save(buffer, "JPEG", **{"quality": 85, **options})
        return buffer.getvalue()
    return tile.tobytes()


def tiles_of(pixels, side, missing=()):
    """Yield the tiles of an image row by row, padded as files have them; None for those left out."""
    height, width = pixels.shape[:2]
    for row, top in enumerate(range(0, height, side)):
        for column, left in enumerate(range(0, width, side)):
            part = pixels[top : top + side, left : left + side]
            pad = [(0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0)]
            yield None if (row, column) in missing else np.pad(part, pad, mode="edge")


def levels_of(pixels, n):
    return [pixels if pixels.shape[2] == 1 or not k else resample(pixels, 2.0**k) for k in range(n)]


def write_pyramid(
    path, pixels, *, levels=3, side=64, compression=DEFLATE, below=False, ome=None, um=None, missing=(),
    smaller=None, quality=85, subsampling=2, **options,
):  # fmt: skip
    """Write a pyramid in tiles; smaller levels `below` the first image (SubIFDs) or after it.

    `um` goes to the resolution tags, `ome` are attributes of OME pixels, `smaller` other levels.
    """
    found = [pixels, *smaller] if smaller is not None else levels_of(pixels, levels)
    samples = pixels.shape[2]
    photometric = options.pop("photometric", "minisblack" if samples == 1 else "rgb")
    jpeg = {"quality": quality, "subsampling": subsampling} if samples == 3 else {"quality": quality}
    with tifffile.TiffWriter(
        path, bigtiff=options.pop("bigtiff", False), byteorder=options.pop("order", "<")
    ) as file:
        for number, level in enumerate(found):
            height, width = level.shape[:2]
            tiles = tiles_of(level, side, missing if not number else ())
            data = tiles
            if compression == JPEG:
                data = (None if tile is None else encoded(tile, JPEG, **jpeg) for tile in tiles)
            extra = {"description": described(ome, pixels).encode()} if ome is not None and not number else {}
            if um is not None:
                per_cm = 1e4 / (um * pixels.shape[1] / width)
                extra |= {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
            if number:
                extra["subfiletype"] = 1
            elif below:
                extra["subifds"] = len(found) - 1
            file.write(
                data, shape=(height, width, samples) if samples > 1 else (height, width), dtype=np.uint8,
                tile=(side, side), compression=DEFLATE if compression == JPEG else compression,
                photometric=photometric, metadata=None, **extra, **options,
            )  # fmt: skip
    return called_jpeg(path, len(found), grey=samples == 1) if compression == JPEG else path


def called_jpeg(path, pages=1, *, grey=False):
    """Say that the tiles of a file, written as they are, are JPEG: its writer wants a package for that."""
    for page in range(pages):
        set_value(path, 259, JPEG, page=page)
        if not grey:
            set_value(path, 262, 6, page=page)
    return path


def described(attributes, pixels):
    """OME-XML of one image."""
    own = {"SizeX": pixels.shape[1], "SizeY": pixels.shape[0], "SizeC": pixels.shape[2], **attributes}
    text = " ".join(f'{name}="{value}"' for name, value in own.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint8" SizeZ="1" SizeT="1" {text}/></Image></OME>'
    )


def tag_values(path, code, page=0):
    """Where the values of a tag lie in the file, and what they are."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages[page].tags[code]
        return tag.valueoffset, tag.value


def set_value(path, code, value, page=0, place=0):
    """Write another value of a tag, of its own type."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages[page].tags[code]
        kind = file.byteorder + {3: "H", 4: "I", 16: "Q"}[tag.dtype]
    patch_bytes(path, tag.valueoffset + place * struct.calcsize(kind), struct.pack(kind, value))


def damage(path, compression, level, tile):
    """Make a tile of a level one that cannot be decoded."""
    offsets, counts = tag_values(path, 324, level)[1], tag_values(path, 325, level)[1]
    if compression == RAW:
        set_value(path, 325, 100, page=level, place=tile)
    else:
        patch_bytes(path, offsets[tile], b"\0" * (counts[tile] // 2))


def patch_bytes(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
