"""Pictures small enough to stand inside a page: maps of units, matrices, tissue."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_BYTES = 25_000
SIDE = 2.6
"""Length of the longer side in inches."""
DPI = 100
MANY = 20_000
"""Units above which the mean of tiles is drawn in their place."""
TILES = 130
AMOUNT, CHANGE = "viridis", "PuOr_r"
"""Colours of an amount and of a difference; both are told apart by people who see fewer colours."""
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
    """Draws maps of one slide, all on one figure; places are in um."""

    def __init__(self, places: Floats) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._finite = np.isfinite(places).all(axis=1)
        self._tile, shown = _tiles(places[self._finite])
        low, high = shown.min(axis=0), shown.max(axis=0)
        extent = np.maximum(high - low, 1.0)
        scale = SIDE / float(extent.max())
        width, height = np.maximum(extent * scale, 0.5)
        self._figure = Figure(figsize=(float(width), float(height)), dpi=DPI)
        self._canvas = FigureCanvasAgg(self._figure)
        axes = self._figure.add_axes((0.01, 0.01, 0.98, 0.98))
        axes.set_axis_off()
        gap = 0.5 * _spacing(shown)
        axes.set_xlim(low[0] - gap, high[0] + gap)
        axes.set_ylim(high[1] + gap, low[1] - gap)  # y grows downwards, as in images
        diameter = float(np.clip(_spacing(shown) * scale * 72 * 1.05, 1.2, 30.0))
        marker = "s" if self._tile is not None else "o"
        self._points = axes.scatter(
            shown[:, 0], shown[:, 1], s=diameter**2, c=np.zeros(len(shown)), marker=marker, linewidths=0
        )
        bar = max((um for um in BARS_UM if um <= 0.3 * extent[0]), default=BARS_UM[0])
        x, y = low[0] + 0.03 * extent[0], high[1] - 0.01 * extent[1]
        axes.plot([x, x + bar], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
        self.bar = f"the bar is {bar:,} um"

    def map(self, values: Floats, low: float, high: float, said: str, colours: str = AMOUNT) -> Picture:
        """Return a map of one value a unit, in colours between `low` and `high`."""
        shown = values[self._finite]
        if self._tile is not None:
            known = np.isfinite(shown)
            count = np.bincount(self._tile[known], minlength=self._tile.max() + 1)
            total = np.bincount(self._tile[known], shown[known], minlength=self._tile.max() + 1)
            shown = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
        self._points.set_array(np.ma.masked_invalid(shown))
        self._points.set_cmap(colours)
        self._points.set_clim(low, high if high > low else low + 1.0)
        canvas: Any = self._canvas
        canvas.draw()
        return Picture(_png(np.asarray(canvas.buffer_rgba())), said)


def matrix(values: Floats, said: str) -> Picture:
    """Return a square matrix of correlations, -1 to 1, as a picture."""
    from matplotlib import colormaps

    pixels = colormaps[CHANGE]((np.nan_to_num(values) + 1) / 2, bytes=True)
    times = max(1, round(SIDE * DPI / len(values)))
    return Picture(_png(np.asarray(pixels).repeat(times, axis=0).repeat(times, axis=1)), said)


def tissue(pixels: NDArray[Any], said: str) -> Picture:
    """Return an image of tissue (rows, columns, RGB as bytes or 0 to 1) as WebP."""
    from PIL import Image

    values = np.asarray(pixels)[..., :3]
    if values.dtype.kind == "f":
        values = np.rint(np.clip(values, 0, 1) * 255)
    image = Image.fromarray(values.astype(np.uint8))
    image.thumbnail((int(SIDE * DPI * 1.3),) * 2)
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


def _png(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as a palette PNG of at most 25 kB: fewer colours, then fewer pixels."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    for colours, share in ((128, 1.0), (48, 1.0), (32, 0.75), (24, 0.5), (16, 0.35), (8, 0.2)):
        width, height = (max(1, round(side * share)) for side in image.size)
        small = image if share == 1 else image.resize((width, height))
        file = io.BytesIO()
        small.quantize(colours, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    return _address("png", file.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
