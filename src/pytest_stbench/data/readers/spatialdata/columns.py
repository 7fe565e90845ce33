"""The AnnData group of a table: its columns and matrices, each read when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.declared import refuse_hollow
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.readers.imaging.tables import text
from pytest_stbench.data.readers.spatialdata.store import readable
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.store import Store


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

            names = read_elem(group[frame][group[frame].attrs["_index"]])
        return np.array(text(names), dtype=np.str_)

    def column(self, name: str, key: str) -> Any:
        """Return a column of ``obs`` as pandas has it; `key` is what asks for it, for messages."""
        import pandas as pd

        there = self.columns()
        if name not in there:
            raise DataError(
                f"{self.path}: obs has no column {name!r} ({key}); it has {listing(there)}"
                f"{nearest(name, there)}"
            )
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
