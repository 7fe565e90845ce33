"""Names that tell something: columns of units that came in one piece, marks of batch correction."""

from __future__ import annotations

import re

SLIDE = (
    "slide", "slide_id", "sample", "sample_id", "section", "section_id", "library_id", "library",
    "image_id", "capture_area",
)  # fmt: skip
BATCH = (
    "batch", "batch_id", "batch_key", "orig.ident", "sample_name", "slide_name", "library_key", "dataset",
    "dataset_id", "capture_area_id",
)  # fmt: skip
NAMES = (*SLIDE, *BATCH)


METHODS = ("harmony", "combat", "scvi", "scanvi", "totalvi", "mnn", "bbknn", "scanorama", "liger")
_NAMED = re.compile(
    rf"(?<![a-z])(?:{'|'.join(METHODS)})|(?:batch|regress)[ _-]?(?:corrected|out)|integrated", re.IGNORECASE
)


def names_correction(text: object) -> bool:
    """Tell whether a name (of a layer, an embedding, an entry of ``uns``) speaks of batch correction."""
    return bool(_NAMED.search(str(text)))
