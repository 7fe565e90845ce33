"""Scores of predictions that an earlier run scored, recalled by the predicted values themselves.

What a run keeps beside its results has the score of every gene: such a run scores anew.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.metrics.aggregate import SlideValue
from pytest_stbench.run.scores.scoring import CellScores, sketches_of
from pytest_stbench.run.scores.slide_variance import sums_of
from pytest_stbench.store.archive import array_digest
from pytest_stbench.store.memo import memo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.calls.computing import Prediction
    from pytest_stbench.families.question import Truth
    from pytest_stbench.run.scores.scoring import Detail, Scorer
    from pytest_stbench.run.scores.slide_variance import GeneSums
    from pytest_stbench.store.store import Store

    Truths = Callable[[], Mapping[str, Truth]]

SCORES, SUMS = "scores", "sums"
"""Kinds of what the store keeps."""
CODE = ("metrics", "run")
TUPLES = ("flags", "effects")


def scores_of(
    scorer: Scorer,
    store: Store,
    truths: Truths,
    prediction: Prediction,
    parts: Mapping[str, Any],
    keep: Callable[[list[Detail]], None] | None = None,
) -> CellScores:
    """Return the scores of a prediction; `truths` is asked where the store has none.

    `parts` says what the fold was made from, as in the key of a prediction, and its seed. `keep`, where
    somebody wants it, is given what every value is made of.
    """
    if keep is not None:
        details: list[Detail] = []
        scores = scorer.score(truths(), prediction, details)
        keep(details)
        return scores
    if not all(isinstance(values, np.ndarray) for values in prediction.values.values()):
        return scorer.score(truths(), prediction)  # a statistic in the place of a prediction has no digest
    predicted = {name: array_digest(values) for name, values in prediction.values.items()}
    made_of = {**parts, "metrics": scorer.described, "order": scorer.names, "predicted": predicted}
    found: CellScores | None = None

    def made() -> dict[str, Any]:
        nonlocal found
        found = scorer.score(truths(), prediction)
        return {
            "values": {
                metric: {slide: asdict(value) for slide, value in slides.items()}
                for metric, slides in found.values.items()
            },
            # Truths of other packages may count with numpy.
            "n_units": {slide: int(n) for slide, n in found.n_units.items()},
            "n_genes": {metric: None if n is None else int(n) for metric, n in found.n_genes.items()},
        }

    def read(kept: Mapping[str, Any]) -> CellScores:
        return found or CellScores(
            values={
                metric: {slide: _value(value) for slide, value in slides.items()}
                for metric, slides in kept["values"].items()
            },
            n_units=kept["n_units"],
            n_genes=kept["n_genes"],
            seconds=prediction.seconds,
            peak_memory_mb=prediction.peak_memory_mb,
            sketches=sketches_of(prediction),
        )

    return memo(store, SCORES, made_of, made, read, *CODE)


def sums_of_genes(store: Store, truths: Truths, parts: Mapping[str, Any]) -> dict[str, GeneSums]:
    """Return what :class:`SlideVariance` takes of the truth of each test slide of a fold."""

    def made() -> dict[str, Any]:
        return {
            slide: [np.asarray(genes).tolist(), sums.tolist()]
            for slide, (genes, sums) in sums_of(truths()).items()
        }

    def read(kept: Mapping[str, Any]) -> dict[str, GeneSums]:
        return {slide: (np.array(genes, dtype=str), np.array(sums)) for slide, (genes, sums) in kept.items()}

    return memo(store, SUMS, parts, made, read, *CODE)


def _value(kept: Mapping[str, Any]) -> SlideValue:
    known = {field.name: kept[field.name] for field in fields(SlideValue)}
    return SlideValue(**{**known, **{name: tuple(known[name]) for name in TUPLES}})
