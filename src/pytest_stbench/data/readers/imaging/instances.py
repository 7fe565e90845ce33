"""Which outlines of a file are which instances: by cell, plane and label."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.areas import areas_of
from pytest_stbench.data.naming import spread
from pytest_stbench.data.readers.imaging.found import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.areas import Areas
    from pytest_stbench.data.readers.imaging.found import Found

    Codes = NDArray[np.intp]

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
        names = _told_apart(
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


def _told_apart(
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
