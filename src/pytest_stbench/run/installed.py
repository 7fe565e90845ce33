"""All records this installation knows: the package's own and those of other packages."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_stbench.baselines.catalogue import BASELINES
from pytest_stbench.checks.catalogue import running_order
from pytest_stbench.data.catalogue import READERS
from pytest_stbench.index import external_records, own, set_project
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

if TYPE_CHECKING:
    from collections.abc import Iterable


def with_project(declared: Iterable[Any]) -> None:
    """Let the registry and the keys of this process know what a project declares, and nothing of another.

    Raises ``StbenchError`` as :func:`pytest_stbench.index.set_project` does.
    """
    from pytest_stbench.store.foreign import foreign_code
    from pytest_stbench.store.keys import code_version

    try:
        set_project(declared)
    finally:
        for known in (builtin_registry, foreign_code, code_version):
            known.cache_clear()


@cache
def builtin_registry() -> Registry:
    """Return the registry of every metric, check, baseline, family, split and reader."""
    others = external_records()
    return Registry(
        metrics=Catalogue("metric", [*METRICS, *(r for r in others if isinstance(r, Metric))]),
        checks=running_order([*own(Check), *(r for r in others if isinstance(r, Check))]),
        baselines=Catalogue("baseline", [*BASELINES, *(r for r in others if isinstance(r, Baseline))]),
        families=Catalogue("family", [*own(Family), *(r for r in others if isinstance(r, Family))]),
        splits=Catalogue("split", [*SPLITS, *(r for r in others if isinstance(r, Split))]),
        readers=Catalogue("source", [*READERS, *(r for r in others if isinstance(r, Reader))]),
    )
