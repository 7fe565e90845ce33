"""What a data-quality check found, and how single findings become one result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

Status = Literal["pass", "warn", "fail", "skip"]

WITHHOLDS = "withholds"
"""In the details of a failure: why checks that come ``after`` it cannot be judged."""

MAX_GENES = 20
MAX_NAME = 40
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

    The slide with the largest share decides and is named in the text, which `what` makes of its name; the
    limit it broke and the number of other slides follow.
    """
    slides = ranked({name: value for name, value in values.items() if value > min(warn, fail)})
    if not slides:
        return []
    worst = slides[0]
    failed = values[worst] > fail
    limit = fail if failed else warn
    return [
        Finding(
            status="fail" if failed else "warn",
            text=f"{what(worst)} ({percent(limit)} allowed){others(slides)}",
            fix=fix,
            statistic=values[worst],
            threshold=limit,
            slides=slides,
            genes=(genes or {}).get(worst, ()),
        )
    ]


def percent(share: float) -> str:
    """Return a share (0 to 1) as text, three significant digits: ``0.6%``, ``34%``."""
    return f"{100 * share:.3g}%"


def count(number: int, noun: str) -> str:
    """Return number and noun with its plural: ``1 slide``, ``1,200 slides``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def some(names: Collection[object], shown: int = 3) -> str:
    """Return the first names as text, with how many more there are: ``A1, A2, A3 and 27 more``."""
    first = [str(name) for name in list(names)[:shown]]
    first = [name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..." for name in first]
    text = ", ".join(first)
    return f"{text} and {len(names) - shown:,} more" if len(names) > shown else text


def on_slides(slides: Collection[str]) -> str:
    """Return where something was found: ``slide A1``, ``slides A1, A2``, ``30 slides (A1, ...)``."""
    if len(slides) == 1:
        return f"slide {some(slides)}"
    return f"slides {some(slides)}"


def others(slides: Collection[str]) -> str:
    """Return how many slides besides the first are concerned: `` (and 3 other slides)`` or nothing."""
    return f" (and {count(len(slides) - 1, 'other slide')})" if len(slides) > 1 else ""


def ranked(values: Mapping[str, float]) -> tuple[str, ...]:
    """Return the keys of `values`, largest value first, equal values by name."""
    return tuple(sorted(values, key=lambda name: (-values[name], name)))
