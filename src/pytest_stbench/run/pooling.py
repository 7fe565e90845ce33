"""Folds into one score: seeds averaged, then genes, slides, patients, headline and interval."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING

from pytest_stbench.gate import interval_for
from pytest_stbench.metrics.aggregate import headline, patient_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.gate.intervals import Reported
    from pytest_stbench.kernels.mean_interval import Range
    from pytest_stbench.metrics.aggregate import Headline
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.scoring import CellScores


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledScore:
    """One metric over all folds and seeds of a pool; nan where undefined."""

    per_patient: Mapping[str, float]
    per_slide: Mapping[str, float]
    headline: Headline
    reported: Reported
    undefined: Mapping[str, int]
    flags: tuple[str, ...]
    n_units: int
    n_genes: int | None
    seconds: float | None
    peak_memory_mb: float | None
    seed_sd: float | None


def pool_scores(
    parts: Iterable[tuple[Cell, CellScores]],
    metric: str,
    patient_of: Mapping[str, str],
    bounds: Range = (None, None),
) -> PooledScore:
    """Pool the scores of one metric, whose ends are `bounds`.

    Seeds of a slide are averaged before its patient is; ``seed_sd`` is the SD of the headline
    over seeds. ``n_genes`` is None when folds asked for different numbers of genes.
    """
    cells = list(parts)
    by_slide: dict[str, list[float]] = {}
    by_seed: dict[int, dict[str, float]] = {}
    undefined: Counter[str] = Counter()
    units: dict[str, int] = {}
    flags: dict[str, None] = {}
    for cell, scores in cells:
        for slide, found in scores.values[metric].items():
            by_slide.setdefault(slide, []).append(found.value)
            by_seed.setdefault(cell.seed, {})[slide] = found.value
            undefined.update(found.undefined)
            flags.update(dict.fromkeys(found.flags))
            units[slide] = scores.n_units[slide]
    per_slide = {slide: _mean(values) for slide, values in by_slide.items()}
    per_patient = patient_values(per_slide, patient_of)
    over_seeds = [
        headline(patient_values(values, patient_of)).value for values in by_seed.values() if len(by_seed) > 1
    ]
    genes = {scores.n_genes[metric] for _, scores in cells}
    return PooledScore(
        per_patient=per_patient,
        per_slide=per_slide,
        headline=headline(per_patient),
        reported=interval_for(per_patient.values(), bounds),
        undefined=dict(sorted(undefined.items())),
        flags=tuple(flags),
        n_units=sum(units.values()),
        n_genes=genes.pop() if len(genes) == 1 else None,
        seconds=_total(scores.seconds for _, scores in cells),
        peak_memory_mb=max(
            (s.peak_memory_mb for _, s in cells if s.peak_memory_mb is not None), default=None
        ),
        seed_sd=stdev(over_seeds) if len(over_seeds) > 1 else None,
    )


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None
