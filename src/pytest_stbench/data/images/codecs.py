"""Decoding of one tile of a TIFF file: to (h, w, samples) uint8, nothing beyond its declared size."""

from __future__ import annotations

import threading
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

RAW, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 7, 8, 32946, 32773
LZMA, ZSTD, JPEG2000, APERIO_RGB = 34925, 50000, 34712, 33005
PLAIN = frozenset({RAW, JPEG, DEFLATE, OLD_DEFLATE})
"""Compressions that need no extra."""

PREDICTED = frozenset({LZW, DEFLATE, OLD_DEFLATE, LZMA, ZSTD})
"""Compressions before which differences may be taken: with others the tag says nothing."""

OF_EXTRA = {
    LZW: "lzw_decode", PACKBITS: "packbits_decode", LZMA: "lzma_decode", ZSTD: "zstd_decode",
    JPEG2000: "jpeg2k_decode", APERIO_RGB: "jpeg2k_decode",
}  # fmt: skip
"""Functions of imagecodecs by the number of the compression in the file."""

NAMES = {5: "LZW", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 50000: "zstd", 34925: "LZMA"}
GREY_INVERTED, GREY, RGB, YCBCR = 0, 1, 2, 6
"""Photometric interpretations."""

_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


class TileError(Exception):
    """Why a tile cannot be decoded."""


def decodable(compression: int) -> bool:
    """Tell whether tiles of a compression can be decoded here."""
    if compression in PLAIN:
        return True
    if compression not in OF_EXTRA:
        return False
    try:
        import imagecodecs
    except ImportError:
        return False
    return getattr(imagecodecs, OF_EXTRA[compression].removesuffix("_decode").upper()).available is True


def decode_tile(
    data: bytes,
    shape: tuple[int, int, int],
    *,
    compression: int,
    photometric: int,
    tables: bytes,
    predictor: int,
) -> NDArray[np.uint8]:
    """Return the pixels of a tile, `shape` = (h, w, samples) uint8; JPEG is converted to RGB.

    Parameters
    ----------
    data
        Its bytes in the file.
    compression, photometric, predictor
        Numbers of the file: how bytes are packed, what samples mean, 2 where differences are stored.
    tables
        JPEG tables that all tiles of the file share, or nothing.

    Raises
    ------
    TileError
        The bytes are damaged, or those of a tile of another size.
    """
    if compression == JPEG:
        return _jpeg(data, shape, photometric, tables)
    size = shape[0] * shape[1] * shape[2]
    found = _unpacked(data, compression, size)
    if found.size < size:
        raise TileError(f"it holds {found.size:,} of {size:,} bytes")
    pixels = found[:size].reshape(shape)
    return np.cumsum(pixels, axis=1, dtype=np.uint8) if predictor == 2 else pixels


def _unpacked(data: bytes, compression: int, size: int) -> NDArray[np.uint8]:
    if compression == RAW:
        return np.frombuffer(data, dtype=np.uint8)
    if compression in (DEFLATE, OLD_DEFLATE):
        try:
            state = zlib.decompressobj()
            inflated = state.decompress(data, size)
            state.decompress(state.unconsumed_tail, size)  # the sum of all bytes stands at the end
            return np.frombuffer(inflated, dtype=np.uint8)
        except zlib.error as error:
            found = str(error)
        raise TileError(found)
    import imagecodecs

    function = getattr(imagecodecs, OF_EXTRA[compression])
    whole = compression in (JPEG2000, APERIO_RGB)
    try:
        decoded = function(data) if whole else function(data, out=size)
    except Exception as error:  # noqa: BLE001  # each codec has an error of its own
        found = str(error) or type(error).__name__
    else:
        pixels = np.asarray(decoded) if whole else np.frombuffer(decoded, dtype=np.uint8)
        if pixels.dtype == np.uint8 and (not whole or pixels.size == size):
            return pixels.reshape(-1)
        found = f"it is {pixels.dtype} of shape {pixels.shape}"
    raise TileError(found)


def _jpeg(data: bytes, shape: tuple[int, int, int], photometric: int, tables: bytes) -> NDArray[np.uint8]:
    height, width, samples = shape
    if _frame(data) != (8, height, width, samples):
        raise TileError(f"it is no JPEG of {width} x {height} pixels and {samples} channels")
    # Tables end with "end of image", tiles begin with "start of image": one stream without the two.
    stream = tables[:-2] + data[2:] if tables else data
    space = "L" if samples == 1 else "YCbCr" if photometric == YCBCR else "RGB"
    if data[6:10] == b"JFIF" and samples > 1:
        space = ""  # some writers say RGB and store whole files, which say themselves what they hold
    pixels = _by_extra(stream, samples, space)
    if pixels is not None and pixels.size == height * width * samples:
        return pixels.reshape(shape)
    mode, raw = ("L", "L") if samples == 1 else ("RGB", _raw_colours())
    try:
        # The decoder alone, into memory that is there: opening a file of it would take half as long again.
        image = _canvas(mode, width, height)
        image.frombytes(stream, "jpeg", raw, space)
        return np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(shape)
    except (ValueError, OSError, SyntaxError) as error:
        found = str(error)
    raise TileError(found)


def _by_extra(stream: bytes, samples: int, space: str) -> NDArray[np.uint8] | None:
    """Return the pixels by imagecodecs, which copies less; None where it is not here, or will not.

    It shows grey where a stream ends too early; Pillow says so.
    """
    decode, error = _extra_jpeg()
    if decode is None or stream[-64:].rstrip(b"\0")[-2:] != b"\xff\xd9":
        return None
    stored = {"L": "GRAYSCALE", "": None}.get(space, space.upper())
    try:
        found: NDArray[np.uint8] = decode(
            stream, colorspace=stored, outcolorspace="GRAYSCALE" if samples == 1 else "RGB"
        )
    except error:
        return None  # told by Pillow, whose words do not change with what is installed
    return found


@cache
def _extra_jpeg() -> tuple[Any, type[Exception]]:
    """Return the decoder of imagecodecs and its error, where it is installed with one."""
    try:
        import imagecodecs
    except ImportError:
        return None, Exception
    kind = imagecodecs.JPEG8
    return (imagecodecs.jpeg8_decode if kind.available is True else None), imagecodecs.Jpeg8Error


_OWN = threading.local()


def _canvas(mode: str, width: int, height: int) -> Picture:
    """Return an image of this thread to decode into."""
    from PIL import Image

    found: Picture | None = getattr(_OWN, "canvas", None)
    if found is None or found.mode != mode or found.size != (width, height):
        found = _OWN.canvas = Image.new(mode, (width, height))
    return found


@cache
def _raw_colours() -> str:
    """Return how the decoder hands over pixels: with a fourth byte, as Pillow keeps them, is faster."""
    from PIL import features

    return "RGBX" if features.check_feature("libjpeg_turbo") else "RGB"


def _frame(stream: bytes) -> tuple[int, int, int, int] | None:
    """Return bits, height, width and channels that a JPEG declares; None where it declares nothing."""
    at = 2
    while at + 10 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _START_OF_FRAME:
            size = (int.from_bytes(stream[at + k : at + k + 2], "big") for k in (5, 7))
            return stream[at + 4], *size, stream[at + 9]  # type: ignore[return-value]  # of two
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return None
