"""The page of what every check sees: detection by defect and strength, alarms on clean cohorts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_stbench.data.simulate.defects.names import DEFECTS

from .injections import COHORTS, DESIGN_FAULTS, INJECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.registry import Registry

    from .cases import Outcome

MUST = ("at", "above", "design")
SIGNS = {"fail": "F", "warn": "w"}

HEAD = """# What each check sees

Written by `python -m tests.check_matrix docs/check-matrix.md`. Every defect of the simulated cohort is
injected into cohorts that are otherwise clean, at strengths below, at and above the one from which its check
must speak, and every check judges them: those of models and their results where a model is part of the fault,
and on the clean cohorts that name one. Strengths are explained in
[simulated.md](simulated.md), thresholds in [reference/checks.md](reference/checks.md). Defects are put into
the cohorts {cohorts}; seeds are between {first} and {last}, which set no threshold.

- **Detected**: {hits} of {must} defects at or above threshold strength ({share}).
- **False alarms**: {false} failures and {warned} warnings of {checks} checks on {clean} clean cohorts.
"""
DETECTION = """Cohorts in which the check of the defect warned or failed, of all at that strength. Below its
threshold a defect is allowed; a check may warn there already.
"""


def matrix_page(outcomes: Sequence[Outcome], registry: Registry) -> str:
    """Return the page in Markdown."""
    clean = [outcome for outcome in outcomes if outcome.case.level == "clean"]
    spoilt = [outcome for outcome in outcomes if outcome.case.level != "clean"]
    checks = list(registry.checks)
    known = {record.name for record in checks}
    judged = [outcome for outcome in spoilt if outcome.case.check in known]
    must = [outcome for outcome in judged if outcome.case.level in MUST]
    seeds = sorted({outcome.case.seed for outcome in outcomes})
    hits = sum(map(_found, must))
    false = sum(status == "fail" for outcome in clean for status in outcome.statuses.values())
    warned = sum(status == "warn" for outcome in clean for status in outcome.statuses.values())
    head = HEAD.format(
        first=seeds[0],
        last=seeds[-1],
        hits=hits,
        must=len(must),
        share=f"{100 * hits / max(len(must), 1):.0f}%",
        false=false,
        warned=warned,
        checks=len(checks),
        clean=len(clean),
        cohorts=", ".join(dict.fromkeys(outcome.case.cohort for outcome in spoilt)),
    )
    lines = [
        head,
        "## Detection by defect",
        "",
        DETECTION,
        "| defect | check | below | at | above | others that fired (at or above) |",
        "|---|---|---|---|---|---|",
        *(_row(defect, spoilt, known) for defect in (*INJECTIONS, *DESIGN_FAULTS)),
        "",
        "## Defect by check",
        "",
        "At the largest strength: `F` failed, `w` warned in at least half of the cohorts;",
        "bold is the check of the defect.",
        "",
        f"| defect | {' | '.join(record.id for record in checks)} |",
        f"|---|{'---|' * len(checks)}",
        *_matrix(spoilt, [record.name for record in checks]),
        "",
        "## Clean cohorts",
        "",
        "| cohort | what | cohorts | failures | warnings |",
        "|---|---|---|---|---|",
        *(_clean_row(name, clean) for name in COHORTS),
        "",
        "## What the defects do",
        "",
        "| defect | meaning of its strength |",
        "|---|---|",
        *(f"| `{name}` | {DEFECTS[name]} |" for name in INJECTIONS),
        *(f"| `{name}` | {fault.summary} |" for name, fault in DESIGN_FAULTS.items()),
        "",
    ]
    return "\n".join(lines)


def missed(outcomes: Sequence[Outcome], registry: Registry) -> list[str]:
    """Return every miss at or above threshold strength and every failure on a clean cohort."""
    found = []
    for outcome in outcomes:
        case = outcome.case
        if case.level == "clean":
            found += [
                f"{name} {status} on a clean cohort ({case.cohort}, seed {case.seed})"
                for name, status in outcome.statuses.items()
                if status == "fail"
            ]
        elif case.level in MUST and case.check in registry.checks and not _found(outcome):
            why = f": {outcome.refused}" if outcome.refused else ""
            found.append(f"{case.check} did not see {case.defect} {case.strength:g} (seed {case.seed}){why}")
    return found


def _found(outcome: Outcome) -> bool:
    """Return whether the defect was found; data that a reader refuses was found too."""
    return outcome.detected or bool(outcome.refused)


def _row(defect: str, outcomes: Sequence[Outcome], known: set[str]) -> str:
    own = [outcome for outcome in outcomes if outcome.case.defect == defect]
    check = defect.partition(".")[0]
    cells = []
    for level in ("below", "at", "above"):
        of_level = [
            o for o in own if o.case.level == level or (level == "above" and o.case.level == "design")
        ]
        hits = sum(map(_found, of_level))
        strength = f"{of_level[0].case.strength:g}: " if of_level and of_level[0].case.strength else ""
        cells.append(f"{strength}{hits}/{len(of_level)}" if of_level else "")
    if check not in known:
        cells = ["", "no such check yet", ""]
    others = Counter(
        name
        for outcome in own
        if outcome.case.level in MUST
        for name, status in outcome.statuses.items()
        if status in SIGNS and name != check
    )
    named = ", ".join(f"{name} {count}" for name, count in sorted(others.items()))
    return f"| `{defect}` | {check} | {' | '.join(cells)} | {named} |"


def _matrix(outcomes: Sequence[Outcome], checks: Sequence[str]) -> list[str]:
    rows = []
    for defect in (*INJECTIONS, *DESIGN_FAULTS):
        own = [o for o in outcomes if o.case.defect == defect and o.case.level in ("above", "design")]
        cells = []
        for check in checks:
            statuses = Counter(outcome.statuses.get(check) for outcome in own)
            status = next((s for s in SIGNS if own and 2 * statuses[s] >= len(own)), "")
            sign = SIGNS.get(status, "")
            cells.append(f"**{sign}**" if sign and check == defect.partition(".")[0] else sign)
        rows.append(f"| `{defect}` | {' | '.join(cells)} |")
    return rows


def _clean_row(name: str, clean: Sequence[Outcome]) -> str:
    own = [outcome for outcome in clean if outcome.case.cohort == name]
    cells = []
    for wanted in ("fail", "warn"):
        counted = Counter(
            check for outcome in own for check, status in outcome.statuses.items() if status == wanted
        )
        cells.append(", ".join(f"{check} {count}" for check, count in sorted(counted.items())) or "none")
    return f"| {name} | {COHORTS[name].summary} | {len(own)} | {' | '.join(cells)} |"
