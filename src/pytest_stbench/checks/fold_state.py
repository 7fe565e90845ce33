"""Q36: scores that a model owes to what it kept of other folds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.wording import some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Beside = Mapping[str, Mapping[str, tuple[float, float, float]]]

AT_BEST = 1e-6
EQUAL = 1e-9
FEWEST = 2
"""Of one patient, most are all."""

CLEAR = (
    "keep nothing between folds (a variable of a module or class, a cache such as `lru_cache` keyed by the "
    "slide): make it in `fit`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refitted:
    """The primary metric of one fold: ``before`` in the run, ``value`` from a fresh process, ``simple`` of S.

    ``seed_sd`` is the SD of the fold over seeds, None with one seed. Undefined values are nan.
    """

    place: str
    before: float
    value: float
    simple: float
    seed_sd: float | None


@check(
    "Q36",
    severity="warn/fail",
    scope="results",
    needs="metadata",
    reasons={
        "max_share": "a ceiling is conservative for a model that pools neighbours, on some patients",
        "tolerance": "a fit with a fixed seed moves by far less, a kept slide by far more",
    },
)
def state_across_folds(
    *,
    model: str,
    beside: Beside,
    better: str = "up",
    best: float | None = None,
    refitted: Callable[[], Refitted | str] | None = None,
    max_share: float = 0.5,
    tolerance: float = 0.01,
) -> CheckResult:
    """Are scores no better than one fold can tell, and the same when it is fitted alone?

    Parameters
    ----------
    model
        Name of the model that is judged.
    beside
        Place (data set and split) to patient to value, ceiling and the standard error of the ceiling of the
        primary metric; nan where there is none, or where the simple baseline S reaches it.
    better, best
        ``up`` or ``down``, and the best value of the metric; None where it has no end.
    refitted
        Fits one fold again in a fresh process; returns why that could not be done where it could not. None
        where nothing is fitted again.

    Notes
    -----
    More than `max_share` of the patients (two or more) above their ceiling by 2 standard errors, or at the
    best value, warn. A fold that is fitted again must agree within its SD over seeds, `tolerance` at least:
    else it warns, and fails where the score falls by more than its distance to the simple baseline S. Where
    it agrees, what lies above the ceiling is told and passes: a model that pools neighbours may do that.
    The statistic is the largest share of such patients, or the difference of the fold that was fitted again.
    """
    sign = -1.0 if better == "down" else 1.0
    shares = {place: _over(patients, sign, best) for place, patients in beside.items()}
    many = {place: over for place, over in shares.items() if over and over[0] > max_share * over[1]}
    told = _above_ceiling(model, many)
    share = max((over / n for over, n, _ in shares.values() if n), default=0.0)
    again = refitted() if refitted is not None else None
    details = {place: {"over": over, "patients": n} for place, (over, n, _) in shares.items()}
    if isinstance(again, str):
        why = f"a fold could not be fitted again in a fresh process: {again}"
        fix = "let the model be made from the same command line alone, then run again"
        return conclude([Finding(status="skip", text=why, fix=fix)], passed="", details=details)
    if again is None:
        fix = f"{CLEAR}; --stbench-no-skip fits one fold again in a fresh process, and tells"
        findings = [Finding(status="warn", text=told, fix=fix, statistic=share, threshold=max_share)]
        seen = "nothing was fitted again" if any(n for _, n, _ in shares.values()) else "there is no ceiling"
        passed = f"most patients of {model} lie below their ceiling ({seen})"
        return conclude(
            findings if told else [], passed=passed, statistic=share, threshold=max_share, details=details
        )
    finding, passed = _agreement(model, again, sign, tolerance)
    return conclude(
        [finding] if finding else [],
        passed=f"{passed}; {told}" if told else passed,
        statistic=abs(again.before - again.value),
        threshold=_allowed(again, tolerance),
        details=details,
    )


def _above_ceiling(model: str, many: Mapping[str, tuple[int, int, tuple[str, ...]]]) -> str:
    return "; ".join(
        f"{over} of {n} patients of {model} on {place} lie above their ceiling or at the best value "
        f"({some(names)})"
        for place, (over, n, names) in many.items()
    )


def _over(
    patients: Mapping[str, tuple[float, float, float]], sign: float, best: float | None
) -> tuple[int, int, tuple[str, ...]]:
    """Return how many patients are better than they could be, of how many, and which."""
    over, judged = [], 0
    for patient, (value, ceiling, error) in patients.items():
        if math.isnan(value) or (math.isnan(ceiling) and best is None):
            continue
        judged += 1
        allowed = max(0.0 if math.isnan(error) else 2.0 * error, EQUAL)
        at_best = best is not None and abs(value - best) <= AT_BEST
        if at_best or sign * (value - ceiling) > allowed:
            over.append(patient)
    return (len(over), judged, tuple(over)) if judged >= FEWEST else (0, 0, ())


def _allowed(again: Refitted, tolerance: float) -> float:
    return max(again.seed_sd or 0.0, tolerance)


def _agreement(model: str, again: Refitted, sign: float, tolerance: float) -> tuple[Finding | None, str]:
    allowed = _allowed(again, tolerance)
    lost = sign * (again.before - again.value)
    both = (
        f"{model} has {again.before:.4f} on {again.place} in this run and {again.value:.4f} when that "
        "fold is fitted alone in a fresh process"
    )
    if abs(lost) <= allowed + EQUAL:
        return None, f"{both} (within {allowed:.3g})"
    gain = sign * (again.before - again.simple)
    owed = math.isnan(lost) or lost > gain > 0
    text = both
    if owed:
        text += f", {again.simple:.4f} of the simple baseline: it owes what it is ahead to what it kept"
    fix = CLEAR if owed else f"{CLEAR}; or seed what is drawn by `task.seed`"
    finding = Finding(
        status="fail" if owed else "warn",
        text=f"{text} (more than {allowed:.3g} apart)",
        fix=fix,
        statistic=abs(lost),
        threshold=allowed,
    )
    return finding, ""
