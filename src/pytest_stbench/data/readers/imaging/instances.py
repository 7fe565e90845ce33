"""What a file of outlines holds: the columns that tell one from the next, and which are which instances."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.areas import areas_of
from pytest_stbench.data.naming import cells_in_fields, cells_of, coded, spread
from pytest_stbench.data.readers.imaging.tables import first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.areas import Areas
    from pytest_stbench.data.naming import Coded

    Codes = NDArray[np.intp]
    Blocks = Iterable[tuple[NDArray[np.object_], Codes]]

CELLS = ("cell_id", "cellID", "cell_ID", "cell", "EntityID", "id")
"""The cell: Xenium and plain tables, CosMx, proseg and Baysor, MERSCOPE."""

FIELDS = ("fov",)
NUMBERED = ("cellID", "cell_ID")
"""Columns of CosMx that count cells anew in every field of view."""

OTHERS = {
    "plane": ("ZIndex", "z_index", "z_plane", "plane", "layer", "ZLevel", "z_level", "z"),
    "label": ("label_id", "nucleus_id", "instance_id", "label"),
    "part": ("part", "part_id", "polygon", "polygon_id", "piece"),
    "ring": ("ring", "ring_id"),
    "hole": ("hole", "is_hole"),
}
"""Names of the other keys; case does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Names of the columns in one table; None where it has none of the kind."""

    cell: str | None
    field: str | None
    plane: str | None
    label: str | None
    part: str | None
    ring: str | None
    hole: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Return those that are there."""
        return tuple(name for name in astuple(self) if name is not None)


def keys_of(there: Sequence[str]) -> Keys:
    """Return the keys among the columns of a table.

    The numbers of CosMx with their field of view go before other names of the cell. Case does not matter
    but for the cell, whose ``cell_ID`` and ``cell_id`` are different things.
    """
    numbered = first_of(NUMBERED, there)
    field = first_of(FIELDS, there) if numbered is not None else None
    lower = {name.casefold(): name for name in reversed(list(there))}
    folded = {key: first_of(map(str.casefold, names), lower) for key, names in OTHERS.items()}
    others = {key: None if name is None else lower[name] for key, name in folded.items()}
    return Keys(cell=numbered if field is not None else first_of(CELLS, there), field=field, **others)


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


PLANE = "plane:"
"""Before the name of a plane, in the notes."""

NO_CELL = "no cell"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Outlines that count, ascending (s,), the instance of each, and the instances of each plane."""

    outlines: Codes
    instance: Codes
    notes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instances:
    """The instances of a file: their names, the cells they are of, what they cover, what was counted."""

    names: NDArray[np.str_]
    owners: NDArray[np.str_]
    areas: Areas
    notes: Mapping[str, int]


def chosen(found: Found, kind: str) -> Chosen:
    """Return the outlines that count, each instance on the lowest plane that it has.

    Outlines of a cell are its parts; what is in no cell is none. Those of its nuclei are instances of
    their own where their label differs, or, without labels, where nothing says that they are parts.
    """
    cell = found.cells[0]
    label = found.labels[0] if found.labels is not None and kind == "nucleus" else None
    kept = cell >= 0 if kind == "cell" else np.ones(len(cell), dtype=bool)
    notes: dict[str, int] = {}
    if found.planes is not None:
        same = numbered(cell, label)
        lowest = np.full(len(same), np.iinfo(np.intp).max)
        full = kept if found.empty is None else kept & ~found.empty
        np.minimum.at(lowest, same[full], found.planes[0][full])
        # What has no outline on any plane is counted on the lowest that names it.
        named = kept & (lowest[same] == np.iinfo(np.intp).max)
        np.minimum.at(lowest, same[named], found.planes[0][named])
        kept &= found.planes[0] == lowest[same]
    outlines = np.flatnonzero(kept)
    apart = outlines if kind == "nucleus" and label is None and found.apart else None
    instance = numbered(cell[outlines], None if label is None else label[outlines], apart)
    if found.planes is not None:
        first = np.unique(instance, return_index=True)[1]
        planes = spread(found.planes[0][outlines[first]], found.planes[1], "none")
        names, times = np.unique(planes.astype(str), return_counts=True)
        notes = {
            f"{kind}_outlines_{PLANE}{name}": int(n) for name, n in zip(names.tolist(), times, strict=True)
        }
    return Chosen(outlines=outlines, instance=instance, notes=notes)


def instances(found: Found, taken: Chosen, kind: str) -> Instances:
    """Return the instances that the chosen outlines make."""
    first = np.unique(taken.instance, return_index=True)[1]
    n = len(first)
    owner = found.cells[0][taken.outlines[first]]
    owners = spread(owner, found.cells[1], "")
    of_outline = np.full(len(found.cells[0]), -1, dtype=np.intp)
    of_outline[taken.outlines] = taken.instance
    areas, mended = areas_of(
        ((geometries, of_outline[which]) for geometries, which in found.build(taken.outlines)), n
    )
    nowhere = int((found.cells[0] < 0).sum())
    notes = {**taken.notes, **outline_notes(kind, areas, mended), f"{kind}_outlines_in_no_cell": nowhere}
    names = owners
    if kind == "nucleus":
        times = np.bincount(owner[owner >= 0], minlength=len(found.cells[1]))
        notes["cells_with_several_nuclei"] = int((times > 1).sum())
        names = _names_of_nuclei(
            found, taken.outlines[first], owners, (owner < 0) | (np.append(times, 0)[owner] > 1)
        )
    return Instances(names=names.astype(np.str_), owners=owners.astype(np.str_), areas=areas, notes=notes)


def outline_notes(kind: str, areas: Areas, mended: int) -> dict[str, int]:
    """Return what is counted of outlines of any file: see ``docs/formats.md``."""
    return {
        f"{kind}_outlines_read": areas.n,
        f"{kind}_outlines_in_parts": int((areas.parts > 1).sum()),
        f"{kind}_outlines_with_holes": areas.with_holes,
        f"{kind}_outlines_mended": mended,
        f"{kind}_outlines_without_area": int((areas.parts == 0).sum()),
    }


def _names_of_nuclei(
    found: Found, outlines: Codes, owners: NDArray[np.object_], shared: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Return the names of nuclei: that of the cell, with the label behind it where the cell is `shared`."""
    names = owners.copy()
    counted: Counter[str] = Counter()
    labels = None if found.labels is None else spread(found.labels[0][outlines], found.labels[1])
    for place in np.flatnonzero(shared).tolist():
        owner = owners[place]
        counted[owner] += 1
        label = None if labels is None else labels[place]
        names[place] = f"{owner or NO_CELL}:{counted[owner] if label is None else label}"
    return names
