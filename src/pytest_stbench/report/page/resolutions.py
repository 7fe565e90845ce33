"""One slide in units of several sizes: its library size as maps on one grid, its depth as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.report.page.pictures import grid
from pytest_stbench.report.page.render import Number, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.report.page.pictures import Picture
    from pytest_stbench.report.page.sources import Source

FACTS = {
    "units": ("units", 0),
    "libsize_median": ("counts per unit", 1),
    "genes_median": ("genes per unit", 1),
    "zero_share": ("share of zeros", 3),
}
"""What the table shows: names and decimals by what the results file calls it; medians over units."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """One kind of unit on the slide."""

    name: str
    picture: Picture
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Resolutions:
    """The first slide of a data set whose units are formed in several ways."""

    task: str
    dataset: str
    slide: str
    heads: tuple[str, ...]
    rows: tuple[Resolution, ...]


def resolutions_of(sources: Iterable[Source]) -> list[Resolutions]:
    """Return the data sets with library-size maps of two kinds of unit or more."""
    found = []
    for source in sources:
        views: dict[tuple[str, str], list[int]] = {}
        for place, data in enumerate(source.results.datasets):
            if data.libsize_maps:
                views.setdefault((data.task, data.name.partition("+")[0]), []).append(place)
        found += [_of(source, places) for places in views.values() if len(places) > 1]
    return [one for one in found if one is not None]


def _of(source: Source, places: list[int]) -> Resolutions | None:
    datasets = [source.results.datasets[place] for place in places]
    slides = [s for s in datasets[0].libsize_maps if all(s in d.libsize_maps for d in datasets)]
    if not slides:
        return None
    slide = slides[0]
    maps = [data.libsize_maps[slide] for data in datasets]
    most = max(float(np.max(found["counts"])) for found in maps)
    rows = [
        Resolution(
            data.name,
            grid(_aligned(found, maps), most, f"{data.name} on slide {slide}, from 0 to {shown(most, 0)}"),
            tuple(
                Number(
                    data.depth.get(slide, {}).get(fact),
                    f"{source.number}:datasets.{n}.depth.{slide}.{fact}",
                    places_,
                )
                for fact, (_, places_) in FACTS.items()
            ),
        )
        for n, data, found in zip(places, datasets, maps, strict=True)
    ]
    heads = tuple(name for name, _ in FACTS.values())
    first = datasets[0]
    return Resolutions(first.task, first.name.partition("+")[0], slide, heads, tuple(rows))


def _aligned(found: dict[str, Any], maps: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the counts of a map on the tiles of all; nan outside of it. One sample has one step."""
    step = float(found["step_um"])
    same = [other for other in maps if other["step_um"] == found["step_um"]]
    low = [min(other[axis] for other in same) for axis in ("x_um", "y_um")]
    shapes = [np.shape(other["counts"]) for other in same]
    columns, rows = (
        max(
            round((other[axis] - start) / step) + shape[side]
            for other, shape in zip(same, shapes, strict=True)
        )
        for axis, start, side in (("x_um", low[0], 1), ("y_um", low[1], 0))
    )
    counts = np.asarray(found["counts"], dtype=np.float64)
    x, y = (round((found[axis] - start) / step) for axis, start in zip(("x_um", "y_um"), low, strict=True))
    whole = np.full((rows, columns), np.nan)
    whole[y : y + counts.shape[0], x : x + counts.shape[1]] = counts
    return whole
