"""The folder of one SpatialData store: its elements, and their attributes in either zarr format."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers.spatialdata.transforms import affine_to, systems_of
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

KINDS = ("images", "labels", "points", "shapes", "tables")
DEFAULT_SYSTEM = "global"
SIGNS = ("zarr.json", ".zgroup")


@dataclass(frozen=True, slots=True)
class Store:
    """A store and what the data set's ``params`` say of it; nothing is read before it is asked for."""

    path: Path
    params: Mapping[str, Any]
    um_per_unit: float | None

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the elements of a kind, by their folders."""
        folder = self.path / kind
        if not folder.is_dir():
            return ()
        return tuple(
            sorted(
                entry.name for entry in folder.iterdir() if any((entry / sign).is_file() for sign in SIGNS)
            )
        )

    def named(self, param: str, *kinds: str) -> str | None:
        """Return ``kind/name`` of the element that ``params`` names, None where it names none.

        Raises ``DataError`` where there is no such element.
        """
        wanted = self.params.get(param)
        if wanted is None:
            return None
        there = [name for kind in kinds for name in self.names(kind)]
        for kind in kinds:
            if wanted in self.names(kind):
                return f"{kind}/{wanted}"
        message = (
            f"{self.path}: params.{param} is {wanted!r}; {' and '.join(kinds)} of the store are "
            f"{listing(there)}{nearest(str(wanted), there)}"
        )
        raise DataError(message)

    def only(self, param: str, kind: str) -> str | None:
        """Return the element that ``params`` names, or the only one of its kind; None for none.

        Raises ``DataError`` where there are several.
        """
        named = self.named(param, kind)
        there = self.names(kind)
        if named is not None or not there:
            return named
        if len(there) > 1:
            message = (
                f"{self.path}: {len(there)} {kind}, {listing(there)}; write "
                f"`params: {{{param}: {there[0]}}}` to take one of them"
            )
            raise DataError(message)
        return f"{kind}/{there[0]}"

    def group(self, element: str) -> Any:
        """Return an element as a zarr group."""
        with readable(self.path / element):
            import zarr

            return zarr.open_group(str(self.path / element), mode="r")

    def attributes(self, element: str) -> dict[str, Any]:
        """Return the attributes of an element; those of images and labels without their level ``ome``."""
        with readable(self.path / element):
            found = dict(self.group(element).attrs.asdict())
            return {**found, **found.get("ome", {})}

    def placed(self, element: str) -> tuple[NDArray[np.float64], float]:
        """Return the map (3, 3) of an element to um, and um per unit of its coordinate system.

        Raises ``DataError`` where it is not in the coordinate system, or nobody says the unit.
        """
        where, attributes = f"{self.path / element}", self.attributes(element)
        try:
            if "multiscales" in attributes:
                attributes = attributes["multiscales"][0]
            axes = [axis["name"] if isinstance(axis, dict) else axis for axis in attributes["axes"]]
            transformations = attributes["coordinateTransformations"]
            system = str(self.params.get("coordinates", _default(systems_of(transformations))))
        except (KeyError, TypeError, IndexError) as error:
            message = f"{where}: its attributes have no axes with transformations ({error}); write it anew"
            raise DataError(message) from error
        matrix, unit = affine_to(transformations, system, axes, where)
        um = self.um_per_unit if self.um_per_unit is not None else unit
        if um is None:
            message = (
                f"{where}: coordinate system {system!r} has no unit of length: write `scale: UM_PER_UNIT` "
                "(of a store made from a Xenium bundle: 0.2125, the size of a pixel)"
            )
            raise DataError(message)
        return np.diag([um, um, 1.0]) @ matrix, um

    def files(self, *elements: str) -> tuple[Path, ...]:
        """Return all files of elements, sorted."""
        found = {path for element in elements for path in (self.path / element).rglob("*") if path.is_file()}
        return tuple(sorted(found))


def open_store(path: Path, params: Mapping[str, Any], um_per_unit: float | None) -> Store:
    """Return the store at `path`; raises ``DataError`` where there is none."""
    if not path.is_dir() or not any((path / sign).is_file() for sign in SIGNS):
        message = (
            f"{path}: not a SpatialData store: a folder with zarr.json (or .zgroup) at its top; `path` names "
            "the folders NAME.zarr"
        )
        raise DataError(message)
    store = Store(path, params, um_per_unit)
    if not any(store.names(kind) for kind in KINDS):
        message = f"{path}: no element in {', '.join(KINDS)}: the store is empty, or of an old format"
        raise DataError(message)
    return store


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what zarr and anndata say of damaged groups, and a missing zarr, into ``DataError``."""
    try:
        yield
    except ImportError as error:
        message = f"{path}: reading SpatialData stores needs zarr: pip install 'pytest-stbench[spatialdata]'"
        raise DataError(message) from error
    except DataError:
        raise
    except Exception as error:
        # zarr, numcodecs and anndata raise many kinds of errors
        message = (
            f"{path}: cannot be read as zarr (truncated, damaged, or a format that the installed zarr does "
            f"not know: stores of format 3 need zarr 3 and anndata 0.12): {error}"
        )
        raise DataError(message) from error


def _default(systems: tuple[str, ...]) -> str:
    return systems[0] if len(systems) == 1 else DEFAULT_SYSTEM
