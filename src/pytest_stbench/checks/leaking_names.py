"""Q35: names and order of units that tell what is to be predicted, beyond what places tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.classes import LABELS, class_of
from pytest_stbench.checks.name_features import Vocabulary, bins, places_of, squares_of, words
from pytest_stbench.checks.patients import person
from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.sample import class_codes
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count
from pytest_stbench.extend import check
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.splits.table import Fold

    Codes = NDArray[np.intp]

SEED = 0
PERMUTATIONS = 99
MAX_UNITS = 1000
"""Of a slide: a leak that matters shows in a thousand units."""

MIN_UNITS = 50
MAX_GROUPS = 5
DEPTH = "depth"
SOURCES = {"names": "names", "order": "the order"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Units:
    """Units of all patients: group that is left out together, square, features by source, labels by kind."""

    group: Codes
    square: Codes
    features: dict[str, csr_matrix]
    labels: dict[str, Codes]


@check(
    "Q35",
    severity="warn",
    scope="dataset",
    reasons={
        "max_gain": "clean cohorts reach 0.06, 30 sections of her2st 0.03; names that hold the label 1",
        "max_p": "99 permutations can show no less",
        "min_patients": "what names tell is tried on patients that were left out",
    },
    checklist=("S7",),
    source="Ojala and Garriga 2010",
)
def name_leak(
    dataset: Subject,
    *,
    folds: Sequence[Fold] | None = None,
    max_gain: float = 0.1,
    max_p: float = 0.01,
    min_patients: int = 2,
) -> CheckResult:
    """Do names and order of units tell nothing of labels and depth beyond their places?

    A naive Bayes classifier learns the classes (``niche``, ``cell_type``, and whether a unit lies above the
    median depth of its slide) from what names are made of, and from the relative row, of other patients'
    units; patients are left out in turn (in five groups at most). Only slides that some fold trains on
    are looked at, 1,000 units of each. Its macro F1 is compared with the mean over permutations of the
    predictions within squares of about 16 units, and with the same classifier told of places alone: names
    that count rows and columns of an array tell nothing more. The statistic is the largest gain,
    (F1 - better of the two) / (1 - better of the two). More than `max_gain` with a permutation p of at
    most `max_p` warns: models are given other names and another order, unless they ask for these names.
    Fewer than `min_patients` patients cannot be judged. Slides whose patient is not known are left out,
    and counted: they may be of a person who is on another slide.

    References
    ----------
    Ojala and Garriga 2010, J Mach Learn Res 11:1833 (permutation tests of classifiers).
    """
    trained = None if folds is None else {slide for fold in folds if not fold.within for slide in fold.train}
    units, patients, unknown = _read(dataset, trained or None)
    without = f"; {count(unknown, 'slide')} without a patient left out" if unknown else ""
    if patients < min_patients or units is None:
        return nothing_to_judge(
            f"{count(patients, 'patient')} with {MIN_UNITS} units or more{without}: nobody to try names on",
            f"add patients ({min_patients} or more)",
        )
    findings: list[Finding] = []
    gains: dict[str, float] = {}
    for kind, codes in units.labels.items():
        for source, words_of in SOURCES.items():
            found = _judged(units, codes, source)
            if found is None:
                continue
            gains[f"{kind} from {source}"] = found.gain
            if found.gain > max_gain and found.p <= max_p:
                findings.append(_finding(kind, words_of, found, max_gain))
    findings.sort(key=lambda finding: -(finding.statistic or 0.0))
    best = max(gains.values(), default=0.0)
    return conclude(
        findings,
        passed=f"names and order of units tell nothing of {' or '.join(units.labels)} beyond their places "
        f"({count(patients, 'patient')}{without})",
        statistic=findings[0].statistic if findings else best,
        threshold=max_gain,
        details={"gain": gains},
    )


def _finding(kind: str, source: str, found: _Found, limit: float) -> Finding:
    verb = "predict" if source == "names" else "predicts"
    return Finding(
        status="warn",
        text=f"{source} of the units {verb} {kind} in patients that were left out: macro F1 {found.f1:.3f}, "
        f"{found.reference:.3f} by chance or by place (p = {found.p:.2g})",
        fix="nothing for models, which get neutral names in an order of places; a model with `unit_names = "
        '"as given"` sees them: name and sort units by something that has nothing to do with it',
        statistic=found.gain,
        threshold=limit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    f1: float
    reference: float
    p: float

    @property
    def gain(self) -> float:
        """Share of the way from the reference to 1."""
        return max(0.0, (self.f1 - self.reference) / max(1 - self.reference, 1e-9))


def _judged(units: _Units, codes: Codes, source: str) -> _Found | None:
    """Return how well one source predicts one kind of label; None where too few units have one."""
    known = codes >= 0
    if known.sum() < MIN_UNITS or len(np.unique(codes[known])) < 2 or len(np.unique(units.group[known])) < 2:
        return None
    square, group, own = units.square[known], units.group[known], codes[known]
    mixed = _mixed(square, own)
    if mixed.sum() < MIN_UNITS:
        # Every square is of one class: the slide is the square.
        square, mixed = group, np.ones(len(own), bool)
    guess, by_place = (
        _left_out(units.features[name][known], own, group)[mixed] for name in (source, "place")
    )
    own, square = own[mixed], square[mixed]
    score = _macro_f1(own, guess)
    rng = stream(SEED, "name leak", source)
    order = np.argsort(square, kind="stable")
    shuffled = []
    for _ in range(PERMUTATIONS):
        drawn = np.lexsort((rng.words(len(order)), square))
        permuted = np.empty_like(guess)
        permuted[order] = guess[drawn]
        shuffled.append(_macro_f1(own, permuted))
    p = (1 + sum(value >= score for value in shuffled)) / (1 + PERMUTATIONS)
    return _Found(f1=score, reference=max(float(np.mean(shuffled)), _macro_f1(own, by_place)), p=p)


def _left_out(features: csr_matrix, codes: Codes, group: Codes) -> Codes:
    """Return the class that naive Bayes, fitted on the other groups, gives to each unit.

    Classes count alike, however many units they have.
    """
    member = np.eye(codes.max() + 1)[codes]
    guess = np.zeros(len(codes), np.intp)
    for left_out in np.unique(group):
        test = group == left_out
        seen = np.asarray((features[~test].T @ member[~test]).T) + 0.5
        size = member[~test].sum(axis=0)
        chance = np.log(seen / (size + 1.0)[:, None])
        found = features[test] @ chance.T
        found[:, size == 0] = -np.inf
        guess[test] = found.argmax(axis=1)
    return guess


def _macro_f1(truth: Codes, guess: Codes) -> float:
    """Return the mean F1 of the classes that occur."""
    k = int(max(truth.max(), guess.max())) + 1
    table = np.bincount(truth * k + guess, minlength=k * k).reshape(k, k)
    both = table.sum(axis=0) + table.sum(axis=1)
    occurs = table.sum(axis=1) > 0
    return float((2 * np.diag(table) / np.maximum(both, 1))[occurs].mean())


def _mixed(square: Codes, codes: Codes) -> NDArray[np.bool_]:
    """Return which units lie in a square of two classes or more."""
    low = np.full(square.max() + 1, codes.max() + 1)
    high = np.full(square.max() + 1, -1)
    np.minimum.at(low, square, codes)
    np.maximum.at(high, square, codes)
    mixed: NDArray[np.bool_] = (low != high)[square]
    return mixed


def _read(dataset: Subject, trained: set[str] | None) -> tuple[_Units | None, int, int]:
    """Return a sample of the units of every slide that is trained on and whose patient is known.

    With it, of how many patients they are, and how many slides were left out as nobody's.
    """
    patients = {sample.slide: person(sample, dataset.name) for sample in dataset.samples}
    unknown = 0
    vocabulary = {name: Vocabulary() for name in (*SOURCES, "place")}
    people: list[object] = []
    owner: list[Codes] = []
    square: list[Codes] = []
    labels: dict[str, list[NDArray[np.object_]]] = {name: [] for name in (*LABELS, DEPTH)}
    n_squares = 0
    for slide, rows in _sampled(dataset, trained):
        person_of = patients.get(slide.meta.slide_id)
        if person_of is None:
            unknown += 1
            continue
        if person_of not in people:
            people.append(person_of)
        owner.append(np.full(len(rows), people.index(person_of)))
        xy = as_numbers(slide.xy_um).reshape(slide.n_units, 2)
        own = squares_of(xy[rows])
        square.append(own + n_squares)
        n_squares += int(own.max(initial=-1)) + 1
        vocabulary["names"].add(words(slide.unit_names[rows].astype(str).tolist()))
        order = bins("row", np.arange(slide.n_units))
        vocabulary["order"].add([order[row] for row in rows.tolist()])
        vocabulary["place"].add(places_of(xy, rows))
        for name in LABELS:
            found = slide.labels.get(name, np.full(slide.n_units, None, dtype=object))[rows]
            labels[name].append(np.array([class_of(value) for value in found.tolist()], dtype=object))
        depth = as_numbers(slide.libsize)
        labels[DEPTH].append(np.where(depth > np.median(depth), "above", "below")[rows].astype(object))
    if not owner:
        return None, 0, unknown
    group = np.concatenate(owner)
    codes = {name: class_codes(np.concatenate(found))[0] for name, found in labels.items()}
    units = _Units(
        group=group % MAX_GROUPS,
        square=np.concatenate(square),
        features={name: found.matrix() for name, found in vocabulary.items()},
        labels={name: found for name, found in codes.items() if (found >= 0).any()},
    )
    return units, len(people), unknown


def _sampled(dataset: Subject, trained: set[str] | None) -> Iterator[tuple[Slide, Codes]]:
    for slide in dataset.slides():
        if (trained is None or slide.meta.slide_id in trained) and slide.n_units >= MIN_UNITS:
            rows = np.arange(slide.n_units)
            if slide.n_units > MAX_UNITS:
                rng = stream(SEED, "name leak", slide.meta.slide_id)
                rows = np.sort(rng.sample(slide.n_units, MAX_UNITS))
            yield slide, rows
