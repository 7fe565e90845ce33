"""Metrics: plain functions on arrays, truth first, prediction second.

Every metric returns :class:`Scores`, one value per gene or unit of a slide with a reason for
each that is undefined; :func:`slide_value`, :func:`patient_values` and :func:`headline` average
them. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.metrics.aggregate import (
        Headline,
        SlideValue,
        headline,
        patient_values,
        slide_value,
    )
    from pytest_stbench.metrics.correlation import (
        pearson_gene,
        pearson_spot,
        pearson_spot_residual,
        spearman_gene,
        spearman_spot,
    )
    from pytest_stbench.metrics.error import mae, r2, rmse
    from pytest_stbench.metrics.partial import partial_pearson_gene, partial_spearman_gene
    from pytest_stbench.metrics.scores import Scores
    from pytest_stbench.metrics.similarity import concordance, cosine_gene, cosine_spot, jsd_map

_HOMES = {
    "aggregate": ("Headline", "SlideValue", "headline", "patient_values", "slide_value"),
    "correlation": (
        "pearson_gene", "pearson_spot", "pearson_spot_residual", "spearman_gene", "spearman_spot",
    ),
    "error": ("mae", "r2", "rmse"),
    "partial": ("partial_pearson_gene", "partial_spearman_gene"),
    "scores": ("Scores",),
    "similarity": ("concordance", "cosine_gene", "cosine_spot", "jsd_map"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Headline",
    "Scores",
    "SlideValue",
    "concordance",
    "cosine_gene",
    "cosine_spot",
    "headline",
    "jsd_map",
    "mae",
    "partial_pearson_gene",
    "partial_spearman_gene",
    "patient_values",
    "pearson_gene",
    "pearson_spot",
    "pearson_spot_residual",
    "r2",
    "rmse",
    "slide_value",
    "spearman_gene",
    "spearman_spot",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
