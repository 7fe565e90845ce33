"""How the record of one gate is filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_stbench.gate.wording import headline, left_out
from pytest_stbench.results.record import GateRecord, Outcome

if TYPE_CHECKING:
    from pytest_stbench.gate.intervals import Reported
    from pytest_stbench.gate.pairing import PatientValues


def gate_record(
    kind: Literal["beats", "not_worse_than", "min", "min_lower", "min_patient", "max"],
    *,
    metric: str,
    model: PatientValues,
    finding: str,
    outcome: Outcome,
    reported: Reported,
    excluded: tuple[str, ...],
    reference: str | None = None,
    margin: float | None = None,
    threshold: float | None = None,
    estimate: float | None = None,
    p: float | None = None,
    wilcoxon: float | None = None,
    smallest: float | None = None,
    worse: bool = False,
) -> GateRecord:
    """Return the record of a rule with its message: headline of the model, finding, exclusions."""
    # The interval belongs to the mean; a rule on one patient's value has none.
    interval = reported.interval if estimate is None else None
    return GateRecord(
        kind=kind,
        reference=reference,
        margin=margin,
        threshold=threshold,
        n=reported.n,
        estimate=reported.mean if estimate is None else estimate,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        ci_method=interval.method if interval else None,
        p=p,
        wilcoxon_p=wilcoxon,
        smallest=smallest,
        worse=worse,
        excluded=excluded,
        outcome=outcome,
        message=f"{headline(metric, model.values())}: {finding}{left_out(excluded)}",
    )
