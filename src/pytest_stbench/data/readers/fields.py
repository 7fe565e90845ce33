"""Fields of view whose units lie on each other: places that are counted anew in every field.

CosMx, and files of many images, give places within a field beside those on the slide. Units of fields
that are read by the former have neighbours of other fields that are nowhere near.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.axes import axes_of
from pytest_stbench.data.readers.obsm import entries_of
from pytest_stbench.data.sections import MIXED, mixed_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

OVERLAP = "fields_overlap:"
"""Before the name of the column, in the notes: units that lie within another field of view."""

WHOLE = "fields_apart:"
"""Before the keys of places by which the same fields lie beside each other."""

COLUMN = re.compile(r"fov(_?(id|name|number))?|field_?of_?view", re.IGNORECASE)
MIN_UNITS = 10
INNER = (0.05, 0.95)
AT_MOST = 20_000
"""Units that are asked in whose field they lie; of more, every k-th."""

APART = 0.05
"""Share of units within another field up to which fields lie beside each other."""


def notes_of_fields(file: h5py.File, xy: Floats, rows: NDArray[np.intp] | None) -> dict[str, int]:
    """Return what there is to say of the fields of view of a slide; nothing where they lie apart.

    Parameters
    ----------
    file
        An h5ad file.
    xy
        (n, 2) places of the units that are read.
    rows
        The rows of the file that these are; None for all.
    """
    obs = file["obs"]
    for column in hdf5.columns(obs):
        if COLUMN.fullmatch(column) is None:
            continue
        codes = hdf5.categories(obs, column)[1]
        codes = codes if rows is None else codes[rows]
        share = within_others(codes, xy)
        if share < MIXED or mixed_share(codes, xy) < MIXED:
            continue
        apart = [keys for keys, other in _others(file, rows) if within_others(codes, other) <= APART]
        return {f"{OVERLAP}{column}": round(share * len(xy)), **{f"{WHOLE}{keys}": 1 for keys in apart[:1]}}
    return {}


def within_others(codes: Codes, xy: Floats) -> float:
    """Return the share of units in the middle of another field: between the 5 and 95 % of its x and y.

    Fields of fewer than ten units, and units without field or place, are not asked; 0 for one field.
    """
    known = np.flatnonzero((codes >= 0) & np.isfinite(xy).all(axis=1))
    fields = np.flatnonzero(np.bincount(codes[known]) >= MIN_UNITS) if len(known) else known
    if len(fields) < 2:
        return 0.0
    some = known[:: -(-len(known) // AT_MOST)]
    inside = np.zeros(len(some), dtype=bool)
    order = known[np.argsort(codes[known], kind="stable")]
    ends = np.searchsorted(codes[order], fields, side="right")
    starts = np.searchsorted(codes[order], fields, side="left")
    for field, start, end in zip(fields.tolist(), starts.tolist(), ends.tolist(), strict=True):
        low, high = np.quantile(xy[order[start:end]], INNER, axis=0)
        inside |= ((xy[some] > low) & (xy[some] < high)).all(axis=1) & (codes[some] != field)
    return float(inside.mean())


def _others(file: h5py.File, rows: NDArray[np.intp] | None) -> Iterator[tuple[str, Floats]]:
    """Yield the places that a file has beside, with the keys that would name them."""
    n_units = len(hdf5.index_of(file["obs"]))
    for name, node in entries_of(file).items():
        array: Any = node
        if getattr(array, "shape", None) == (n_units, 2) and array.dtype.kind in "iuf":
            values = np.asarray(array[()], dtype=np.float64)
            yield f"spatial: {name}", values if rows is None else values[rows]
    columns = [name for name in hdf5.columns(file["obs"]) if "local" not in name.casefold()]
    named = axes_of(columns)
    if named is not None:
        try:
            places = np.column_stack([hdf5.numbers(file["obs"], name) for name in named])
        except ValueError:
            return
        yield f"x: {named[0]}, y: {named[1]}", places if rows is None else places[rows]
