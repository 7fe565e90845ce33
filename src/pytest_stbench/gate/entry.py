"""How the record of one gate is filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.gate.wording import headline, left_out
from pytest_stbench.results.record import GateRecord, Outcome

if TYPE_CHECKING:
    from pytest_stbench.gate.intervals import Reported
    from pytest_stbench.gate.pairing import PatientValues
    from pytest_stbench.kernels.mean_interval import Range
    from pytest_stbench.results.record import Rule


def gate_record(
    kind: Rule,
    *,
    metric: str,
    model: PatientValues,
    bounds: Range,
    finding: str,
    outcome: Outcome,
    reported: Reported,
    excluded: tuple[str, ...],
    reference: str | None = None,
    margin: float | None = None,
    margin_floor: str | None = None,
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
        margin_floor=margin_floor,
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
        message=f"{headline(metric, model.values(), bounds)}: {finding}{left_out(excluded)}",
    )
