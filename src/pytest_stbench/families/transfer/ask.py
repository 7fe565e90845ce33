"""T13, transfer: what is lost when training and test slides are of different technologies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.families.question import Arms, Course, Latest, Request
from pytest_stbench.families.wrapping import WrappedTruth, WrappingQuestion
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted
    from pytest_stbench.registry import Metric

WITHIN = "@within"
"""Ends the key of a slide as predicted by a model that was trained on its own side."""


class TransferQuestion(WrappingQuestion):
    """Predict slides of the test side once from the training side, and once from their own side.

    With the split ``lotech`` the sides are technologies. On its own side every test patient is left
    out in turn. All models are trained on equally many units, drawn with seed 0: the smaller of the
    two sides decides, so that a gap is not one of sample size.
    """

    def courses(self, fold: FoldData) -> tuple[Course, ...]:
        """Return the training across, then one training within for every test patient.

        Raises ``DataError`` for a test side of one patient.
        """
        patients: dict[str, list[Slide]] = {}
        for slide in fold.test:
            patients.setdefault(slide.meta.patient_id or slide.meta.slide_id, []).append(slide)
        if len(patients) < 2:
            raise DataError(
                f"transfer compares with models trained on the test side, which has the patient "
                f"{next(iter(patients))} alone: it needs two or more"
            )
        sides = {
            patient: [slide for name, own in patients.items() if name != patient for slide in own]
            for patient in patients
        }
        n = min(_n_units(fold.train), *(_n_units(side) for side in sides.values()))
        across = tuple(Request(key=slide.meta.slide_id, slide=slide) for slide in fold.test)
        within = (
            Course(
                train=drawn(side, n),
                requests=tuple(
                    Request(key=slide.meta.slide_id + WITHIN, slide=slide) for slide in patients[patient]
                ),
            )
            for patient, side in sides.items()
        )
        return (Course(train=drawn(fold.train, n), requests=across), *within)

    def truth(self, slide: Slide, fold: FoldData) -> TransferTruth:
        """Return the truth of the question inside, for both predictions of a slide."""
        return TransferTruth(key=slide.meta.slide_id, inner=self.inner.truth(slide, fold), score=self.score)


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferTruth(WrappedTruth):
    """What both predictions of one test slide are scored against."""

    _latest: Latest[tuple[float, float]] = field(default_factory=Latest, init=False)

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms]:
        """Return the score within as truth and the score across as prediction."""
        del record
        across, within = self._latest.of(predicted[self.key], lambda: self._scores(predicted))
        down = self.score.record.better == "down"
        return (Arms(truth=within, prediction=across, offered={"down": lambda: down}),)

    def _scores(self, predicted: Predicted) -> tuple[float, float]:
        """Return the scores across and within."""
        both = (self.score(self.inner, {self.key: predicted[key]}) for key in (self.key, self.key + WITHIN))
        return next(both), next(both)


def drawn(slides: Sequence[Slide], n: int) -> tuple[Slide, ...]:
    """Return `n` units of the slides, drawn with seed 0, each slide in proportion to its size.

    The units of a slide are drawn by their names: their order in the file does not matter.
    """
    total = _n_units(slides)
    if n >= total:
        return tuple(slides)
    quota = _quotas({slide.meta.slide_id: slide.n_units for slide in slides}, n)
    parts = []
    for slide in slides:
        rng = stream(0, "transfer", slide.meta.slide_id)
        order = np.argsort(slide.unit_names, kind="stable")
        chosen = order[np.sort(rng.sample(slide.n_units, quota[slide.meta.slide_id]))]
        parts.append(slide.select(np.sort(chosen)))
    return tuple(part for part in parts if part.n_units)


def _quotas(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """Return how many units each slide gives: in proportion, largest remainders first."""
    total = sum(sizes.values())
    shares = {name: size * n / total for name, size in sizes.items()}
    quotas = {name: int(share) for name, share in shares.items()}
    rest = n - sum(quotas.values())
    for name in sorted(shares, key=lambda name: (quotas[name] - shares[name], name))[:rest]:
        quotas[name] += 1
    return quotas


def _n_units(slides: Sequence[Slide]) -> int:
    return sum(slide.n_units for slide in slides)
