"""What each metric is. Imports nothing heavy; the functions load when they are first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.metrics.records import (
    coexpression,
    communication,
    embeddings,
    expression,
    labels,
    masks,
    niches,
    proportions,
    spatial,
    wrapping,
)

if TYPE_CHECKING:
    from pytest_stbench.registry import Metric

_KINDS = (
    expression, spatial, niches, coexpression, communication, labels, embeddings, masks, proportions,
    wrapping,
)  # fmt: skip

METRICS: tuple[Metric, ...] = tuple(
    sorted((record for kind in _KINDS for record in kind.RECORDS), key=lambda record: record.id)
)
