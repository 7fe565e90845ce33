"""Tables of scores: one for each task, data set, variant, split and model, and what they say in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import stdev
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.report.verdicts import PASSED, verdict_word
from pytest_stbench.report.width import fitted, left_out_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.report.verdicts import Ended
    from pytest_stbench.results.record import ScoreRecord, VerdictRecord
    from pytest_stbench.results.schema import Results

Place = tuple[str, str, str, str]
FEW_PATIENTS = 3
APPROXIMATE_BELOW = 6
FIRST = ("metric", "", "value", "verdict", "[95% CI]", "S", "T", "patients", "ceiling", "skill")
"""Columns in the order in which they are kept where a terminal is narrow."""
SHARE_OF_PATIENTS = 0.1
"""Largest part of the standard error over patients that random draws should add."""


@dataclass(slots=True)
class Table:
    """Pooled scores of one model with its ladder, and the verdicts on them."""

    place: Place
    model: str
    scores: list[ScoreRecord] = field(default_factory=list)
    ladder: dict[str, dict[str, ScoreRecord]] = field(default_factory=dict)
    verdicts: dict[str, VerdictRecord] = field(default_factory=dict)


def place_of(record: ScoreRecord | VerdictRecord) -> Place:
    """Return task, data set, variant and split of a record."""
    return record.task, record.dataset, record.variant, record.split


def make_tables(results: Results) -> list[Table]:
    """Return the tables of a run, in the order in which their scores came."""
    tables: dict[tuple[Place, str], Table] = {}
    ladders: dict[Place, list[ScoreRecord]] = {}
    for score in results.scores:
        place = place_of(score)
        if score.fold is None and score.role == "model":
            table = tables.setdefault((place, score.model), Table(place, score.model))
            table.scores.append(score)
        elif score.fold is None:
            ladders.setdefault(place, []).append(score)
    for table in tables.values():
        for score in ladders.get(table.place, ()):
            if score.role == "baseline" or score.model.endswith(f"({table.model})"):
                table.ladder.setdefault(score.metric, {})[score.model] = score
    for verdict in results.verdicts:
        judged = tables.get((place_of(verdict), verdict.model))
        if judged is not None:
            judged.verdicts[verdict.metric] = verdict
    return list(tables.values())


def table_lines(
    table: Table,
    primary: str,
    trivial: str,
    simple: str,
    ended: Mapping[tuple[str, ...], Ended] = MappingProxyType({}),
    width: int | None = None,
) -> list[str]:
    """Return the lines of one table: the primary metric is marked with ``*``.

    The last column has the verdict of a gated score and the standing of any other; `ended` tells how the
    item of a verdict ended, by its key. With a `width` the columns that do not fit are named below.
    """
    others = _others(table, trivial, simple)
    header = ["", "metric", "value", "[95% CI]", "T", "S", *others, "ceiling", "skill", "patients", "verdict"]
    rows = [header]
    for score in table.scores:
        ladder = table.ladder.get(score.metric, {})
        verdict = table.verdicts.get(score.metric)
        rows.append(
            [
                "*" if score.metric == primary else "",
                score.metric,
                number(score.value),
                interval(score),
                number(_value(ladder, trivial)),
                number(_value(ladder, simple)),
                *(number(_value(ladder, _full(name, table.model, ladder))) for name in others),
                number(score.ceiling),
                number(score.skill, 2),
                str(score.n_patients),
                _judged(verdict, score, ended),
            ]
        )
    lines, left_out = fitted(rows, FIRST, width)
    below = [f"  {line}" for line in left_out_line(left_out)]
    return [*lines, *below, *_few_patients(table, primary), *_noise(table)]


def number(value: float | None, places: int = 3) -> str:
    """Return a value as people write it; a dash where there is none."""
    return "-" if value is None else f"{value:.{places}f}"


def interval(score: ScoreRecord) -> str:
    """Return the interval of a score, or why there is none."""
    if score.ci_low is None or score.ci_high is None:
        return "no CI" if score.n_patients else ""
    approximate = "~" if score.n_patients < APPROXIMATE_BELOW else ""
    return f"{approximate}[{score.ci_low:.3f}, {score.ci_high:.3f}]"


def _others(table: Table, trivial: str, simple: str) -> list[str]:
    """Names of the ladder beside T and S, those of controls without the model they transform."""
    names: dict[str, None] = {}
    for scores in table.ladder.values():
        for name in scores:
            if name not in (trivial, simple):
                names[name.partition("(")[0]] = None
    return list(names)


def _full(name: str, model: str, ladder: dict[str, ScoreRecord]) -> str:
    return name if name in ladder else f"{name}({model})"


def _value(ladder: dict[str, ScoreRecord], name: str) -> float | None:
    return ladder[name].value if name in ladder else None


def _judged(verdict: VerdictRecord | None, score: ScoreRecord, ended: Mapping[tuple[str, ...], Ended]) -> str:
    if verdict is not None and (verdict.gated or verdict.verdict in ("reference", "not_evaluable")):
        return verdict_word(verdict, ended.get(verdict.key, PASSED))
    return (score.standing or "") if score.value is not None else "not evaluable"


def _few_patients(table: Table, primary: str) -> list[str]:
    """With three patients or fewer there is no interval: every patient is shown."""
    shown = [score for score in table.scores if score.metric == primary and score.n_patients <= FEW_PATIENTS]
    return [
        f"  {score.metric} by patient: "
        + ", ".join(f"{patient} {number(value)}" for patient, value in score.per_patient.items())
        for score in shown
    ]


def _noise(table: Table) -> list[str]:
    """Return what error random draws leave to values and ceilings; nothing where nothing is drawn."""
    parts = []
    for score in table.scores:
        if score.monte_carlo_se is not None:
            values = [value for value in score.per_patient.values() if value is not None]
            patients = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
            more = score.monte_carlo_se > patients * SHARE_OF_PATIENTS
            note = f", more than a tenth of the {patients:.2g} over patients" if more else ""
            parts.append(f"{score.metric} {score.monte_carlo_se:.2g}{note}")
    ceilings = max((score.ceiling_se for score in table.scores if score.ceiling_se is not None), default=None)
    if ceilings is not None:
        parts.append(f"ceilings up to {ceilings:.2g}")
    return [f"  standard error of random draws: {'; '.join(parts)}"] if parts else []


def undefined_line(scores: Iterable[ScoreRecord]) -> str | None:
    """Return how many values of the scores were undefined, by reason."""
    parts = []
    for score in scores:
        if score.undefined:
            counted = ", ".join(f"{reason} {count}" for reason, count in score.undefined.items())
            parts.append(f"{score.metric}: {counted}")
    return "; ".join(parts) or None


STANDINGS = {"above S": "better than S", "below S": "worse than S", "level": "not told apart from S"}
LEAST_PATIENTS = 6
"""Below so many patients no comparison is decided."""


def in_words(table: Table, primary: str, trivial: str, simple: str, *, within: bool) -> str | None:
    """Return one or two sentences on the primary metric of a model; None where it was not asked.

    `within` says that units of the same slide were trained on and tested.
    """
    score = next((score for score in table.scores if score.metric == primary), None)
    if score is None:
        return None
    if score.value is None:
        return f"no patient has a value of {primary}, so that nothing is known of {table.model}."
    ladder = table.ladder.get(primary, {})
    patients = count(score.n_patients, "patient")
    where = f"blocks of slides of {patients}" if within else patients
    floor, reference = (
        number(ladder[name].value) if name in ladder and name != table.model else ""
        for name in (trivial, simple)
    )
    value = f"{primary} {number(score.value)}"
    verdict = table.verdicts.get(primary)
    if verdict is not None and verdict.verdict == "reference":
        against = f", where the trivial {trivial} (T) has {floor}" if floor else ""
        said = (
            f"{table.model} is itself a baseline, with {value} on {where} that it was not fitted on{against}"
        )
        return f"{said}: run a model of yours, and see whether it stands above."
    known = [f"{simple} (S) has {reference}"] if reference else []
    known += [f"the trivial {trivial} (T) {'' if known else 'has '}{floor}"] if floor else []
    said = f"on {where} that it was not fitted on, {table.model} has {value}"
    if known:
        said += f", {' and '.join(known)}"
    standing = STANDINGS.get(score.standing or "")
    if standing is None:
        return f"{said}."
    few = f" {patients} decide nothing." if score.n_patients < LEAST_PATIENTS else ""
    return f"{said}: {standing}.{few}"
