"""Q26: classes that a fold does not train, or hardly tests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_stbench.checks.patients import person
from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, others, percent, ranked, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.splits.table import Fold, Sample

UNDECIDED = frozenset({"undetermined", "undefined", "unassigned", "unlabelled", "unlabeled", "ambiguous"})
LABELS = ("niche", "cell_type")

Tables = dict[str, Counter[str]]


def class_of(value: object) -> str | None:
    """Return the class a label names, or None where it names none (missing, ``undetermined`` ...)."""
    return (
        str(value) if known(value) and value == value and normalised(value) not in UNDECIDED else None
    )  # nan differs from itself


@check(
    "Q26",
    severity="fail/warn",
    scope="split",
    reasons={
        "max_uncovered": "her2st: classes of one patient make up 6% and 15% of its spots",
        "min_patients": "left out, a class of one patient is in no training slide",
        "min_units": "the recall of a class of 19 units moves by 5% with each of them",
        "max_majority": "always naming the largest class would score 95%; her2st: 88% at most",
    },
    checklist=("S4",),
    source="Andersson et al. 2021",
    after=("no_spatial_signal",),
)
def class_imbalance(
    folds: Sequence[Fold],
    samples: Sequence[Sample],
    subject: Subject,
    *,
    predicted: bool = True,
    max_uncovered: float = 0.25,
    min_patients: int = 2,
    min_units: int = 20,
    max_majority: float = 0.95,
) -> CheckResult:
    """Is every test class trained in its fold, and does no class make up nearly all of the test?

    Units of a test slide whose class does not occur in training cannot be predicted and are left out:
    that warns up to `max_uncovered` of the slide's labelled units (the statistic, worst slide) and fails
    above, or where fewer than two classes remain. Classes seen in fewer than `min_patients` patients warn
    (they cannot be evaluated when a patient is left out), and so does a fold where one class has more
    than `max_majority` of the labelled test units: accuracy says nothing there. Where labels are not
    `predicted` by models of this task but only group its units, classes of `min_units` units or more that
    too few patients have warn, and nothing else is asked. Classes with fewer than `min_units` test units
    get no value; ``details`` list them. Labels judged are ``niche`` and ``cell_type``; slides without any
    label and folds within a slide are left aside.
    """
    tables = _tables(subject)
    patients = {s.slide: person(s, subject.name) or s.slide for s in samples}
    judged = [fold for fold in folds if not fold.within and fold.train and fold.test]
    findings: list[Finding] = []
    worst = 0.0
    few: dict[str, dict[str, int]] = {}
    uncovered: dict[str, dict[str, float]] = {}
    for label, by_slide in tables.items():
        found, shares = _uncovered(label, judged, by_slide, max_uncovered)
        uncovered[label] = shares
        worst = max([worst, *shares.values()])
        if predicted:
            findings += found
            findings += _majority(label, judged, by_slide, max_majority)
        findings += _lonely(label, by_slide, patients, min_patients, 0 if predicted else min_units)
        tested = _summed(by_slide, {slide for fold in judged for slide in fold.test})
        few[label] = {name: n for name, n in sorted(tested.items()) if n < min_units}
    if not tables:
        return conclude([], passed="no slide has labels")
    n_classes = {label: len(_summed(by_slide, by_slide)) for label, by_slide in tables.items()}
    said = ", ".join(f"{n} classes of {label}" for label, n in n_classes.items())
    return conclude(
        findings,
        passed=f"{said}: every test class is trained in {count(len(judged), 'fold')}",
        statistic=worst,
        threshold=max_uncovered,
        details={"not_covered": uncovered, "fewer_units_than_needed": few},
    )


def _tables(subject: Subject) -> dict[str, Tables]:
    """Return the number of units per class of every slide that has labels, by kind of label."""
    found: dict[str, Tables] = {}
    for slide in subject.slides():
        for label in LABELS:
            if label in slide.labels:
                classes = Counter(c for v in slide.labels[label].tolist() if (c := class_of(v)) is not None)
                if classes:
                    found.setdefault(label, {})[slide.meta.slide_id] = classes
    return found


def _summed(by_slide: Tables, slides: Iterable[str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for slide in slides:
        total.update(by_slide.get(slide, {}))
    return total


def _uncovered(
    label: str, folds: Sequence[Fold], by_slide: Tables, limit: float
) -> tuple[list[Finding], dict[str, float]]:
    shares: dict[str, float] = {}
    absent: dict[str, set[str]] = {}
    hopeless: list[str] = []
    for fold in folds:
        trained = set(_summed(by_slide, fold.train))
        labelled = [slide for slide in fold.test if slide in by_slide]
        if labelled and len(trained) < 2:  # one class is no choice
            hopeless.append(fold.name)
            continue
        for slide in labelled:
            lost = {name: n for name, n in by_slide[slide].items() if name not in trained}
            share = sum(lost.values()) / sum(by_slide[slide].values())
            if lost and share >= shares.get(slide, 0.0):
                shares[slide] = share
                absent[slide] = set(lost)
    findings = []
    if hopeless:
        findings.append(
            Finding(
                status="fail",
                text=f"{label}: the training slides of fold {hopeless[0]} have fewer than two classes"
                f"{others(hopeless, 'fold')}",
                fix="label more patients, or use a split that leaves labelled slides in training",
                statistic=len(hopeless),
                threshold=0.0,
            )
        )
    if shares and not hopeless:
        slides = ranked(shares)
        first = slides[0]
        left = [s for s in slides if len(set(by_slide[s]) - absent[s]) < 2 and len(by_slide[s]) > 1]
        failed = shares[first] > limit or left
        worst = first if shares[first] > limit or not left else left[0]
        findings.append(
            Finding(
                status="fail" if failed else "warn",
                text=f"{label}: {some(sorted(absent[worst]))} of slide {worst} "
                f"{'is' if len(absent[worst]) == 1 else 'are'} in no training slide: "
                f"{percent(shares[worst])} of its labelled units are left out ({percent(limit)} allowed)"
                f"{', fewer than two classes remain' if left else ''}{others(slides)}",
                fix="join rare classes into wider ones, label them in more patients, or leave them out",
                statistic=shares[worst],
                threshold=limit,
                slides=slides,
            )
        )
    return findings, shares


def _lonely(
    label: str, by_slide: Tables, patients: Mapping[str, object], min_patients: int, min_units: int
) -> list[Finding]:
    total = _summed(by_slide, by_slide)
    having: dict[str, set[object]] = {}
    for slide, classes in by_slide.items():
        for name in classes:
            having.setdefault(name, set()).add(patients.get(slide, slide))
    lonely = sorted(
        name for name, people in having.items() if len(people) < min_patients and total[name] >= min_units
    )
    if not lonely:
        return []
    return [
        Finding(
            status="warn",
            text=f"{label}: {some(lonely)} {'is' if len(lonely) == 1 else 'are'} seen in fewer than "
            f"{count(min_patients, 'patient')}, so no fold by patient can train and test "
            f"{'it' if len(lonely) == 1 else 'them'}",
            fix="label the class in more patients, or read its score as a case report",
            statistic=len(lonely),
            threshold=min_patients,
        )
    ]


def _majority(label: str, folds: Sequence[Fold], by_slide: Tables, limit: float) -> list[Finding]:
    over: dict[str, tuple[float, str]] = {}
    for fold in folds:
        tested = _summed(by_slide, fold.test)
        if tested:
            name, n = min(tested.items(), key=lambda item: (-item[1], item[0]))
            if n / tested.total() > limit:
                over[fold.name] = (n / tested.total(), name)
    if not over:
        return []
    worst = min(over, key=lambda fold: (-over[fold][0], fold))
    share, name = over[worst]
    return [
        Finding(
            status="warn",
            text=f"{label}: {percent(share)} of the labelled test units of fold {worst} are {name} "
            f"({percent(limit)} allowed), so accuracy says nothing{others(over, 'fold')}",
            fix="report balanced accuracy or macro F1, and label more of the other classes",
            statistic=share,
            threshold=limit,
        )
    ]
