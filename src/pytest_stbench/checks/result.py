"""What a data-quality check found, and how single findings become one result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_stbench.checks.wording import others, percent, ranked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

Status = Literal["pass", "warn", "fail", "skip"]

WITHHOLDS = "withholds"
"""In the details of a failure: why checks that come ``after`` it cannot be judged."""

MAX_GENES = 20
_RANK = {"fail": 0, "warn": 1, "skip": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Outcome of one check on one data set, split or task.

    ``message`` is the gravest finding with its figures and, unless the check passed, ends with its
    ``fix``. ``statistic`` and ``threshold`` belong to the rule that decided; they are None where the
    rule is not a number. ``slides`` names the slides at fault, worst first, ``genes`` at most 20
    genes. ``findings`` are all, gravest first. ``details`` holds builtin values only (it goes into
    results files). ``waived`` marks a failure that is accepted for a written reason.
    """

    status: Status
    message: str
    statistic: float | None = None
    threshold: float | None = None
    fix: str = ""
    slides: tuple[str, ...] = ()
    genes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    waived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken rule: what was found, with its figures, and what to do about it."""

    status: Literal["warn", "fail", "skip"]
    text: str
    fix: str
    statistic: float | None = None
    threshold: float | None = None
    slides: tuple[str, ...] = ()
    genes: tuple[str, ...] = ()


def conclude(
    findings: Iterable[Finding],
    *,
    passed: str,
    statistic: float | None = None,
    threshold: float | None = None,
    details: Mapping[str, Any] | None = None,
) -> CheckResult:
    """Return the result of a check from its `findings`.

    The gravest finding decides (fail before warn before skip, else the order given): the message is
    its text and fix, with how many findings there are. Without findings the check passed with the
    message `passed`.
    """
    ordered = tuple(sorted(findings, key=lambda finding: _RANK[finding.status]))
    info = dict(details or {})
    if not ordered:
        return CheckResult(
            status="pass", message=passed, statistic=statistic, threshold=threshold, details=info
        )
    first = ordered[0]
    more = f" (the gravest of {len(ordered):,} findings)" if len(ordered) > 1 else ""
    return CheckResult(
        status=first.status,
        message=f"{first.text}{more}: {first.fix}",
        statistic=first.statistic,
        threshold=first.threshold,
        fix=first.fix,
        slides=first.slides,
        genes=first.genes[:MAX_GENES],
        findings=ordered,
        details=info,
    )


def nothing_to_judge(text: str, fix: str, slides: tuple[str, ...] = ()) -> CheckResult:
    """Return the result of a check that has nothing to look at."""
    return conclude([Finding(status="skip", text=text, fix=fix, slides=slides)], passed="")


def limited(
    value: float, *, warn: float, fail: float, below: bool = False
) -> tuple[Literal["warn", "fail"], float] | None:
    """Return status and limit of a value beyond a limit (above, or `below`); None where it keeps both."""
    if not (value < max(warn, fail) if below else value > min(warn, fail)):
        return None
    return ("fail", fail) if (value < fail if below else value > fail) else ("warn", warn)


def worst_slide(
    values: Mapping[str, float],
    what: Callable[[str], str],
    fix: str,
    threshold: float = 0.0,
    *,
    status: Literal["warn", "fail"] = "fail",
    lowest: bool = False,
    tail: str = "",
    statistic: float | None = None,
    genes: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Finding]:
    """Return one finding on the slides of `values`; none without any.

    The slide with the largest value (or the `lowest`) is named in the text, which `what` makes of its name;
    the number of other slides and the `tail` follow. The statistic is its value where no other is given.
    """
    if not values:
        return []
    slides = ranked({name: -value for name, value in values.items()} if lowest else values)
    worst = slides[0]
    return [
        Finding(
            status=status,
            text=f"{what(worst)}{others(slides)}{tail}",
            fix=fix,
            statistic=values[worst] if statistic is None else statistic,
            threshold=threshold,
            slides=slides,
            genes=(genes or {}).get(worst, ()),
        )
    ]


def over(
    values: Mapping[str, float],
    what: Callable[[str], str],
    fix: str,
    *,
    warn: float = math.inf,
    fail: float = math.inf,
    genes: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Finding]:
    """Return one finding on the slides whose share is above the lower limit; none without any.

    As :func:`worst_slide`, with the limit that the largest share broke behind the text.
    """
    beyond = {name: value for name, value in values.items() if value > min(warn, fail)}
    broken = limited(max(beyond.values(), default=-math.inf), warn=warn, fail=fail)
    if broken is None:
        return []
    status, limit = broken

    def text(slide: str) -> str:
        return f"{what(slide)} ({percent(limit)} allowed)"

    return worst_slide(beyond, text, fix, limit, status=status, genes=genes)


def unjudged(slides: Collection[str], what: Callable[[tuple[str, ...]], str], fix: str) -> list[Finding]:
    """Return a skip of `slides`, with a text that `what` makes of them in order; none without any."""
    named = tuple(sorted(slides))
    return [Finding(status="skip", text=what(named), fix=fix, slides=named)] if named else []


def column(rows: Mapping[str, object], name: str) -> dict[str, float]:
    """Return one measure of each slide, by slide; where it is None the slide is left out."""
    return {slide: value for slide, row in rows.items() if (value := getattr(row, name)) is not None}
