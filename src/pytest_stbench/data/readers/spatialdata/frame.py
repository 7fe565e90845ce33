"""Where the elements of a store lie: its coordinate systems as affine maps, and how they become micrometres.

Transformations are those of the NGFF drafts that SpatialData writes: ``identity``, ``scale``,
``translation``, ``affine``, ``mapAxis``, ``sequence`` and ``byDimension``. Only the axes x and y
matter here.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers.spatialdata.store import last
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.store import Store
    from pytest_stbench.data.readers.units import UnitSize

    Floats = NDArray[np.float64]

PLANE = ("x", "y")
UM = {
    "micrometer": 1.0, "micrometers": 1.0, "micron": 1.0, "microns": 1.0, "um": 1.0, "\u03bcm": 1.0,
    "nanometer": 1e-3, "millimeter": 1e3,
}  # fmt: skip
"""Units of an axis, or names of coordinate systems that are units, in um."""

KNOWN = ("affine", "byDimension", "identity", "mapAxis", "scale", "sequence", "translation")


def transformed(matrix: Floats, xy: Floats) -> Floats:
    """Return places (n, 2) under an affine map (3, 3)."""
    moved: Floats = xy @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def inverse(matrix: Floats) -> Floats:
    """Return the map back."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def systems_of(transformations: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of the coordinate systems that an element is placed in."""
    return tuple(str(t["output"]["name"]) for t in transformations)


def unit_of(transformations: Sequence[Mapping[str, Any]], system: str) -> float | None:
    """Return um per unit of `system`: by the unit of its axes, else by its name; None for neither.

    SpatialData writes ``unit`` for an axis of which nothing is known.
    """
    for entry in transformations:
        if str(entry["output"]["name"]) == system:
            units = {axis.get("unit") for axis in entry["output"].get("axes", ()) if axis["name"] in PLANE}
            if len(units) == 1 and (um := UM.get(str(units.pop()).casefold())) is not None:
                return um
    return UM.get(system.casefold())


def affine_to(
    transformations: Sequence[Mapping[str, Any]], system: str, axes: Sequence[str], where: str
) -> Floats:
    """Return the map (3, 3) from x and y of an element to `system`.

    Parameters
    ----------
    transformations
        ``coordinateTransformations`` of the element, one per coordinate system.
    system
        Name of the coordinate system.
    axes
        Names of the axes of the element, in the order of its numbers.
    where
        What is read, for messages.

    Raises
    ------
    DataError
        The element is not placed in `system`, a transformation is of an unknown type or damaged,
        or not invertible in the plane.
    """
    there = systems_of(transformations)
    if system not in there:
        raise DataError(
            f"{where}: not placed in coordinate system {system!r}{nearest(system, there)}; it is in "
            f"{listing(there)}: write `params: {{coordinates: NAME}}`"
        )
    try:
        matrix = matrix_of(transformations[there.index(system)], axes)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        message = f"{where}: its transformation to {system!r} is damaged or of no known kind ({error})"
        raise DataError(message) from error
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < np.finfo(np.float64).tiny:
        raise DataError(f"{where}: its transformation to {system!r} cannot be inverted; write the store anew")
    return matrix


def matrix_of(transformation: Mapping[str, Any], axes: Sequence[str]) -> Floats:
    """Return a transformation as a map (3, 3) of x and y.

    Raises ``ValueError``, ``KeyError`` or ``TypeError`` where it is not what the format says.
    """
    kind = transformation["type"]
    names = _axes(transformation.get("input"), axes)
    matrix = np.eye(3)
    if kind == "identity":
        return matrix
    if kind in ("scale", "translation"):
        values = transformation[kind]
        if len(values) != len(names):
            raise ValueError(f"{kind} of {len(values)} numbers for the axes {listing(names)}")
        for place, axis in enumerate(PLANE):
            if axis in names:
                cell = (place, place) if kind == "scale" else (place, 2)
                matrix[cell] = float(values[names.index(axis)])
        return matrix
    if kind == "affine":
        return _affine(transformation, names)
    if kind == "mapAxis":
        source = transformation["mapAxis"]
        for place, axis in enumerate(PLANE):
            matrix[place, :2] = [float(source.get(axis, axis) == other) for other in PLANE]
        return matrix
    if kind in ("sequence", "byDimension"):
        for part in transformation["transformations"]:
            matrix = matrix_of(part, names) @ matrix
        return matrix
    raise ValueError(f"type {kind!r}, known are {', '.join(KNOWN)}")


def _affine(transformation: Mapping[str, Any], names: Sequence[str]) -> Floats:
    rows = np.array(transformation["affine"], dtype=np.float64)
    out = _axes(transformation.get("output"), names)
    if rows.ndim != 2 or rows.shape[1] != len(names) + 1 or len(rows) < len(out):
        raise ValueError(f"affine of shape {rows.shape} for the axes {listing(names)}")
    columns = [names.index("x"), names.index("y"), len(names)]
    matrix = np.eye(3)
    matrix[:2] = rows[np.ix_([out.index("x"), out.index("y")], columns)]
    return matrix


def _axes(side: Any, axes: Sequence[str]) -> list[str]:
    """Return the names of the axes of one side of a transformation; those given where it has none."""
    found = side.get("axes") if isinstance(side, dict) else None
    return [str(axis["name"]) for axis in found] if found else list(axes)


DEFAULT = "global"


class Frame:
    """One coordinate system of a store and um per unit of it.

    `anchors` are the elements that place the units; `measure` tells the unit of the system, and is
    asked when the first element is placed in um.
    """

    def __init__(
        self, store: Store, anchors: Sequence[str], measure: Callable[[Frame], UnitSize] | None = None
    ) -> None:
        self._store = store
        self._anchors = anchors
        self._measure = measure

    @cached_property
    def system(self) -> str:
        """The coordinate system: the one that ``params`` names, else the store's own.

        That is ``global``; where the units are not in it, the only one that they are in; of several
        the one in which they, or else any shapes or points, stand as they are written. Raises
        ``DataError`` where none is it.
        """
        wanted = self._store.params.get("coordinates")
        if wanted is not None or not self._anchors:
            return str(wanted or DEFAULT)
        shared = [
            system
            for system in systems_of(self._entries(self._anchors[0]))
            if all(system in systems_of(self._entries(anchor)) for anchor in self._anchors)
        ]
        if DEFAULT in shared:
            return DEFAULT
        as_written = [name for name in shared if all(self._is_written(a, name) for a in self._anchors)]
        others = self._store.elements("shapes", "points")
        of_any = [name for name in shared if any(self._is_written(o, name) for o in others)]
        for found in (shared, as_written, of_any):
            if len(found) == 1:
                return found[0]
        where = f"{self._store.path}: {listing(map(last, self._anchors))}"
        if not shared:
            message = (
                f"{where} share no coordinate system; name fewer of them by `params`, or place them in one "
                "and write the store anew"
            )
        else:
            message = (
                f"{where}: placed in {len(shared)} coordinate systems, {listing(shared)}; write "
                f"`params: {{coordinates: {shared[0]}}}` to take one of them"
            )
        raise DataError(message)

    @cached_property
    def said(self) -> UnitSize:
        """The unit of the coordinate system, and what says it."""
        assert self._measure is not None  # nobody asks a frame for um that was made without it
        return self._measure(self)

    @property
    def um(self) -> float:
        """Micrometres per unit of the coordinate system."""
        return self.said.um

    def has(self, element: str) -> bool:
        """Tell whether an element is placed in the coordinate system."""
        return self.system in systems_of(self._entries(element))

    def raw(self, element: str) -> Floats:
        """Return the map (3, 3) from x and y of an element to the coordinate system.

        Raises ``DataError`` where it is not placed there.
        """
        return affine_to(self._entries(element), self.system, self._axes(element), self._where(element))

    def to_um(self, element: str) -> Floats:
        """Return the map (3, 3) from x and y of an element to um."""
        return np.diag([self.um, self.um, 1.0]) @ self.raw(element)

    def unit(self, element: str) -> float | None:
        """Return um per unit as the axes of the system say it for an element, None where they do not."""
        return unit_of(self._entries(element), self.system)

    def _is_written(self, element: str, system: str) -> bool:
        for entry in self._entries(element):
            if str(entry["output"]["name"]) == system:
                try:
                    return bool(np.allclose(matrix_of(entry, self._axes(element)), np.eye(3)))
                except (KeyError, TypeError, ValueError, IndexError):
                    return False
        return False

    def _where(self, element: str) -> str:
        return str(self._store.path / element)

    def _entries(self, element: str) -> list[Mapping[str, Any]]:
        return self._read(element)[0]

    def _axes(self, element: str) -> list[str]:
        return self._read(element)[1]

    def _read(self, element: str) -> tuple[list[Mapping[str, Any]], list[str]]:
        attributes = self._store.attributes(element)
        try:
            if "multiscales" in attributes:
                attributes = attributes["multiscales"][0]
            axes = [axis["name"] if isinstance(axis, dict) else axis for axis in attributes["axes"]]
            entries = list(attributes["coordinateTransformations"])
            systems_of(entries)
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"{self._where(element)}: its attributes have no axes with transformations ({error}); write "
                "it anew"
            ) from error
        return entries, axes
