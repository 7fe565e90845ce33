"""Names by which batch correction gives itself away."""

from __future__ import annotations

import re

METHODS = ("harmony", "combat", "scvi", "scanvi", "totalvi", "mnn", "bbknn", "scanorama", "liger")
_NAMED = re.compile(
    rf"(?<![a-z])(?:{'|'.join(METHODS)})|(?:batch|regress)[ _-]?(?:corrected|out)|integrated", re.IGNORECASE
)


def names_correction(text: object) -> bool:
    """Tell whether a name (of a layer, an embedding, an entry of ``uns``) speaks of batch correction."""
    return bool(_NAMED.search(str(text)))
