"""Q02 and Q03: too few people, or one person on both sides of a split."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_stbench.checks.local_ids import FIX, is_bare, shared_by_studies
from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, on_slides, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.splits.table import Fold, Sample

Person = tuple[str, str]

_WORD = re.compile(r"^(?:(?:patient|subject|donor|individual|case)(?=.)|(?:patient|pat|pt|p|subj)(?=\d))")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def person(sample: Sample, dataset: str = "") -> Person | None:
    """Return who a slide is from, or None when that is not known.

    The id is case-folded and stripped of everything but letters and digits, and a leading name
    of the data set or corpus is dropped (``her2st:P01``, ``P-01`` and ``p01`` are one person).
    Ids are scoped by corpus, else by data set: "patient 1" of two studies are two people.
    """
    if not known(sample.patient):
        return None
    identity = normalised(sample.patient)
    scope = sample.corpus if known(sample.corpus) else None
    for name in (scope, dataset):
        prefix = normalised(name or "")
        if prefix and len(identity) > len(prefix) and identity.startswith(prefix):
            identity = identity[len(prefix) :]
    return normalised(scope or dataset), identity


def _alike(identity: str) -> str:
    """Return an id without words for "patient" (``patient P1`` has two) and without leading zeros."""
    return _ZEROS.sub("", _WORD.sub("", _WORD.sub("", identity)))


@check(
    "Q02",
    severity="warn/fail",
    scope="dataset",
    needs="metadata",
    reasons={
        "exploratory_max": "a nominal 95% percentile bootstrap interval covers 75% with 3 patients",
        "approximate_max": "a two-sided sign-flip test cannot reach 0.05 with fewer than 6 patients",
    },
    checklist=("S2",),
    after=("class_imbalance",),
)
def too_few_patients(
    dataset: Subject,
    *,
    claim: str = "population",
    folds: Sequence[Fold] | None = None,
    exploratory_max: int = 3,
    approximate_max: int = 5,
) -> CheckResult:
    """Are there enough patients for the claim that is made?

    Up to `exploratory_max` patients fail under the claim ``population`` and warn under ``exploratory``,
    whose gates then stay underpowered; up to `approximate_max` warn. With `folds` only patients that are
    tested in some fold count. A slide without patient id adds no patient: it cannot be shown to be another
    person. Ids that studies give anew (``patient 1``) on slides of several studies, as a column such as
    ``title`` or ``accession`` tells them, warn where no column ``corpus`` keeps them apart.
    """
    tested = None if folds is None else {slide for fold in folds for slide in fold.test}
    samples = list(dataset.samples)
    judged = [s for s in samples if tested is None or s.slide in tested]
    people = {who for s in judged if (who := person(s, dataset.name)) is not None}
    everyone = {who for s in samples if (who := person(s, dataset.name)) is not None}
    nameless = tuple(s.slide for s in judged if not known(s.patient))
    n = len(people)
    what = f"{count(n, 'patient')} ({count(len(judged), 'slide')}"
    what += f", {len(nameless):,} without a patient id)" if nameless else ")"
    if tested is not None and len(everyone) != n:
        what += f" in test of {len(everyone):,} in all"
    findings = shared_by_studies(samples)
    if n <= exploratory_max:
        strict = claim != "exploratory"
        fix = f"add patients ({approximate_max + 1} or more for a decision)"
        fix = f"{fix}, or write `claim: exploratory`" if strict else fix
        findings.append(
            Finding(
                status="fail" if strict else "warn",
                text=f"{what} cannot carry a population claim"
                if strict
                else f"{what}: read the values patient by patient",
                fix=f"fill the missing patient ids; else {fix}" if nameless else fix,
                statistic=n,
                threshold=exploratory_max,
                slides=nameless,
            )
        )
    elif n <= approximate_max:
        least = approximate_max + 1
        text = f"{what}: intervals are approximate, and no comparison can pass below {least} patients"
        fix = f"add patients ({least} or more), or read results as a direction only"
        findings.append(Finding(status="warn", text=text, fix=fix, statistic=n, threshold=approximate_max))
    return conclude(
        findings,
        passed=what,
        statistic=n,
        threshold=approximate_max,
        details={"patients": n, "patients_in_all": len(everyone), "slides_without_id": list(nameless)},
    )


@check(
    "Q03",
    severity="fail",
    scope="split",
    needs="metadata",
    checklist=("S7",),
    skip_fails=True,
    after=("label_alignment",),
)
def patient_leakage(
    folds: Sequence[Fold], samples: Sequence[Sample], *, grouped: bool = True, dataset: str = ""
) -> CheckResult:
    """Is nobody in train and test at once, ids with other case, spacing or prefix included?

    Ids are compared as :func:`person` normalises them. A missing id fails when the split is
    `grouped` by patient, else it warns. Ids that are alike apart from leading zeros or the word
    for "patient" (``P1``, ``patient 01``) warn. Folds within a slide are not judged: they share
    the person by design and are never called generalisation.
    """
    table = {sample.slide: sample for sample in samples}
    across = [fold for fold in folds if not fold.within]
    used = sorted({slide for fold in across for slide in (*fold.train, *fold.test)}, key=str)
    if folds and not across:
        return conclude([], passed="every fold lies within a slide: the person is the same by design")
    if not used:
        return nothing_to_judge(
            "the split has no fold with slides", "choose a split that these samples allow"
        )
    if not grouped and not any(known(table[slide].patient) for slide in used if slide in table):
        return nothing_to_judge(
            "no slide has a patient id", "fill the patient column of the samples table", tuple(used)
        )
    findings = [*_leaks(across, table, dataset), *_missing(used, table, grouped=grouped)]
    if not findings:
        findings = _lookalikes(across, table, dataset)
    people = {person(table[slide], dataset) for slide in used if slide in table}
    return conclude(
        findings,
        passed=f"nobody of {count(len(people), 'patient')} is in train and test of a fold "
        f"({count(len(across), 'fold')})",
        statistic=0.0,
        threshold=0.0,
    )


def _people(slides: Iterable[str], table: Mapping[str, Sample], dataset: str) -> dict[Person, list[Sample]]:
    found: dict[Person, list[Sample]] = {}
    for slide in slides:
        sample = table.get(slide)
        who = person(sample, dataset) if sample else None
        if sample and who:
            found.setdefault(who, []).append(sample)
    return found


def _leaks(folds: Iterable[Fold], table: Mapping[str, Sample], dataset: str) -> list[Finding]:
    leaks: dict[Person, tuple[str, Sample, Sample]] = {}
    slides: dict[str, None] = {}
    for fold in folds:
        train, test = _people(fold.train, table, dataset), _people(fold.test, table, dataset)
        for who in sorted(set(train) & set(test)):
            leaks.setdefault(who, (fold.name, train[who][0], test[who][0]))
            slides.update(dict.fromkeys(sample.slide for sample in (*test[who], *train[who])))
    if not leaks:
        return []
    fold_name, train_sample, test_sample = next(iter(leaks.values()))
    written = f"{train_sample.patient!r}"
    if train_sample.patient != test_sample.patient:
        written += f" and {test_sample.patient!r}, one id apart from spelling,"
    more = f" ({count(len(leaks) - 1, 'other')} too)" if len(leaks) > 1 else ""
    unscoped = is_bare(train_sample.patient) and not known(train_sample.corpus)
    apart = FIX if unscoped else "give them different ids"
    return [
        Finding(
            status="fail",
            text=f"patient {written} in train (slide {train_sample.slide}) and in test "
            f"(slide {test_sample.slide}) of fold {fold_name}{more}",
            fix="put all slides of a person on one side (split lopo or pgkf); "
            f"if they are different people, {apart}",
            statistic=len(leaks),
            threshold=0.0,
            slides=tuple(slides),
        )
    ]


def _missing(used: Sequence[str], table: Mapping[str, Sample], *, grouped: bool) -> list[Finding]:
    absent = tuple(slide for slide in used if slide not in table)
    nameless = tuple(slide for slide in used if slide in table and not known(table[slide].patient))
    findings = []
    if absent:
        findings.append(
            Finding(
                status="fail",
                text=f"{on_slides(absent)} of the split are not in the samples table",
                fix="add them to the samples table, or correct the slide ids of the split",
                statistic=len(absent),
                threshold=0.0,
                slides=absent,
            )
        )
    if nameless:
        findings.append(
            Finding(
                status="fail" if grouped else "warn",
                text=f"{len(nameless):,} of {len(used):,} slides have no patient id ({some(nameless)}), "
                "so train and test may share a person",
                fix="fill the patient column of the samples table, or leave these slides out",
                statistic=len(nameless),
                threshold=0.0,
                slides=nameless,
            )
        )
    return findings


def _lookalikes(folds: Iterable[Fold], table: Mapping[str, Sample], dataset: str) -> list[Finding]:
    for fold in folds:
        train = {(scope, _alike(who)): s for (scope, who), s in _people(fold.train, table, dataset).items()}
        test = {(scope, _alike(who)): s for (scope, who), s in _people(fold.test, table, dataset).items()}
        for who in sorted(set(train) & set(test)):
            slides = tuple(sample.slide for sample in (*test[who], *train[who]))
            return [
                Finding(
                    status="warn",
                    text=f"patients {train[who][0].patient!r} (train) and {test[who][0].patient!r} (test) "
                    f"of fold {fold.name} may be one person",
                    fix="write one id per person throughout, or ids that differ by more than zeros or a word",
                    slides=slides,
                )
            ]
    return []
