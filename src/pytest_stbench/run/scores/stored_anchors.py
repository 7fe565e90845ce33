"""What scores are read against on each slide: made once a fold and kept in the store."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.families.anchors import ANCHORS
from pytest_stbench.models.identity import digest_of
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Anchoring, Truth
    from pytest_stbench.run.scores.scoring import Scorer
    from pytest_stbench.store.store import Store

KIND = "anchors"


class Anchors:
    """Gives the truths of a fold the ceilings, floors and thresholds that the task's metrics take."""

    def __init__(self, scorer: Scorer, store: Store) -> None:
        self._records = [record for record in scorer.records if ANCHORS.intersection(record.inputs)]
        self._store = store

    def anchored(
        self, fold: FoldData, truths: Mapping[str, Truth], parts: Mapping[str, Any]
    ) -> dict[str, Truth]:
        """Return the truths with their anchors.

        `parts` says what the fold was made from, as in the key of a prediction.
        """
        maker = fold.question.anchors(fold) if self._records else None
        if maker is None:
            return dict(truths)
        metrics = {record.name: dict(record.params) for record in self._records}
        key = digest_of({**parts, "metrics": metrics, "code": code_version("metrics")})
        found = self._store.recall(KIND, key, _read)
        if found is None:
            kept = _stored(self._make(maker, fold, truths))
            self._store.remember(KIND, key, kept)
            found = _read(kept)
        return {slide: replace(truth, anchors=found.get(slide, {})) for slide, truth in truths.items()}  # type: ignore[type-var]  # truths are records

    def _make(self, maker: Anchoring, fold: FoldData, truths: Mapping[str, Truth]) -> dict[str, Any]:
        slides = {slide.meta.slide_id: slide for slide in fold.test}
        return {
            slide: {record.name: maker.of(slides[slide], truth, record) for record in self._records}
            for slide, truth in truths.items()
        }


def _stored(value: Any) -> Any:
    """Return `value` as JSON has it: null for nan."""
    if isinstance(value, dict):
        return {name: _stored(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_stored(child) for child in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _read(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_read(child) for child in value]
    return math.nan if value is None else value
