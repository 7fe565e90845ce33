"""Encoded images: decoding to RGB, the bytes of an image without what is not pixels, arrays used last."""

from __future__ import annotations

import io
import re
import struct
import threading
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from pytest_stbench.data.untrusted import refuse_hollow
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from numpy.typing import NDArray

_EIGHT_BIT = frozenset(
    {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "La", "CMYK", "YCbCr", "LAB", "HSV"}
)
_TRANSPARENT = frozenset({"LA", "PA", "RGBA", "RGBa", "La"})
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
ROWS = 256
"""Rows of an image that are converted at a time."""

_PILLOW_LIMIT = threading.RLock()
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def size_of(path: Path, name: str | None = None) -> tuple[int, int]:
    """Return (height, width) from the header of an image file.

    Raises ``DataError`` with `name`, else the path, when it is no image, or holds more than 8 bits a
    channel.
    """
    with _opened(path, name or str(path)) as image:
        return image.height, image.width


def decode(source: Path | bytes, name: str) -> NDArray[np.uint8]:
    """Return the pixels of an image as (H, W, 3) uint8 RGB.

    Grey images become three equal channels, transparent parts become white. The orientation a
    camera notes beside the pixels is not applied: coordinates belong to the pixels as stored.
    Raises ``DataError`` with `name` when the image is damaged or holds more than 8 bits a channel.
    """
    with _opened(source, name) as image:
        return _in_rgb(image)


@contextmanager
def picture_of(source: Path | bytes, name: str) -> Iterator[PIL.Image.Image]:
    """Decode an image as :func:`decode`, for Pillow: of an RGB file no second copy is made."""
    with _opened(source, name) as image:
        image.load()
        plain = image.mode == "RGB" and "transparency" not in image.info
        yield image if plain else PIL.Image.fromarray(_in_rgb(image))


def _in_rgb(image: PIL.Image.Image) -> NDArray[np.uint8]:
    transparent = image.mode in _TRANSPARENT or "transparency" in image.info
    image.load()
    found = np.empty((image.height, image.width, 3), dtype=np.uint8)
    # Conversion and numpy would each make a copy of the whole image.
    for top in range(0, image.height, ROWS):
        part = image.crop((0, top, image.width, min(top + ROWS, image.height)))
        found[top : top + ROWS] = (
            on_white(part.convert("RGBA")) if transparent else np.asarray(part.convert("RGB"))
        )
    return found


def on_white(colours: PIL.Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an image of mode RGBA as (H, W, 3); transparent parts become white."""
    canvas = PIL.Image.new("RGBA", colours.size, (255, 255, 255, 255))
    return np.array(PIL.Image.alpha_composite(canvas, colours).convert("RGB"))


def pixels_only(path: Path) -> bytes | None:
    """Return a JPEG or PNG file without comments, camera data or anything else beside its pixels.

    Such additions can name the file, the slide or its diagnosis. None for other formats and for
    files that do not follow theirs.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the image cannot be read ({error.strerror or error})") from error
    try:
        if data.startswith(b"\xff\xd8"):
            return _bare_jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _bare_png(data)
    except (IndexError, ValueError, struct.error):
        pass
    return None


@contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[PIL.Image.Image]:
    stream = source if isinstance(source, Path) else io.BytesIO(source)
    # Slides are larger than what Pillow takes for an attack; the limit is global to Pillow.
    with _PILLOW_LIMIT:
        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            with PIL.Image.open(stream) as image:
                held = source.stat().st_size if isinstance(source, Path) else len(source)
                whole = image.width * image.height * len(image.getbands())
                refuse_hollow(Path(name), f"the image of {image.width} x {image.height} pixels", whole, held)
                if image.mode not in _EIGHT_BIT:
                    message = f"{name}: image of mode {image.mode}; 8 bits a channel are needed (RGB or grey)"
                    raise DataError(message)
                yield image
        except _DECODING_ERRORS as error:
            message = f"{name}: the image cannot be decoded (truncated, damaged or not an image): {error}"
            raise DataError(message) from error
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


def _bare_jpeg(data: bytes) -> bytes:
    kept, at = [data[:2]], 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            kept.append(data[at : at + 2])
            return b"".join(kept)
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            following = _NEXT_MARKER.search(data, end)
            if following is None:
                break
            end = following.start()
        # APP0 (JFIF) and APP14 (Adobe) say how colours are stored, the others are descriptions.
        if not (marker == 0xFE or 0xE1 <= marker <= 0xED or marker == 0xEF):
            kept.append(data[at:end])
        at = end
    raise ValueError("no end of image")


def _bare_png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        # An upper-case first letter marks the chunks that are needed to decode.
        if kind[:1].isupper() or kind == b"tRNS":
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end


class RecentArrays:
    """Keeps read-only arrays by key, those used last, up to `budget` bytes and two at the least."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._arrays: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of `key`, made if it is not among the recent ones."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        made = make().view()
        made.setflags(write=False)
        with self._lock:
            self._arrays[key] = made
            # The array in use and what is made of it stay, however large they are.
            while len(self._arrays) > 2 and sum(a.nbytes for a in self._arrays.values()) > self._budget:
                self._arrays.popitem(last=False)
        return made
