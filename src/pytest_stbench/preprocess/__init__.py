"""What is done to the counts before a model is asked: filter, scale, choose genes, cut blocks."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "FittedPreprocess": "fitted",
    "GeneSelection": "genes",
    "SlideStatistics": "statistics",
    "filter_units": "filter",
    "fit_preprocess": "fitted",
    "from_counts": "normalise",
    "normalise_counts": "normalise",
    "share_stem": "gene_families",
    "slide_statistics": "statistics",
    "stem": "gene_families",
    "within_masks": "blocks",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
