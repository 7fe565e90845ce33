"""Folds into one score: seeds averaged, then genes, slides, patients and headline."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from pytest_stbench.metrics.aggregate import defined_mean, headline, patient_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.metrics.aggregate import Headline
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.scores.scoring import CellScores


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledScore:
    """One metric over all folds and seeds of a pool; nan where undefined.

    ``effects`` says by how much each random draw behind the value of a slide moves it, ``error`` is the
    standard error that they leave to the headline; None where nothing is drawn.
    """

    per_patient: Mapping[str, float]
    per_slide: Mapping[str, float]
    headline: Headline
    undefined: Mapping[str, int]
    flags: tuple[str, ...]
    n_units: int
    n_genes: int | None
    seconds: float | None
    peak_memory_mb: float | None
    seed_sd: float | None
    effects: Mapping[str, tuple[float, ...]]
    error: float | None


def pool_scores(
    parts: Iterable[tuple[Cell, CellScores]], metric: str, patient_of: Mapping[str, str]
) -> PooledScore:
    """Pool the scores of one metric.

    Seeds of a slide are averaged before its patient is; ``seed_sd`` is the SD of the headline
    over seeds. ``n_genes`` is None when folds asked for different numbers of genes. The draws of a slide
    are the same for every seed.
    """
    cells = list(parts)
    by_slide: dict[str, list[float]] = {}
    by_seed: dict[int, dict[str, float]] = {}
    undefined: Counter[str] = Counter()
    units: dict[str, int] = {}
    flags: dict[str, None] = {}
    moved: dict[str, list[tuple[float, ...]]] = {}
    several = len({cell.seed for cell, _ in cells}) > 1
    for cell, scores in cells:
        units.update(scores.n_units)
        for slide, found in scores.values[metric].items():
            by_slide.setdefault(slide, []).append(found.value)
            if several:
                by_seed.setdefault(cell.seed, {})[slide] = found.value
            if found.undefined:
                undefined.update(found.undefined)
            if found.flags:
                flags.update(dict.fromkeys(found.flags))
            if found.effects:
                moved.setdefault(slide, []).append(found.effects)
    per_slide = {slide: defined_mean(values) for slide, values in by_slide.items()}
    per_patient = patient_values(per_slide, patient_of)
    effects = {slide: tuple(map(fmean, zip(*draws, strict=True))) for slide, draws in moved.items()}
    over_seeds = [headline(patient_values(values, patient_of)).value for values in by_seed.values()]
    genes = {scores.n_genes[metric] for _, scores in cells}
    return PooledScore(
        per_patient=per_patient,
        per_slide=per_slide,
        headline=headline(per_patient),
        undefined=dict(sorted(undefined.items())),
        flags=tuple(flags),
        n_units=sum(units.values()),
        n_genes=genes.pop() if len(genes) == 1 else None,
        seconds=_total(scores.seconds for _, scores in cells),
        peak_memory_mb=max(
            (s.peak_memory_mb for _, s in cells if s.peak_memory_mb is not None), default=None
        ),
        seed_sd=stdev(over_seeds) if len(over_seeds) > 1 else None,
        effects=effects,
        error=headline_error(
            {slide: _error(draws) for slide, draws in effects.items()}, per_slide, patient_of
        ),
    )


def headline_error(
    errors: Mapping[str, float], per_slide: Mapping[str, float], patient_of: Mapping[str, str]
) -> float | None:
    """Return the Monte Carlo standard error of a headline; None where no slide has one.

    Slides are drawn independently of each other; each weighs as it does in the mean over patients.

    Parameters
    ----------
    errors
        Standard error of the value of each slide; nan, or missing, where nothing is drawn.
    per_slide
        Values of the slides, nan where undefined.
    patient_of
        Patient of each slide.
    """
    known = {slide: error for slide, error in errors.items() if not math.isnan(error)}
    if not known:
        return None
    slides = Counter(patient_of[slide] for slide, value in per_slide.items() if not math.isnan(value))
    if not slides:
        return None
    weighed = (
        error / slides[patient_of[slide]]
        for slide, error in known.items()
        if not math.isnan(per_slide.get(slide, math.nan))
    )
    return math.hypot(*weighed) / len(slides)


def difference_error(first: PooledScore, second: PooledScore, patient_of: Mapping[str, str]) -> float | None:
    """Return the Monte Carlo standard error of the difference of two headlines; None where nothing is drawn.

    Both are held to the same draws, so that what moves both alike cancels.
    """
    slides = first.effects.keys() & second.effects.keys()
    errors = {
        slide: _error(tuple(a - b for a, b in zip(first.effects[slide], second.effects[slide], strict=True)))
        for slide in slides
    }
    return headline_error(errors, first.per_slide, patient_of)


def _error(effects: tuple[float, ...]) -> float:
    return stdev(effects) / math.sqrt(len(effects)) if len(effects) > 1 else math.nan


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None
