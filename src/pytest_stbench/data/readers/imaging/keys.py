"""Which columns of a table of outlines tell one outline from the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CELLS = ("cell_id", "cellID", "cell_ID", "cell", "EntityID", "id")
"""The cell: Xenium and plain tables, CosMx, proseg and Baysor, MERSCOPE."""

FIELDS = ("fov",)
NUMBERED = ("cellID", "cell_ID")
"""Columns of CosMx that count cells anew in every field of view."""

PLANES = ("ZIndex", "z_index", "z_plane", "plane", "layer", "ZLevel", "z_level", "z")
LABELS = ("label_id", "nucleus_id", "instance_id", "label")
PARTS = ("part", "part_id", "polygon", "polygon_id", "piece")
RINGS = ("ring", "ring_id")
HOLES = ("hole", "is_hole")


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
        found = (self.cell, self.field, self.plane, self.label, self.part, self.ring, self.hole)
        return tuple(name for name in found if name is not None)


def keys_of(there: Sequence[str]) -> Keys:
    """Return the keys among the columns of a table.

    The numbers of CosMx with their field of view go before other names of the cell. Case does not matter
    but for the cell, whose ``cell_ID`` and ``cell_id`` are different things.
    """
    numbered = _first(NUMBERED, there)
    field = _first(FIELDS, there) if numbered is not None else None
    lower = {name.casefold(): name for name in reversed(list(there))}

    def found(names: Sequence[str]) -> str | None:
        return next((lower[name.casefold()] for name in names if name.casefold() in lower), None)

    return Keys(
        cell=numbered if field is not None else _first(CELLS, there),
        field=field,
        plane=found(PLANES),
        label=found(LABELS),
        part=found(PARTS),
        ring=found(RINGS),
        hole=found(HOLES),
    )


def _first(names: Sequence[str], there: Sequence[str]) -> str | None:
    return next((name for name in names if name in there), None)
