"""Units of a slide as they lie on the tissue: true size, equal in both directions, with a bar of length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import EllipseCollection, PolyCollection

from pytest_stbench.report.figures.figure import INK, PALE, SMALL
from pytest_stbench.report.page.pictures import BARS_UM, limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AMOUNT = "viridis"
FRAME_UM = 60.0
"""Free room around maps of units of several sizes."""
HEX_CORNERS = np.deg2rad(np.arange(30, 390, 60))


def draw_map(
    ax: Axes,
    xy_um: Floats,
    values: Floats,
    *,
    shape: str,
    size_um: float,
    label: str,
    bar: bool = True,
    around: Floats | None = None,
) -> None:
    """Draw one value a unit; y grows downwards, as in images.

    Parameters
    ----------
    xy_um, values
        Shapes (n, 2) and (n,); units without a place are left out, those without a value are grey.
    shape, size_um
        ``circle`` (its diameter), ``hexagon`` (between opposite sides) or ``square`` (its side).
    label
        What the colours stand for, with the unit. They run from the 1% to the 99% quantile.
    bar
        Whether a bar of length is drawn.
    around
        Places that the map is to show as well, so that two maps have one frame.
    """
    there = np.isfinite(xy_um).all(axis=1)
    places, shown = xy_um[there], values[there]
    known = np.isfinite(shown)
    low, high = limits(shown)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    if not known.all():
        ax.add_collection(_units(ax, places[~known], shape, size_um, facecolors=PALE))
    drawn = _units(ax, places[known], shape, size_um)
    drawn.set_array(shown[known])
    drawn.set_cmap(AMOUNT)
    drawn.set_clim(low, high)
    ax.add_collection(drawn)
    framed = places if around is None else np.vstack((places, around[np.isfinite(around).all(axis=1)]))
    _frame(ax, framed, size_um if around is None else FRAME_UM)
    below, above = bool((shown[known] < low).any()), bool((shown[known] > high).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(
        (below, above), "both"
    )
    figure: Any = ax.figure
    scale = figure.colorbar(drawn, ax=ax, extend=extend, fraction=0.045, pad=0.02, aspect=22)
    scale.set_label(label, fontsize=SMALL)
    scale.outline.set_linewidth(0.4)
    if bar:
        scale_bar(ax)


def _units(ax: Axes, places: Floats, shape: str, size_um: float, **how: Any) -> Any:
    """Return units as one collection of pixels; a PDF with each of them as a path is huge."""
    how = {"linewidths": 0, "rasterized": True, "antialiaseds": len(places) < 20_000, **how}
    if shape == "circle":
        sizes = np.full(len(places), size_um)
        where: dict[str, Any] = {"offsets": places, "offset_transform": ax.transData}
        return EllipseCollection(sizes, sizes, np.zeros(len(places)), units="xy", **where, **how)
    if shape == "hexagon":
        radius = size_um / np.sqrt(3) * 1.01
        corners = radius * np.column_stack((np.cos(HEX_CORNERS), np.sin(HEX_CORNERS)))
    else:
        corners = size_um / 2 * 1.01 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    return PolyCollection(places[:, None, :] + corners[None], **how)


def _frame(ax: Axes, places: Floats, size_um: float) -> None:
    low, high = places.min(axis=0) - size_um, places.max(axis=0) + size_um
    room = 0.07 * (high[1] - low[1])
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(high[1] + room, low[1])
    ax.set_aspect("equal")
    ax.set_axis_off()


def scale_bar(ax: Axes) -> None:
    """Draw a bar with its length below the units."""
    left, right = sorted(ax.get_xlim())
    bottom, top = ax.get_ylim()
    length = max((um for um in BARS_UM if um <= 0.3 * (right - left)), default=BARS_UM[0])
    y = bottom - 0.025 * abs(bottom - top)
    ax.plot([left, left + length], [y, y], color=INK, linewidth=1.2, solid_capstyle="butt", gid="scale bar")
    ax.text(left + length + 0.015 * (right - left), y, said_length(length), va="center", fontsize=SMALL)


def said_length(um: float) -> str:
    """Return a length with its unit."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def spacing(xy_um: Floats) -> float:
    """Return the median distance to the nearest other unit in um; 1 where there is none."""
    from pytest_stbench.kernels.graph import median_nn_distance

    found = float(median_nn_distance(xy_um[np.isfinite(xy_um).all(axis=1)]))
    return found if found > 0 else 1.0
