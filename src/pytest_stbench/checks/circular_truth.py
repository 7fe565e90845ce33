"""Q37: regions that are a function of what models are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.measured import Measured, on_measured
from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.sample import class_codes
from pytest_stbench.checks.wording import count
from pytest_stbench.extend import check
from pytest_stbench.kernels.domains import components, expression_domains, principal
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

    Codes = NDArray[np.intp]
    Floats = NDArray[np.float64]

SEED = 0
FOLDS = 5
MAX_UNITS = 1000
MIN_UNITS = 50
MIN_CLASS = 10
NEAREST = 8
COUNTS, EMBEDDING = "counts", "embedding"


@check(
    "Q37",
    severity="warn",
    scope="dataset",
    reasons={
        "max_gain": "regions that a pathologist drew on her2st have -0.31 (mean of six slides), clean "
        "cohorts up to 0.10; clusters of the counts 0.14 to 0.67"
    },
    checklist=("S4",),
    after=("missing_coords",),
)
@on_measured
def truth_of_input(
    measured: Measured,
    *,
    given: Sequence[str] = (),
    regions: str = "",
    domains: int = 0,
    silver: bool = False,
    max_gain: float = 0.12,
) -> CheckResult:
    """Are true regions more than clusters of what models are given?

    Regions that people draw hang together: the 8 nearest units tell the class of a unit better than its own
    expression does. Clusters of expression are told by expression. On each slide a linear discriminant
    (30 principal components, 5 folds of units, 1,000 units at most) and the vote of the nearest units name
    the class, and the statistic is the difference of their Cohen's kappa, the mean over slides. More than
    `max_gain` warns. Looked at is what the task hands out: counts, or an embedding that comes with the data.
    Where an algorithm is declared as the source (``trust: silver``) and models are given counts, no verdict
    stands on agreement, and nothing is looked for. Clusters that were smoothed over neighbours are not seen.
    Families without regions pass.
    """
    if not (regions or domains):
        return conclude([], passed="the truth is not one of regions")
    if silver and regions and COUNTS in given:
        return conclude([], passed="the truth is declared as made by an algorithm: no verdict stands on it")
    gains: dict[str, dict[str, float]] = {}
    for slide in measured.slides():
        for source, gain in _gains(slide, given, regions, domains):
            gains.setdefault(source, {})[slide.meta.slide_id] = gain
    handed = [COUNTS] * (COUNTS in given) + [EMBEDDING] * ("image" in given)
    if not gains and COUNTS in given:
        least = f"no slide has {MIN_UNITS} units with a label and two classes of {MIN_CLASS} units"
        return nothing_to_judge(least, "label more units")
    means = {source: float(np.mean(list(by.values()))) for source, by in gains.items()}
    worst = max(means, key=means.__getitem__, default="")
    findings = (
        [_finding(worst, means[worst], gains[worst], max_gain)] if worst and means[worst] > max_gain else []
    )
    told = " or ".join(handed if gains else ["nothing"])
    return conclude(
        findings,
        passed=f"{told} that models are given tells regions no better than neighbours do"
        if gains
        else "models are given nothing that regions could have been made of",
        statistic=means.get(worst),
        threshold=max_gain,
        details={"gain": gains},
    )


def _finding(source: str, mean: float, gains: dict[str, float], limit: float) -> Finding:
    slides = sorted(gains, key=lambda name: (-gains[name], name))
    return Finding(
        status="warn",
        text=f"the true regions look as if they were made of the {source} that models are given: these name "
        f"the region of a unit better than its neighbours do, by {mean:.2f} of Cohen's kappa (mean of "
        f"{count(len(gains), 'slide')})",
        fix="where an algorithm made them, give models another input (`input: image`), or say so (`trust: "
        "silver`): a model that finds its own input again knows nothing",
        statistic=mean,
        threshold=limit,
        slides=tuple(name for name in slides if gains[name] > limit),
    )


def _gains(slide: Slide, given: Sequence[str], regions: str, domains: int) -> Iterator[tuple[str, float]]:
    """Yield how much better than places each thing that models are given tells the regions of a slide."""
    if COUNTS not in given and slide.embedding is None:
        return
    if domains:
        codes = expression_domains(
            slide.counts, np.asarray(slide.libsize, np.float64), slide.genes, slide.unit_names, domains
        )
    elif regions in slide.labels:
        codes, _ = class_codes(slide.labels[regions])
    else:
        return
    rows = _rows(slide, codes)
    if len(rows) < MIN_UNITS or len(np.unique(codes[rows])) < 2:
        return
    known = np.unique(codes[rows], return_inverse=True)[1].astype(np.intp)
    place = _kappa(known, _vote(np.asarray(slide.xy_um, np.float64)[rows], known))
    if COUNTS in given and not domains:
        libsize = np.asarray(slide.libsize, np.float64)[rows]
        points = components(slide.counts[rows], libsize, slide.genes)
        yield COUNTS, _kappa(known, _discriminated(points, known)) - place
    if "image" in given and slide.embedding is not None:
        points = principal(np.asarray(slide.embedding, np.float64)[rows])
        yield EMBEDDING, _kappa(known, _discriminated(points, known)) - place


def _rows(slide: Slide, codes: Codes) -> Codes:
    """Return the units to look at, in the order of their names: of classes that are no rarity."""
    rows = _common(np.flatnonzero(codes >= 0), codes)
    rows = rows[np.argsort(slide.unit_names[rows], kind="stable")]
    if len(rows) > MAX_UNITS:
        drawn = rows[np.sort(stream(SEED, "truth of input").sample(len(rows), MAX_UNITS))]
        rows = _common(drawn, codes)  # of a class with one unit left a fold would have none to learn from
    return rows


def _common(rows: Codes, codes: Codes) -> Codes:
    """Return the rows whose class has enough of them."""
    found: Codes = rows[np.bincount(codes[rows], minlength=1)[codes[rows]] >= MIN_CLASS]
    return found


def _vote(xy: Floats, codes: Codes) -> Codes:
    nearest = cKDTree(xy).query(xy, k=min(NEAREST + 1, len(xy)))[1][:, 1:]
    votes: Codes = np.eye(codes.max() + 1)[codes][nearest].sum(axis=1).argmax(axis=1)
    return votes


def _discriminated(points: Floats, codes: Codes) -> Codes:
    """Return the class of each unit by a linear discriminant that was fitted without its fold."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    order = stream(SEED, "folds of truth").permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    fold = np.empty(len(codes), np.intp)
    fold[order] = np.arange(len(codes)) % FOLDS  # of each class about a fifth
    points = points / max(float(points.std()), 1e-12)
    guess = np.zeros(len(codes), np.intp)
    for left_out in range(FOLDS):
        test = fold == left_out
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(points[~test], codes[~test])
        guess[test] = model.predict(points[test])
    return guess


def _kappa(truth: Codes, guess: Codes) -> float:
    """Return Cohen's kappa."""
    k = int(max(truth.max(), guess.max())) + 1
    table = np.bincount(truth * k + guess, minlength=k * k).reshape(k, k) / len(truth)
    chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return (float(np.trace(table)) - chance) / (1.0 - chance) if chance < 1.0 else 0.0
