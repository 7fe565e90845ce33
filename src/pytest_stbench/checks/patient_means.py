"""Q13: patients that can be told apart by expression, so that a patient's mean carries the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.measured import Measured, NothingToScore, asked_anywhere, on_measured
from pytest_stbench.checks.patients import person
from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.sample import sample_units
from pytest_stbench.checks.wording import count, percent
from pytest_stbench.extend import check
from pytest_stbench.kernels.gram import Moments, total_moments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.checks.subject import Subject

    Floats = NDArray[np.float64]

N_COMPONENTS = 20
MAX_GENES = 500
DECIMALS = 9
RIDGE = 1e-6
CONSTANT = 1e-9
APART = (
    "do not report scores pooled over units of several patients, and leave one patient out (split lopo) "
    "rather than groups of them"
)
ALONE = "fill the patient column of the samples table; with one patient there is nothing to compare"
BY_SLIDE = "read scores slide by slide: over several patients the mean of each already scores"


@check(
    "Q13",
    severity="warn",
    scope="dataset",
    reasons={
        "warn_share": "two patients alone have 0.18 to 0.26; permuted patients 0.0004",
        "strong_share": "six to eight patients of one study have 0.55 to 0.68: their means score 0.58",
    },
    checklist=("S7",),
    source="Andersson et al. 2021",
    after=("class_imbalance",),
)
@on_measured
def patient_effect(
    dataset: Subject, measured: Measured, *, warn_share: float = 0.2, strong_share: float = 0.5
) -> CheckResult:
    """Is it more than a patient's mean that varies?

    eta2 of the patient on the first 20 principal components of the genes that are asked in some
    fold (at most 500 of them, at most 5,000 units a slide), weighted by the variance of the
    component; it is the statistic. Above `warn_share` it warns, above `strong_share` it says that
    pooled scores are to be hidden. Tumours differ between people, so it never fails.

    ``details`` add the same for slides; the median of the genes; ``pooled_gap``, the mean Pearson
    correlation over all units that the mean of the slide reaches and that is zero within each
    slide; and ``classifier_accuracy``, how well a linear classifier fitted on every second unit
    tells the patients of the others apart (mean over patients; chance is one over their number).
    """
    columns = _most_seen(measured, _columns(measured))
    slides, halves, people = _read(dataset, measured, columns)
    n_patients = len(set(people.values()))
    if n_patients < 2:
        text = f"{count(n_patients, 'patient')} with slides that measured all evaluated genes"
        return nothing_to_judge(text, ALONE)
    total = total_moments(slides.values())
    spread = np.diag(total.xx)
    varies = spread > total.n * (CONSTANT * np.maximum(1.0, np.abs(total.mean_x))) ** 2
    if not varies.any():
        return nothing_to_judge("no evaluated gene varies", "check `preprocess:`")
    axes = _axes(total.xx)
    by_patient = _between(slides, people, total)
    by_slide = _between(slides, {name: name for name in slides}, total)
    eta2 = _share(by_patient, total.xx, axes)
    genes, slide_genes = (np.diag(part)[varies] / spread[varies] for part in (by_patient, by_slide))
    details = {
        "patients": n_patients,
        "patient": eta2,
        "slide": _share(by_slide, total.xx, axes),
        "median_gene": round(float(np.median(genes)), DECIMALS),
        "pooled_gap": round(float(np.mean(np.sqrt(np.clip(slide_genes, 0.0, 1.0)))), DECIMALS),
        "classifier_accuracy": _accuracy(measured, columns, halves, people, axes),
    }
    context = (
        f"{count(len(slides), 'slide')} of {count(n_patients, 'patient')}; the slide's mean alone "
        f"reaches r {details['pooled_gap']:.2f} over all units, a linear classifier names the patient of "
        f"{percent(details['classifier_accuracy'])} of the units"
    )
    findings = []
    if eta2 > min(warn_share, strong_share):
        strong = eta2 > strong_share
        limit = strong_share if strong else warn_share
        text = f"{percent(eta2)} of the variance of the evaluated genes lies between patients "
        text += f"({percent(limit)} is the limit; {context})"
        fix = APART if strong else BY_SLIDE
        findings.append(Finding(status="warn", text=text, fix=fix, statistic=eta2, threshold=limit))
    return conclude(
        findings,
        passed=f"{percent(eta2)} of the variance of the evaluated genes lies between patients ({context})",
        statistic=eta2,
        threshold=warn_share,
        details=details,
    )


def _read(
    dataset: Subject, measured: Measured, columns: NDArray[np.intp]
) -> tuple[dict[str, Moments], dict[str, Moments], dict[str, str]]:
    """Return moments of each slide, of every second unit of it, and whose it is, where that is known."""
    names = {sample.slide: person(sample, dataset.name) for sample in dataset.samples}
    slides: dict[str, Moments] = {}
    halves: dict[str, Moments] = {}
    for slide in measured.slides():
        name = slide.meta.slide_id
        if names.get(name) is None or not slide.measured[columns].all():
            continue
        values = measured.values(sample_units(slide), columns)
        slides[name] = _moments(values)
        halves[name] = _moments(values[::2])
    return slides, halves, {name: ":".join(names[name] or ()) for name in slides}


def _columns(measured: Measured) -> NDArray[np.intp]:
    """Return the genes that some fold asks; all, where patients differ so much that none can be chosen."""
    try:
        return asked_anywhere(measured.choices())
    except NothingToScore:
        first = next(measured.slides(), None)
        return np.arange(0 if first is None else len(first.genes))


def _most_seen(measured: Measured, columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return at most ``MAX_GENES`` columns: those seen in most units, ties by name."""
    if len(columns) <= MAX_GENES:
        return columns
    seen, names = np.zeros(len(columns)), columns.astype(str)
    for slide in measured.slides():
        seen += np.nan_to_num(measured.detection(slide)[columns])
        names = np.asarray(slide.genes).astype(str)[columns]
    return np.sort(columns[np.lexsort((names, -np.round(seen, DECIMALS)))[:MAX_GENES]])


def _moments(values: Floats) -> Moments:
    return Moments.of(values, np.empty((len(values), 0)))


def _axes(scatter: Floats) -> Floats:
    """Return the directions of the first principal components, (g, c)."""
    from scipy.linalg import eigh

    g = len(scatter)
    _, axes = eigh(scatter, subset_by_index=[max(0, g - N_COMPONENTS), g - 1])
    return np.asarray(axes, dtype=np.float64)


def _between(slides: Mapping[str, Moments], groups: Mapping[str, str], total: Moments) -> Floats:
    """Return the scatter between groups of slides, (g, g)."""
    scatter = np.zeros_like(total.xx)
    for group in dict.fromkeys(groups.values()):
        part = total_moments([slides[name] for name in slides if groups[name] == group])
        step = part.mean_x - total.mean_x
        scatter += part.n * np.outer(step, step)
    return scatter


def _share(between: Floats, total: Floats, axes: Floats) -> float:
    """Return the part of the variance along the axes that lies between groups, weighted by variance."""
    return round(
        float(np.einsum("ij,ij->", axes, between @ axes) / np.einsum("ij,ij->", axes, total @ axes)), DECIMALS
    )


def _accuracy(
    measured: Measured,
    columns: NDArray[np.intp],
    halves: Mapping[str, Moments],
    people: Mapping[str, str],
    axes: Floats,
) -> float:
    """Return the mean share of held-out units of a patient that a linear discriminant gives to them."""
    patients = sorted(set(people.values()))
    parts = [total_moments([halves[s] for s in halves if people[s] == who]) for who in patients]
    means = np.stack([part.mean_x @ axes for part in parts])
    scatter: Floats = np.sum([axes.T @ part.xx @ axes for part in parts], axis=0)
    within = scatter / max(1, sum(part.n for part in parts))
    scale = float(np.trace(within)) / len(within)
    weights = np.linalg.solve(within + (RIDGE * scale + np.finfo(float).tiny) * np.eye(len(within)), means.T)
    offsets = 0.5 * np.einsum("ij,ji->i", means, weights)
    right, number = np.zeros(len(patients)), np.zeros(len(patients))
    for slide in measured.slides():
        if slide.meta.slide_id not in people:
            continue
        held_out = measured.values(sample_units(slide), columns)[1::2]
        truth = patients.index(people[slide.meta.slide_id])
        guess = np.argmax(np.round(held_out @ axes @ weights - offsets, DECIMALS), axis=1)
        right[truth] += (guess == truth).sum()
        number[truth] += len(guess)
    judged = number > 0
    return round(float((right[judged] / number[judged]).mean()), DECIMALS) if judged.any() else 0.0
