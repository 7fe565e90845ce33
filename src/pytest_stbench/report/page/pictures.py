"""Pictures small enough to stand inside a page: maps of units, matrices, tissue."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.region import Outlines

    Floats = NDArray[np.float64]

MOST_BYTES = 25_000
SIDE = 380
"""Pixels of the longer side; the page shows a map at about half of that."""
MANY = 20_000
"""Units above which the mean of tiles is drawn in their place."""
TILES = 130
STEPS = 62
"""Colours of a map: as many as can be told apart, few enough to be small."""
WHITE, GREY, BLACK = STEPS, STEPS + 1, STEPS + 2
"""Places in the palette of the paper, of units without a value, and of the scale bar."""
AMOUNT, CHANGE = "viridis", "PuOr_r"
"""Colours of an amount and of a difference; both are told apart by people who see fewer colours."""
FOOT = 12
"""Rows of pixels below the units, for the scale bar."""
BARS_UM = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the page holds it: its bytes as an address, and what it shows in words."""

    address: str
    said: str

    @property
    def size(self) -> int:
        """Bytes of the picture itself."""
        return len(base64.b64decode(self.address.partition(",")[2]))


class Slide:
    """Draws maps of one slide; places are in um, shape (units, 2)."""

    def __init__(self, places: Floats) -> None:
        from scipy.spatial import KDTree

        self._finite = np.isfinite(places).all(axis=1)
        self._tile, shown = _tiles(places[self._finite])
        spacing = _spacing(shown)
        low = shown.min(axis=0) - 0.6 * spacing
        extent = shown.max(axis=0) + 0.6 * spacing - low
        scale = SIDE / float(extent.max())
        width, height = np.maximum(np.ceil(extent * scale), 8).astype(int).tolist()
        height += FOOT
        rows, columns = np.mgrid[:height, :width] + 0.5
        # y grows downwards, as in images.
        pixels = np.column_stack((columns.ravel(), rows.ravel())) / scale + low
        norm, radius = (np.inf, 0.51) if self._tile is not None else (2, 0.5)
        reach = max(radius * spacing, 1.3 / scale)
        _, nearest = KDTree(shown).query(pixels, p=norm, distance_upper_bound=reach)
        self._unit = nearest.reshape(height, width)
        self._n = len(shown)
        um = max((length for length in BARS_UM if length <= 0.35 * extent[0]), default=BARS_UM[0])
        self.bar = f"the bar is {um:,} um"
        self._bar = (slice(height - 7, height - 3), slice(6, 6 + max(1, round(um * scale))))

    def map(self, values: Floats, low: float, high: float, said: str, colours: str = AMOUNT) -> Picture:
        """Return a map of one value a unit, in colours between `low` and `high`."""
        shown = values[self._finite]
        if self._tile is not None:
            known = np.isfinite(shown)
            count = np.bincount(self._tile[known], minlength=self._n)
            total = np.bincount(self._tile[known], shown[known], minlength=self._n)
            shown = np.divide(total, count, out=np.full(self._n, np.nan), where=count > 0)
        share = (shown - low) / (high - low) if high > low else np.zeros(self._n)
        level = np.clip(np.nan_to_num(share) * STEPS, 0, STEPS - 1).astype(np.uint8)
        pixels = np.append(np.where(np.isfinite(shown), level, GREY), WHITE).astype(np.uint8)[self._unit]
        pixels[self._bar] = BLACK
        return Picture(_png(pixels, colours), said)


def matrix(values: Floats, said: str) -> Picture:
    """Return a square matrix of correlations, -1 to 1, as a picture."""
    level = np.clip((np.nan_to_num(values) + 1) / 2 * STEPS, 0, STEPS - 1).astype(np.uint8)
    times = max(1, round(SIDE / len(values)))
    return Picture(_png(level.repeat(times, axis=0).repeat(times, axis=1), CHANGE), said)


def grid(counts: Floats, most: float, said: str) -> Picture:
    """Return counts of square tiles, 0 to `most`, as a picture; tiles without a count stay white."""
    level = np.clip(np.nan_to_num(counts) / (most or 1.0) * STEPS, 0, STEPS - 1)
    pixels = np.where(np.isfinite(counts) & (counts > 0), level, WHITE).astype(np.uint8)
    times = max(1, round(SIDE / max(counts.shape)))
    return Picture(_png(pixels.repeat(times, axis=0).repeat(times, axis=1), AMOUNT), said)


def outlined(
    seen: Outlines, units: NDArray[np.str_], values: Floats, places: Floats, said: str
) -> tuple[Picture, str]:
    """Return cells of a window in the colours of `values` of their units, outlined, and its bar in words.

    Cells that are no unit are grey; a dot marks the place of each unit, (units, 2) in um.
    """
    labels = seen.labels.astype(np.intp)
    known = dict(zip(units.tolist(), values.tolist(), strict=True))
    own = np.array([np.nan, *(known.get(name, np.nan) for name in seen.owners.tolist())])
    low, high = limits(own)
    level = np.clip((np.nan_to_num(own) - low) / ((high - low) or 1.0) * STEPS, 0, STEPS - 1)
    colours = np.where(np.isfinite(own), level, GREY).astype(np.uint8)
    colours[0] = WHITE
    pixels = colours[labels]
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    pixels[edge] = BLACK
    corner = np.array(seen.corner_um)
    dots = np.rint((places[np.isfinite(places).all(axis=1)] - corner) / seen.um_per_px - 0.5).astype(int)
    inside = ((dots >= 1) & (dots < np.array(labels.shape[::-1]) - 1)).all(axis=1)
    for x, y in dots[inside].tolist():
        pixels[y - 1 : y + 2, x - 1 : x + 2] = BLACK
    width = labels.shape[1] * seen.um_per_px
    um = max((length for length in BARS_UM if length <= 0.35 * width), default=BARS_UM[0])
    foot = np.full((FOOT, labels.shape[1]), WHITE, np.uint8)
    foot[5:9, 6 : 6 + max(1, round(um / seen.um_per_px))] = BLACK
    return Picture(_png(np.vstack((pixels, foot)), AMOUNT), said), f"the bar is {um:,} um"


def tissue(pixels: NDArray[Any], said: str) -> Picture:
    """Return an image of tissue (rows, columns, RGB as bytes or 0 to 1) as WebP."""
    from PIL import Image

    values = np.asarray(pixels)[..., :3]
    if values.dtype.kind == "f":
        values = np.rint(np.clip(values, 0, 1) * 255)
    image = Image.fromarray(values.astype(np.uint8))
    image.thumbnail((SIDE, SIDE))
    for quality in (75, 55, 35, 15, 1):
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality)
        if file.tell() <= MOST_BYTES:
            break
    return Picture(_address("webp", file.getvalue()), said)


def limits(*several: Floats) -> tuple[float, float]:
    """Return the 1% and 99% quantile of all values together; 0 and 1 where none is finite."""
    values = np.concatenate([np.ravel(found) for found in several])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = np.quantile(values, [0.01, 0.99])
    return (float(low), float(high)) if high > low else (float(values.min()), float(values.max()))


def _tiles(places: Floats) -> tuple[NDArray[np.intp] | None, Floats]:
    """Return the tile of each unit and the places to draw: the units themselves where they are few."""
    if len(places) <= MANY:
        return None, places
    low, high = places.min(axis=0), places.max(axis=0)
    step = float((high - low).max()) / TILES or 1.0
    corner = np.floor((places - low) / step).astype(np.intp)
    found, tile = np.unique(corner, axis=0, return_inverse=True)
    return tile.reshape(-1), low + (found + 0.5) * step


def _spacing(places: Floats) -> float:
    """Return the median distance to the nearest other unit."""
    from scipy.spatial import KDTree

    if len(places) < 2:
        return 1.0
    distances = KDTree(places).query(places, k=2)[0][:, 1]
    return float(np.median(distances)) or 1.0


def _png(pixels: NDArray[np.uint8], colours: str) -> str:
    """Return places in the palette as a PNG of at most 25 kB: with fewer colours, then fewer pixels."""
    from matplotlib import colormaps
    from PIL import Image

    scale = np.asarray(colormaps[colours](np.linspace(0, 1, STEPS), bytes=True))[:, :3]
    palette = np.vstack((scale, [[255] * 3, [200] * 3, [0] * 3])).astype(np.uint8)
    for width, step in ((1, 1), (3, 1), (6, 1), (6, 2), (10, 3), (20, 6)):
        merged = np.where(pixels < STEPS, np.minimum(pixels // width * width + width // 2, STEPS - 1), pixels)
        image = Image.fromarray(np.ascontiguousarray(merged[::step, ::step].astype(np.uint8)), "P")
        image.putpalette(palette.tobytes())
        file = io.BytesIO()
        image.save(file, "PNG", compress_level=6)
        if file.tell() <= MOST_BYTES:
            break
    return _address("png", file.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
