"""Where the elements of a store lie: its coordinate system, and how that becomes micrometres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers.spatialdata.store import last
from pytest_stbench.data.readers.spatialdata.transforms import affine_to, matrix_of, systems_of, unit_of
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]

DEFAULT = "global"


@dataclass(frozen=True, slots=True)
class Said:
    """A size of a unit in um, and what says it."""

    um: float
    by: str


class Frame:
    """One coordinate system of a store and um per unit of it.

    `anchors` are the elements that place the units; `measure` tells the unit of the system, and is
    asked when the first element is placed in um.
    """

    def __init__(
        self, store: Store, anchors: Sequence[str], measure: Callable[[Frame], Said] | None = None
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
    def said(self) -> Said:
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
