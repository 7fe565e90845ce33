"""Signs that what is called one slide holds the units of several sections.

One section has every position of its array once, and every barcode once; two pieces of tissue do not
lie in one place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TWICE = 0.001
"""Share of units that may stand twice before it is a sign; single ones are double entries."""

MIXED = 0.2
"""Share of units whose nearest neighbour has another name of its batch, from which batches lie mixed."""

MAX_SUFFIXES = 200
SAMPLED_NAMES = 200
MOST = 0.9
NAMES_A_SUFFIX = 10
"""Rows and columns of an array in a name (``10-13``) repeat as suffixes do, but are as many as the rest."""

_BARCODE = re.compile(r".*[ACGT]{12,}(-\d+)?|s_\d{3}um_\d+_\d+(-\d+)?")
_NUMBERED = re.compile(r".+-\d+")


@dataclass(frozen=True, slots=True, eq=False)
class Sign:
    """What was seen, as a sentence about units; ``share`` of them; ``key`` (n,) of what stands twice.

    Units with the same key are of different sections; a key of -1 says nothing.
    """

    text: str
    share: float
    key: NDArray[np.intp]


def signs_of_sections(
    names: NDArray[np.str_],
    index: NDArray[np.floating | np.integer] | None = None,
    xy: NDArray[np.float64] | None = None,
) -> tuple[Sign, ...]:
    """Return the signs that units are of several sections; nothing where there is none.

    Parameters
    ----------
    names
        (n,) names of the units. Names that are equal but for a suffix or a prefix, as tools add them when
        they join slides, are a sign where the rest is a barcode, or ends in its ``-1``.
    index
        (n, 2) array row and column, nan where there is none.
    xy
        (n, 2) places in any unit.
    """
    found = []
    for what, places in (("array position", index), ("place", xy)):
        if places is not None and len(places):
            key = _key(np.asarray(places, dtype=np.float64))
            found.append(_sign(key, f"of the units have the {what} of another"))
    joined = _without_suffix(names)
    if joined is not None:
        key, example = joined
        found.append(
            _sign(key, f"of the units have the barcode of another but for what was added ({example})")
        )
    return tuple(sign for sign in found if sign is not None)


def tells_apart(codes: NDArray[np.intp], sign: Sign) -> bool:
    """Return whether units with the same key differ in `codes` (n,), -1 for none, but for single ones."""
    pairs = np.column_stack([codes, sign.key]).astype(np.float64)
    pairs[sign.key < 0] = np.nan
    return bool((codes >= 0).all() and _twice(_key(pairs)).mean() <= MAX_TWICE)


def mixed_share(codes: NDArray[np.intp], xy: NDArray[np.float64]) -> float:
    """Return the share of units whose nearest neighbour differs in `codes` (n,); 0 for fewer than two."""
    known = np.flatnonzero(np.isfinite(xy).all(axis=1) & (codes >= 0))
    if len(known) < 2:
        return 0.0
    _, near = cKDTree(xy[known]).query(xy[known], k=2)
    # Of units at one place either may come first.
    other = np.where(near[:, 0] == np.arange(len(known)), near[:, 1], near[:, 0])
    return float((codes[known[other]] != codes[known]).mean())


def _sign(key: NDArray[np.intp], text: str) -> Sign | None:
    share = float(_twice(key).mean()) if len(key) else 0.0
    return Sign(text, share, key) if share > MAX_TWICE else None


def _key(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the number of each distinct row, -1 for rows that are not finite."""
    known = np.isfinite(rows).all(axis=1)
    key = np.full(len(rows), -1, dtype=np.intp)
    if known.any():
        key[known] = np.unique(rows[known], axis=0, return_inverse=True)[1].ravel()
    return key


def _twice(key: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which entries have a key that another entry has."""
    if not len(key) or key.max() < 0:
        return np.zeros(len(key), dtype=bool)
    times = np.bincount(key[key >= 0])
    return (key >= 0) & (times[key] > 1)


def _without_suffix(names: NDArray[np.str_]) -> tuple[NDArray[np.intp], str] | None:
    """Return the key of what is a unit's own in each name, and an example of what was added to it.

    None where names have nothing added: that some repeat is not asked here.
    """
    if not len(names):
        return None
    sample = names[np.linspace(0, len(names) - 1, min(len(names), SAMPLED_NAMES)).astype(np.intp)].tolist()
    cuts = []
    for separator in ("-", "_", ".", "#", ":"):
        for last in (True, False):
            parts = [name.rpartition(separator) if last else name.partition(separator) for name in sample]
            cuts.append((separator, last, [part[0] if last else part[2] for part in parts]))
    # What was added is the least that leaves a name.
    for separator, last, rest in sorted(cuts, key=lambda cut: -sum(map(len, cut[2]))):
        barcodes = sum(_is_barcode(text, last=last) for text in rest) >= MOST * len(sample)
        if not barcodes and not (last and separator == "-" and all(rest)):
            continue
        split = (np.char.rpartition if last else np.char.partition)(names, separator)
        added = np.unique(split[:, 2 if last else 0])
        if not 2 <= len(added) <= MAX_SUFFIXES:
            continue
        own, key = np.unique(split[:, 0 if last else 2], return_inverse=True)
        if barcodes or _of_concatenation(added, len(own)):
            shown = ", ".join(f"{separator}{a}" if last else f"{a}{separator}" for a in added[:3])
            return key.astype(np.intp), shown
    return None


def _of_concatenation(added: NDArray[np.str_], n_own: int) -> bool:
    """Return whether suffixes are those of ``anndata.concat``: keys, or numbers from 0, few beside names."""
    if n_own < NAMES_A_SUFFIX * len(added):
        return False
    numeric = [text.isdecimal() for text in added.tolist()]
    if any(numeric):
        return all(numeric) and sorted(map(int, added.tolist())) == list(range(len(added)))
    return True


def _is_barcode(text: str, *, last: bool) -> bool:
    """Return whether what is left of a name is a barcode; after a suffix its own ``-1`` says so too."""
    return bool(_BARCODE.fullmatch(text)) or (last and bool(_NUMBERED.fullmatch(text)))
