"""What a table says of the primary metric, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.report.tables import number

if TYPE_CHECKING:
    from pytest_stbench.report.tables import Table

STANDINGS = {
    "above S": "better than S",
    "below S": "worse than S",
    "level": "not told apart from S",
}
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
