"""Files of predictions: an AnnData, a data frame or arrays, each read into the same table."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.declared import refuse_hollow_zip
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Predictions of one slide as they stand in a file."""

    values: NDArray[Any]
    units: list[str]
    columns: list[str]


def from_h5ad(path: Path) -> Table:
    """Return the X of an AnnData. Raises ``ModelError``."""
    import anndata
    import h5py
    from scipy import sparse

    from pytest_stbench.data.readers.hdf5_bounds import check_bounds

    def read() -> anndata.AnnData:
        with h5py.File(path, "r", locking="best-effort") as file:
            check_bounds(file, path)
        data = anndata.read_h5ad(path)
        values: Any = data.X
        if sparse.issparse(values):  # scipy reads beyond parts that do not fit together
            values.check_format(full_check=True)
        return data

    with quiet_anndata():
        data = _readable(path, read)
    values = data.X.toarray() if hasattr(data.X, "toarray") else np.asarray(data.X)
    return Table(values=values, units=list(map(str, data.obs_names)), columns=list(map(str, data.var_names)))


def _from_parquet(path: Path) -> Table:
    import pandas as pd

    frame = _readable(path, lambda: pd.read_parquet(path))
    if "unit" in frame.columns:
        frame = frame.set_index("unit")
    if isinstance(frame.index, pd.RangeIndex):
        message = f"{path}: the rows have no names; write the units as the index or in a column `unit`"
        raise ModelError(message)
    return Table(
        values=frame.to_numpy(), units=list(map(str, frame.index)), columns=list(map(str, frame.columns))
    )


def _from_npz(path: Path) -> Table:
    found = arrays_of(path)
    columns = next((name for name in ("genes", "classes", "columns") if name in found), None)
    if "values" not in found or "units" not in found or columns is None:
        raise ModelError(
            f"{path}: an npz of predictions holds `values`, `units` and `genes` (or `classes`); "
            f"found {', '.join(found) or 'none'}"
        )
    return Table(
        values=found["values"],
        units=[str(name) for name in found["units"].tolist()],
        columns=[str(name) for name in found[columns].tolist()],
    )


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz by name. Raises ``ModelError``."""

    def read() -> dict[str, NDArray[Any]]:
        refuse_hollow_zip(path)
        # numpy leaves a file open that it was given by name and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    found: dict[str, NDArray[Any]] = _readable(path, read)
    return found


def _readable(path: Path, read: Any) -> Any:
    try:
        return read()
    except Exception as error:  # every format has errors of its own for damaged files
        raise ModelError(f"{path}: cannot be read (truncated, damaged or another format): {error}") from error


READERS = MappingProxyType({"h5ad": from_h5ad, "parquet": _from_parquet, "npz": _from_npz})
"""By the ending of the file; each raises ``ModelError`` where it cannot be read."""
