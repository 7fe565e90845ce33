"""Q29 and Q34: a yardstick for every score, and splits that ask new tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.wording import count, on_slides, others, some
from pytest_stbench.extend import check
from pytest_stbench.registry import SIMPLE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_stbench.splits.table import Fold, Sample


@check(
    "Q34",
    severity="fail",
    scope="split",
    needs="metadata",
    reasons={
        "min_gap_um": "expression is autocorrelated (Moran's I about 0.3): nearer spots are near-copies",
        "min_block_um": "the block size of the split `within`; smaller blocks are mostly border",
    },
    checklist=("S7",),
    after=("name_leak",),
)
def split_within_slide(
    folds: Sequence[Fold],
    samples: Sequence[Sample],  # noqa: ARG001  # every check of a split has the same first two arguments
    *,
    min_gap_um: float = 200.0,
    min_block_um: float = 500.0,
) -> CheckResult:
    """Is no slide in train and test, unless it is cut into blocks with a gap?

    That fails, unless the fold is declared ``within`` and is cut into blocks of at least
    `min_block_um` with a gap of at least `min_gap_um`: neighbouring spots are near-copies, so a
    random split of spots rewards interpolation.
    """
    if not any(fold.train or fold.test for fold in folds):
        return nothing_to_judge(
            "the split has no fold with slides", "choose a split that these samples allow"
        )
    cut = {fold.name: tuple(s for s in dict.fromkeys(fold.test) if s in set(fold.train)) for fold in folds}
    random = [fold for fold in folds if cut[fold.name] and not fold.within]
    findings: list[Finding] = []
    if random:
        slides = tuple(dict.fromkeys(slide for fold in random for slide in cut[fold.name]))
        findings.append(
            Finding(
                status="fail",
                text=f"{on_slides(cut[random[0].name])} in train and test of fold {random[0].name}"
                f"{others(random, 'fold')}",
                fix="split by patient (lopo or pgkf), or declare the split `within`, "
                "which leaves a gap and is never called generalisation",
                statistic=len(slides),
                threshold=0.0,
                slides=slides,
            )
        )
    blocks = [fold for fold in folds if cut[fold.name] and fold.within]
    for name, limit in (("gap_um", min_gap_um), ("block_um", min_block_um)):
        findings += _too_close(blocks, cut, name, limit)
    within = sum(fold.within for fold in folds)
    return conclude(
        findings,
        passed=f"no slide is in train and test of a fold ({count(len(folds), 'fold')})"
        if not within
        else f"{count(within, 'fold')} within a slide, with blocks and gap wide enough",
        statistic=0.0,
        threshold=0.0,
    )


def _too_close(
    folds: Sequence[Fold], cut: Mapping[str, tuple[str, ...]], name: str, limit: float
) -> list[Finding]:
    """Report folds whose blocks are smaller, or nearer to each other, than `limit`."""
    values = {fold.name: fold.params.get(name) for fold in folds}
    close = [fold for fold in folds if (value := values[fold.name]) is None or not value >= limit]
    if not close:
        return []
    first = close[0].name
    value = values[first]
    said = f"{name} is not given" if value is None else f"{name} {value:g}"
    return [
        Finding(
            status="fail",
            text=f"fold {first} cuts {on_slides(cut[first])} into train and test, and {said}"
            f"{others(close, 'fold')}",
            fix=f"set `{name}: {limit:g}` or more (um): nearer spots are near-copies of each other",
            statistic=None if value is None else float(value),
            threshold=limit,
            slides=tuple(dict.fromkeys(slide for fold in close for slide in cut[fold.name])),
        )
    ]


@check(
    "Q29",
    severity="fail",
    scope="task",
    needs="spec",
    reasons={"fallback": "a position in the section says nothing of the tissue: too easy a bar"},
    checklist=("S12",),
    after=("state_across_folds",),
)
def baseline_missing(
    *,
    trivial: str | None,
    simple: Sequence[str],
    available: Mapping[str, Collection[str]],
    declared: Collection[str] = (),
    fallback: Collection[str] = ("coords",),
) -> CheckResult:
    """Is there a trivial and a simple learned baseline to compare with?

    Parameters
    ----------
    trivial
        Name of T of the family.
    simple
        Candidates for S, best first; the first that can run is S (``ridge`` for short).
    available
        Data set name to the baselines whose needs it meets.
    declared
        Baselines that the task runs (``ridge`` stands for S); empty means those of the family.
    fallback
        Candidates that see nothing but where a spot lies. When better candidates exist and none
        of them can run, S is such a fallback: a warning.
    """
    findings: list[Finding] = []
    chosen: dict[str, str] = {}
    if not trivial:
        text, fix = "the family has no trivial baseline", "name one in the family's record"
        findings.append(Finding(status="fail", text=text, fix=fix))
    if not available:
        text, fix = "the task has no data set", "add one under `datasets:`"
        findings.append(Finding(status="skip", text=text, fix=fix))
    for dataset, runs in available.items():
        if trivial and trivial not in runs:
            what = f"the trivial baseline {trivial} cannot run"
            findings.append(_cannot_run(what, dataset, "check the data set's fields"))
        learned = next((name for name in simple if name in runs), None)
        if learned is None:
            what = f"no simple learned baseline ({some(list(simple)) or 'none is known'}) can run"
            fix = "declare an `image:` or `keys: {embedding: ...}`, or choose another family"
            findings.append(_cannot_run(what, dataset, fix))
            continue
        chosen[dataset] = learned
        if learned in fallback and simple[0] != learned:
            better = ", ".join(name for name in simple if name not in fallback)
            text = f"{dataset} lacks what {better} need: its simple baseline is only {learned}"
            fix = "declare the H&E (`image:`) or an encoder's features (`keys: {embedding: ...}`)"
            findings.append(Finding(status="warn", text=f"{text} (the position in the section)", fix=fix))
    findings.extend(_undeclared(trivial, sorted(set(chosen.values())), declared))
    return conclude(
        findings,
        passed=f"trivial baseline {trivial}, simple baseline {', '.join(sorted(set(chosen.values())))}",
        details={"trivial": trivial, "simple": chosen},
    )


def _cannot_run(what: str, dataset: str, fix: str) -> Finding:
    text = f"{what} on {dataset}, so scores there have no yardstick"
    return Finding(status="fail", text=text, fix=fix)


def _undeclared(trivial: str | None, learned: Sequence[str], declared: Collection[str]) -> list[Finding]:
    if not declared:
        return []
    missing = [name for name in (trivial,) if name and name not in declared]
    if SIMPLE not in declared:
        missing += [name for name in learned if name not in declared]
    if not missing:
        return []
    return [
        Finding(
            status="fail",
            text=f"`baselines:` leaves out {' and '.join(missing)}, so scores would have no yardstick",
            fix=f"add {', '.join(missing)} to `baselines:`",
            statistic=len(missing),
            threshold=0.0,
        )
    ]
