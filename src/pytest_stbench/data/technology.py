"""The lattices of spot technologies: where array indices stand on the slide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """A regular array of units; ``pitch_um`` is the distance of neighbouring centres in um.

    On a ``hex`` lattice array indices follow Visium's numbering: the column counts half pitches,
    so that row + column is even and rows lie sqrt(3) / 2 pitches apart.
    """

    kind: Literal["square", "hex"]
    pitch_um: float


_ST = Lattice(kind="square", pitch_um=200.0)
_LATTICES = {
    "st": _ST,
    "legacyst": _ST,
    "stv1": _ST,
    "spatialtranscriptomics": _ST,
    "visium": Lattice(kind="hex", pitch_um=100.0),
    "visiumcytassist": Lattice(kind="hex", pitch_um=100.0),
    "xisium": Lattice(kind="hex", pitch_um=100.0),
    "visiumhd": Lattice(kind="square", pitch_um=16.0),
    "visiumhd16um": Lattice(kind="square", pitch_um=16.0),
    "visiumhd8um": Lattice(kind="square", pitch_um=8.0),
    "visiumhd2um": Lattice(kind="square", pitch_um=2.0),
}


def lattice_of(
    technology: str | None, resolution: str | None = None, pitch_um: float | None = None
) -> Lattice | None:
    """Return the lattice of a technology, or None where units do not lie on one.

    Parameters
    ----------
    technology
        Name as the data set declares it; case, spaces and punctuation do not matter.
    resolution
        ``xisium`` is a hexagonal lattice whatever technology the transcripts came from, ``cell``
        and ``transcript`` are none.
    pitch_um
        Declared pitch; replaces the technology's own.
    """
    if resolution in ("cell", "transcript"):
        return None
    name = "xisium" if resolution == "xisium" else re.sub(r"[^a-z0-9]", "", (technology or "").casefold())
    known = _LATTICES.get(name)
    if known is None or pitch_um is None:
        return known
    return Lattice(kind=known.kind, pitch_um=pitch_um)
