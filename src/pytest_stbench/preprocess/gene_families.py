"""Genes that are near-copies of each other by their symbols: paralogues and members of one locus.

A hidden gene whose relative is observed is no test: KRT19 says little that KRT7 has not said.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

_FAMILIES = (
    ("HLA", re.compile(r"HLA-")),
    ("IG", re.compile(r"IG(H([ADEGM]\d?P?$|[VDJ][\d(O-])|K([CVJ]$|[VJ]\d)|L([CJVL]\d))")),
    ("TR", re.compile(r"TR[ABDG](C\d?$|[VDJ]\d)")),
    ("MT-", re.compile(r"MT-")),
    ("MRPL", re.compile(r"MRPL\d")),
    ("MRPS", re.compile(r"MRPS\d")),
    ("RPL", re.compile(r"RPL(P\d|\d)")),
    ("RPS6K", re.compile(r"RPS6K")),
    ("RPS", re.compile(r"RPS(A$|\d)")),
    ("HB", re.compile(r"HB([ABDEGMQZ]|[AEGQZ]\d)$")),
    ("MT", re.compile(r"MT[1-4]([A-Z]{1,2})?$")),
)
"""Stem and pattern of families whose symbols the general rule would tear apart."""

_UNRELATED = re.compile(
    r"(C(\d+|X|Y)ORF\d|LOC\d|LINC\d|KIAA\d|ENS[A-Z]*[GT]\d|(RP|AC|AL|AP|CT[ABCD]|XX)\d+[-.]|FAM\d|TMEM\d|CCDC\d)"
)
"""Placeholder and clone names: a number that says nothing of relation."""

_LETTERS_DIGITS = re.compile(r"([A-Z]+)(\d+)?")
MIN_PREFIX = 3


# Every fold asks for the same symbols.
@lru_cache(maxsize=1 << 17)
def stem(symbol: str) -> str:
    """Return the part of a gene symbol that its close relatives share.

    Known families first (HLA-, immunoglobulin and T-cell receptor chains, MT-, ribosomal
    proteins, haemoglobins, metallothioneins). Else the letters before the first digit where
    there are three or more (KRT7: KRT, COL1A1: COL, CXCL9: CXCL); a shorter prefix keeps its
    first number (CD3D: CD3, S100A8: S100). A symbol without digits, a placeholder name (C1orf159,
    LINC00152, FAM83A) and an Ensembl id stand for themselves.

    The rule reads symbols, not sequences: EPCAM and TACSTD2 are relatives that it does not see,
    and it may join genes that only share a name.
    """
    upper = symbol.upper()
    for name, pattern in _FAMILIES:
        if pattern.match(upper):
            return name
    if _UNRELATED.match(upper):
        return upper
    match = _LETTERS_DIGITS.match(upper)
    if match is None or match.group(2) is None:
        return upper
    letters, digits = match.groups()
    return letters if len(letters) >= MIN_PREFIX else letters + digits


def share_stem(targets: Sequence[str], observed: Collection[str]) -> NDArray[np.bool_]:
    """Return which `targets` share a stem with an `observed` gene, (len(targets),) bool."""
    import numpy as np

    stems = {stem(str(gene)) for gene in observed}
    return np.array([stem(str(gene)) in stems for gene in targets], dtype=bool)
