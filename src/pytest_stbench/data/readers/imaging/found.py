"""What a file of outlines holds, before planes are chosen and polygons are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.naming import cells_in_fields, cells_of, coded

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from numpy.typing import NDArray

    from pytest_stbench.data.naming import Coded
    from pytest_stbench.data.readers.imaging.keys import Keys

    Codes = NDArray[np.intp]
    Blocks = Iterable[tuple[NDArray[np.object_], Codes]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The outlines of a file in its order, (s,); each says what it belongs to, in codes and names.

    ``cells`` has the code -1 for what is in no cell. Planes are numbered upwards. ``apart`` says that
    several outlines of a cell without labels are several things, and not its parts. ``build`` yields
    the geometries of chosen outlines and the outline of each, some at a time. ``empty`` (s,) tells which
    have nothing that could cover anything; None where none is known to be so.
    """

    cells: Coded
    planes: Coded | None
    labels: Coded | None
    apart: bool
    build: Callable[[Codes], Blocks]
    empty: NDArray[np.bool_] | None = None


def cells_in(table: Any, keys: Keys, known: Container[object]) -> Coded:
    """Return the cell of each row of a table of outlines."""
    if keys.cell is None:
        return np.arange(len(table)), np.arange(len(table)).astype(str).astype(object)
    if keys.field is not None:
        return cells_in_fields(table[keys.field], table[keys.cell])
    return cells_of(table[keys.cell], known)


def planes_in(table: Any, keys: Keys) -> Coded | None:
    """Return the plane of each row, numbered upwards; None where the table has no planes.

    A column ``z`` counts only if its values are whole: else it is the height of a vertex.
    """
    if keys.plane is None:
        return None
    codes, names = coded(table[keys.plane])
    heights = np.array([_height(name) for name in names.tolist()])
    if keys.plane.casefold() == "z" and not (heights == np.rint(heights)).all():
        return None
    order = np.lexsort((names.astype(str), heights))
    return np.append(np.argsort(order), -1)[codes], names[order]


def _height(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return np.inf


def numbered(*keys: Codes | None) -> Codes:
    """Return one number for each combination of codes, in the order in which combinations come."""
    import pandas as pd

    joint: Codes | None = None
    for codes in keys:
        if codes is not None:
            # -1, no name, is a value like others
            span = int(np.max(codes, initial=-1)) + 2
            joint = codes + 1 if joint is None else joint * span + codes + 1
            joint = pd.factorize(joint)[0]
    assert joint is not None  # there is always a cell
    return joint.astype(np.intp)
