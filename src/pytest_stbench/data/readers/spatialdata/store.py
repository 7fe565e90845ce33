"""The folder of one SpatialData store: its elements, their attributes in either zarr format, its tables."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.labels import text
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.untrusted import refuse_hollow, refuse_links_in
from pytest_stbench.data.wording import absent, listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FOLDERS = {
    "images": ("images",),
    "labels": ("labels",),
    "points": ("points",),
    "shapes": ("shapes",),
    "tables": ("tables", "table"),
}
"""Where elements of a kind stand; stores of spatialdata before 0.1 keep their table in ``table``."""

SIGNS = ("zarr.json", ".zgroup")
READER = "spatialdata_io_reader"
ANNDATA = "anndata"
WHOLE = "."
"""What the table of a store is called that is an AnnData and nothing else."""


class Store:
    """A store and what the data set's ``params`` say of it; nothing is read before it is asked for.

    Elements are called ``FOLDER/NAME``, as they stand in the store.
    """

    def __init__(self, path: Path, params: Mapping[str, Any]) -> None:
        self.path = path
        self.params = params
        self._attributes: dict[str, dict[str, Any]] = {}

    def elements(self, *kinds: str) -> tuple[str, ...]:
        """Return the elements of some kinds, those of the first kind first, each kind by name.

        An AnnData that was written as zarr is its own table, :data:`WHOLE`.
        """
        if self._is_table:
            return (WHOLE,) if "tables" in kinds else ()
        folders = [folder for kind in kinds for folder in FOLDERS[kind] if (self.path / folder).is_dir()]
        return tuple(
            f"{folder}/{entry.name}"
            for folder in folders
            for entry in sorted((self.path / folder).iterdir())
            if any((entry / sign).is_file() for sign in SIGNS)
        )

    def named(self, param: str, *kinds: str) -> tuple[str, ...]:
        """Return the elements that a parameter names, ``*`` standing for anything; none where it is absent.

        Of several kinds the first that has such an element counts. Raises ``DataError`` where none
        has.
        """
        wanted = self.params.get(param)
        if wanted is None:
            return ()
        for kind in kinds:
            found = tuple(name for name in self.elements(kind) if fnmatchcase(last(name), str(wanted)))
            if found:
                return found
        there = [last(name) for name in self.elements(*kinds)]
        raise DataError(
            f"{self.path}: params.{param} is {wanted!r}; {' and '.join(kinds)} of the store are "
            f"{listing(there)}{nearest(str(wanted), there)}"
        )

    def only(self, param: str, kind: str) -> str | None:
        """Return the element that a parameter names, or the only one of its kind; None for none.

        Raises ``DataError`` where there are several.
        """
        found = self.named(param, kind) or self.elements(kind)
        if len(found) > 1:
            raise DataError(self.several(param, kind, found))
        return found[0] if found else None

    def several(self, param: str, what: str, found: tuple[str, ...]) -> str:
        """Return the message that one of several elements must be chosen."""
        names = [last(name) for name in found]
        return (
            f"{self.path}: {len(names)} {what}, {listing(names)}; write `params: {{{param}: {names[0]}}}` to "
            f"take one of them (`stbench check` and `stbench new`: --set params.{param}={names[0]})"
        )

    def group(self, element: str = "") -> Any:
        """Return an element as a zarr group."""
        with readable(self.path / element):
            import zarr

            return zarr.open_group(self.path / element, mode="r")

    def attributes(self, element: str = "") -> dict[str, Any]:
        """Return the attributes of an element; those of images and labels without their level ``ome``."""
        if element not in self._attributes:
            with readable(self.path / element):
                found = dict(self.group(element).attrs.asdict())
                self._attributes[element] = {**found, **found.get("ome", {})}
        return self._attributes[element]

    @cached_property
    def _is_table(self) -> bool:
        return self.attributes().get("encoding-type") == ANNDATA

    @cached_property
    def reader(self) -> str | None:
        """The reader of spatialdata-io that made the store, None where it does not say so (old versions)."""
        found = self.attributes().get(READER)
        return None if found is None else str(found)

    def files(self, *elements: str) -> tuple[Path, ...]:
        """Return all files of elements, sorted."""
        found = {path for element in elements for path in (self.path / element).rglob("*") if path.is_file()}
        return tuple(sorted(found))


def last(element: str) -> str:
    """Return the name of an element without its folder."""
    return element.partition("/")[2]


def kind_of(element: str) -> str:
    """Return the folder of an element."""
    return element.partition("/")[0]


def open_store(path: Path, params: Mapping[str, Any]) -> Store:
    """Return the store at `path`; raises ``DataError`` where there is none."""
    if not path.is_dir() or not any((path / sign).is_file() for sign in SIGNS):
        raise DataError(
            f"{path}: not a SpatialData store: a folder with zarr.json (or .zgroup) at its top; `path` names "
            "the folders NAME.zarr"
        )
    refuse_links_in(path)
    store = Store(path, params)
    if not store.elements(*FOLDERS):
        raise DataError(
            f"{path}: no element in {', '.join(FOLDERS)}: the store is empty, damaged or of an old format: "
            "write it anew"
        )
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
        raise DataError(
            f"{path}: cannot be read as zarr (truncated, damaged, or a format that the installed zarr does "
            f"not know: stores of format 3 need zarr 3 and anndata 0.12): {error}"
        ) from error


class Annotated:
    """One table of a store as AnnData writes it; nothing is kept."""

    def __init__(self, store: Store, element: str) -> None:
        self._store = store
        self.element = element
        self.path = store.path / element

    def columns(self, frame: str = "obs") -> tuple[str, ...]:
        """Return the names of the columns of ``obs`` or ``var``, with that of its index where it has one."""
        group = self._store.group(self.element)
        with readable(self.path):
            return tuple(name for name in group[frame] if name != "_index")

    def index(self, frame: str) -> NDArray[np.str_]:
        """Return the index of ``obs`` or ``var``, (n,)."""
        group = self._store.group(self.element)
        with readable(self.path), quiet_anndata():
            from anndata.io import read_elem

            names: Any = read_elem(group[frame][group[frame].attrs["_index"]])
        return np.array(text(names), dtype=np.str_)

    def column(self, name: str, key: str) -> Any:
        """Return a column of ``obs`` as pandas has it; `key` is what asks for it, for messages."""
        import pandas as pd

        there = self.columns()
        if name not in there:
            raise DataError(absent(f"{self.path}: obs", name, key, there))
        return pd.Series(self.part(f"obs/{name}"))

    def part(self, name: str) -> Any:
        """Return a part of the group, read. Raises ``DataError`` where it is not there."""
        group = self._store.group(self.element)
        with readable(self.path), quiet_anndata():
            from anndata.io import read_elem

            parent, _, child = name.rpartition("/")
            there = sorted(group[parent].keys() if parent else group.keys())
            if child not in there:
                raise DataError(f"{self.path}: no {name!r}; there is {listing(there)}{nearest(child, there)}")
            _refuse_hollow(group[name], self.path)
            return read_elem(group[name])


def _refuse_hollow(node: Any, path: Path) -> None:
    """Raise ``DataError`` where an array below `node` declares more than its files can hold."""
    import zarr

    arrays = [node] if isinstance(node, zarr.Array) else [a for _, a in node.arrays()]
    for array in arrays:
        held = sum(file.stat().st_size for file in (path / array.path).rglob("*") if file.is_file())
        refuse_hollow(path, f"{array.path} {array.shape}", int(array.nbytes), held)
