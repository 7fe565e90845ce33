"""Usual names of the columns that say which units came in one piece, first choice first."""

from __future__ import annotations

SLIDE = (
    "slide", "slide_id", "sample", "sample_id", "section", "section_id", "library_id", "library",
    "image_id", "capture_area",
)  # fmt: skip
BATCH = (
    "batch", "batch_id", "batch_key", "orig.ident", "sample_name", "slide_name", "library_key", "dataset",
    "dataset_id", "capture_area_id",
)  # fmt: skip
NAMES = (*SLIDE, *BATCH)
