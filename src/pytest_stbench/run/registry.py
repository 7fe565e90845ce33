"""All records this installation knows: the package's own and those of other packages."""

from __future__ import annotations

from functools import cache

from pytest_stbench.baselines.catalogue import BASELINES
from pytest_stbench.checks.catalogue import CHECKS
from pytest_stbench.data.catalogue import READERS
from pytest_stbench.families.catalogue import FAMILIES
from pytest_stbench.index import external_records
from pytest_stbench.metrics.catalogue import METRICS
from pytest_stbench.registry import (
    Baseline,
    Catalogue,
    Check,
    Family,
    Metric,
    Reader,
    Registry,
    Split,
)
from pytest_stbench.splits.catalogue import SPLITS


@cache
def builtin_registry() -> Registry:
    """Return the registry of every metric, check, baseline, family, split and reader."""
    others = external_records()
    return Registry(
        metrics=Catalogue("metric", [*METRICS, *(r for r in others if isinstance(r, Metric))]),
        checks=Catalogue("check", [*CHECKS, *(r for r in others if isinstance(r, Check))]),
        baselines=Catalogue("baseline", [*BASELINES, *(r for r in others if isinstance(r, Baseline))]),
        families=Catalogue("family", [*FAMILIES, *(r for r in others if isinstance(r, Family))]),
        splits=Catalogue("split", [*SPLITS, *(r for r in others if isinstance(r, Split))]),
        readers=Catalogue("source", [*READERS, *(r for r in others if isinstance(r, Reader))]),
    )
