"""Names that are no genes: negative probes, blank and unassigned codewords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

CONTROL = re.compile(
    r"""
    neg(ative)?[ _-]?(ctrl|control)        # NegControlProbe_00042, NegControlCodeword_0500 (Xenium)
    | neg(ative)?[ _-]?(prb|probe)(?![a-z])# NegPrb3, Negative01 probes (CosMx)
    | negative\d+$
    | blank[ _-]                           # BLANK_0006 (Xenium), Blank-1 (MERSCOPE)
    | blank\d+$
    | unassigned[ _-]?codeword
    | deprecated[ _-]?codeword
    | intergenic[ _-]?region
    | genomic[ _-]?control
    | antisense[ _-]
    | system[ _-]?control                  # SystemControl12, FalseCode12 (CosMx)
    | false[ _-]?code\d*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Matched at the start of a name. Genes such as BLNK, NEGR1 or ANTXR1 do not match."""


def is_control(names: Iterable[object]) -> NDArray[np.bool_]:
    """Return which of `names` are controls by what the vendors call them, (n,)."""
    return np.array([CONTROL.match(str(name)) is not None for name in names], dtype=bool)
