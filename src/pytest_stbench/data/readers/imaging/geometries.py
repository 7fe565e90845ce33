"""Outlines of one geometry a row: well-known binary or text in tables, GeoParquet, GeoJSON."""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.naming import coded
from pytest_stbench.data.readers.imaging.instances import Found, cells_in, keys_of, planes_in
from pytest_stbench.data.readers.imaging.tables import missing_in, parts_of, read_table
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.instances import Keys

    Codes = NDArray[np.intp]
    Geometries = NDArray[np.object_]

GEOMETRY = ("Geometry", "geometry", "geom", "wkb", "wkt")
"""Columns of one outline a row: MERSCOPE, GeoParquet, plain tables."""

GEOJSON = (".geojson", ".geojson.gz", ".json", ".json.gz")
AT_ONCE = 1 << 16
TOO_FEW = ("linearring", "point array")
"""What shapely says of rings that have too few vertices."""

HAVE_AREA = frozenset({3, 6, 7})
"""Types of geometry that may cover something: polygons, several, collections."""


def is_geojson(path: Path) -> bool:
    """Tell whether a file is GeoJSON by its name."""
    return path.name.casefold().endswith(GEOJSON)


def read_geometries(path: Path, keys: Keys, column: str, um_per_px: float, known: Container[object]) -> Found:
    """Return the outlines of a table of geometries; of these only those are decoded that are asked for."""
    table = read_table(path, list(keys.columns) or [column], names=keys.columns)
    found = _found(table, keys, partial(_decoded, path, column, um_per_px), known)
    if found.planes is None:
        return found
    return replace(found, empty=missing_in(path, column))


def read_geojson(path: Path, um_per_px: float, known: Container[object]) -> Found:
    """Return the outlines of a GeoJSON file: features, or a collection of geometries as Baysor writes it."""
    import pandas as pd
    import shapely

    features = _features(path)
    facts = pd.DataFrame([_facts(feature) for feature in features], index=range(len(features)), dtype=object)
    shapes = [feature.get("geometry", feature) for feature in features]
    texts = [None if shape is None else json.dumps(shape) for shape in shapes]
    geometries = shapely.from_geojson(np.array([None, *texts], dtype=object)[1:], on_invalid="ignore")
    for place in np.flatnonzero(shapely.is_missing(geometries)).tolist():
        if shapes[place] is not None:
            with _damage(path, "GeoJSON"):  # it closes rings, which the faster way does not
                geometries[place] = shapely.geometry.shape(shapes[place])
    _refuse_without_area(geometries, path)
    scaled = _scaled(geometries, um_per_px)

    def chosen_of(chosen: Codes) -> Iterator[tuple[Geometries, Codes]]:
        yield scaled[chosen], chosen

    found = _found(facts, keys_of(list(facts.columns)), chosen_of, known)
    return replace(found, empty=shapely.is_missing(geometries) | shapely.is_empty(geometries))


def from_wkb(values: Iterable[object], path: Path) -> Geometries:
    """Return the geometries in well-known binary (hexadecimal too) or text, (n,); None where empty.

    Raises ``DataError`` naming `path` where one is damaged.
    """
    import shapely

    held = np.array([None, *values], dtype=object)[1:]
    held[[value is None or value != value for value in held.tolist()]] = None
    first = next((value for value in held.tolist() if value is not None), b"")
    is_text = isinstance(first, str) and not first[:2].isdigit()
    decode, what = (shapely.from_wkt, "text") if is_text else (shapely.from_wkb, "binary")
    with _damage(path, f"well-known {what}"):
        found: Geometries = decode(held, on_invalid="fix")
    for place in np.flatnonzero(shapely.is_missing(found) & (held != None)):  # noqa: E711  # of each
        with _damage(path, f"well-known {what}"):
            decode(held[place])
    return found


@contextmanager
def _damage(path: Path, what: str) -> Iterator[None]:
    """Raise ``DataError`` for what is no geometry; rings of too few vertices are one that covers nothing."""
    from shapely.errors import ShapelyError

    try:
        yield
    except (ShapelyError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        if any(word in str(error).casefold() for word in TOO_FEW):
            return
        raise DataError(f"{path}: an outline is not {what} ({error}); write the file anew") from error


def _found(table: Any, keys: Keys, build: Any, known: Container[object]) -> Found:
    return Found(
        cells=cells_in(table, keys, known),
        planes=planes_in(table, keys),
        labels=None if keys.label is None else coded(table[keys.label]),
        apart=keys.part is None,
        build=build,
    )


def _decoded(path: Path, column: str, um_per_px: float, chosen: Codes) -> Iterator[tuple[Geometries, Codes]]:
    """Yield the geometries of chosen rows."""
    start = 0
    for part in parts_of(path, [column], rows=AT_ONCE, repeats=False):
        rows = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(part))]
        if len(rows):
            geometries = from_wkb(part[column].iloc[rows - start], path)
            _refuse_without_area(geometries, path)
            yield _scaled(geometries, um_per_px), rows
        start += len(part)


def _refuse_without_area(geometries: Geometries, path: Path) -> None:
    import shapely

    kinds = shapely.get_type_id(geometries)
    wrong = np.flatnonzero((kinds >= 0) & ~np.isin(kinds, list(HAVE_AREA)))
    if len(wrong):
        raise DataError(
            f"{path}: an outline is a {geometries[wrong[0]].geom_type}, which covers nothing; cells and "
            "nuclei are polygons or multipolygons"
        )


def _scaled(geometries: Geometries, um_per_px: float) -> Geometries:
    import shapely

    if um_per_px == 1:
        return geometries
    scaled: Geometries = shapely.transform(geometries, lambda xy: xy * um_per_px)
    return scaled


def _features(path: Path) -> list[dict[str, Any]]:
    """Return the features of a collection, or its geometries."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        found = json.loads(raw)
    except (OSError, EOFError, ValueError) as error:
        message = f"{path}: cannot be read as GeoJSON (truncated, damaged or another format): {error}"
        raise DataError(message) from error
    features = found.get("features", found.get("geometries")) if isinstance(found, dict) else found
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        message = f"{path}: neither a collection of features nor of geometries; write the outlines as GeoJSON"
        raise DataError(message)
    return features


def _facts(feature: dict[str, Any]) -> dict[str, Any]:
    """Return what a feature says of itself: its properties before its own members."""
    own = {name: value for name, value in feature.items() if name in ("id", "cell") and value is not None}
    properties = feature.get("properties")
    return {**own, **(properties if isinstance(properties, dict) else {})}
