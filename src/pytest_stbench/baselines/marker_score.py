"""B09: the class whose marker genes stand out most, by the rule of signature scores."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.baselines.counts import log_normalised, median_size, observed_counts, row_sums
from pytest_stbench.baselines.families import LABELS
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.control_genes import (
    control_weights,
    draw_controls,
    enough,
    expression_bins,
    membership,
)
from pytest_stbench.kernels.signature_scores import mean_scores, rank_scores
from pytest_stbench.resources import class_signatures, signatures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix, csr_matrix

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

    Floats = NDArray[np.float64]

WHOLE_TRANSCRIPTOME = 1000
MIN_DETECTION = 0.02
TEMPERATURES = np.geomspace(0.05, 20.0, 49)


@baseline(
    "B09",
    kind="model",
    families=LABELS,
    needs=("observed",),
    memory="O(units), counts of the training slides sparse",
    source="10.1126/science.aad0501; 10.1016/j.csbj.2021.06.043",
)
class MarkerScore:
    """The class whose marker genes stand out most, scored as a signature is.

    Score the markers of every class and name the class with the highest score.

    A set of markers is scored as a signature is: mean of the members minus mean of controls
    expressed as much (from 1,000 observed genes on), or by the ranks of the members within the
    unit (below). Scores are standardised with the training units; the score of a class is the mean
    of its sets. A class without markers, or with too few of them among the observed genes, has the
    score 0 of the average unit: it is named where nothing else stands out. Probabilities are a
    softmax whose temperature has the least log loss on the labelled training units.

    Parameters
    ----------
    markers
        Genes of each class; None takes the signatures that the package names for a class
        (:func:`pytest_stbench.resources.class_signatures`).
    """

    name = "marker_score"
    revision = "1"

    def __init__(self, markers: Mapping[str, Sequence[str]] | None = None) -> None:
        self.markers = None if markers is None else {name: tuple(genes) for name, genes in markers.items()}
        self.classes: tuple[str, ...] = ()
        self.temperature = 1.0
        self._genes: tuple[str, ...] = ()
        self._of_class: NDArray[np.float64] = np.empty((0, 0))
        self._members: csc_matrix | None = None
        self._weights: Floats | None = None
        self._scale = 1.0
        self._centre: Floats = np.empty(0)
        self._spread: Floats = np.empty(0)

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {"markers": self.markers or "built-in"}

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Choose controls, standardise the scores and find the temperature.

        Raises ``ModelError`` when counts are not handed out, no class has markers among the
        observed genes, or no training unit has a label.
        """
        if not task.observed_genes:
            raise ModelError(f"{self.name} needs counts, and the task hands out none")
        self.classes, self._genes = task.classes, task.observed_genes
        self._scale = median_size(train)
        values = [self._values(slide) for slide in train]
        self._choose(values, train)
        scores = [self._set_scores(block) for block in values]
        stacked = np.concatenate(scores)
        self._centre, spread = stacked.mean(axis=0), stacked.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        self.temperature = self._best_temperature(scores, train)

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> NDArray[np.float32]:
        """Return class probabilities, (n, k)."""
        if self._members is None:
            raise ModelError(f"{self.name} was asked to predict before it was fitted")
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
            message = f"{self.name} was fitted for {', '.join(self.classes)} and asked for {unknown[0]}"
            raise ModelError(message)
        columns = [self.classes.index(name) for name in classes]
        scores = self._class_scores(self._set_scores(self._values(slide)))[:, columns]
        return _softmax(scores / self.temperature).astype(np.float32)

    def _values(self, slide: ModelSlide) -> csr_matrix:
        counts = observed_counts(slide, self._genes)
        return log_normalised(counts, row_sums(counts), self._scale)

    def _choose(self, values: Sequence[csr_matrix], train: Sequence[TrainSlide]) -> None:
        """Choose the sets that can be scored, and their controls."""
        genes = np.array(self._genes, dtype=np.str_)
        level = _over_patients([np.asarray(v.sum(axis=0)).ravel() for v in values], train)
        seen = _over_patients([np.asarray((v > 0).sum(axis=0)).ravel() for v in values], train)
        detected = seen >= MIN_DETECTION
        column_of = {gene: column for column, gene in enumerate(self._genes) if detected[column]}
        sets: list[NDArray[np.intp]] = []
        owners: list[int] = []
        listed: set[str] = set()
        for place, name in enumerate(self.classes):
            for markers in self._sets_of(name):
                listed.update(markers)
                own = np.array(sorted(column_of[g] for g in set(markers) if g in column_of), dtype=np.intp)
                if enough(np.array([len(own)]), np.array([len(set(markers))]))[0]:
                    sets.append(own)
                    owners.append(place)
        if not sets:
            raise ModelError(
                f"{self.name}: of the classes {', '.join(self.classes)} none has enough markers among the "
                f"{len(genes)} observed genes: give markers of your own, MarkerScore(markers={{...}})"
            )
        self._members = membership(sets, len(genes))
        self._of_class = np.zeros((len(sets), len(self.classes)))
        self._of_class[np.arange(len(sets)), owners] = 1.0
        self._of_class /= np.maximum(self._of_class.sum(axis=0), 1.0)
        self._weights = None
        if len(genes) >= WHOLE_TRANSCRIPTOME:
            bins = expression_bins(level, detected, genes)
            controls = draw_controls(self._members, bins, detected & ~np.isin(genes, list(listed)), genes)
            self._weights = control_weights(self._members, bins, controls)

    def _sets_of(self, name: str) -> list[tuple[str, ...]]:
        if self.markers is not None:
            return [self.markers[name]] if name in self.markers else []
        known = signatures()
        key = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
        return [known[signature] for signature in class_signatures().get(key, ())]

    def _set_scores(self, values: csr_matrix) -> Floats:
        assert self._members is not None  # chosen before anything is scored
        if self._weights is None:
            return rank_scores(values, self._members)
        return mean_scores(values, self._weights)

    def _class_scores(self, scores: Floats) -> Floats:
        standardised: Floats = ((scores - self._centre) / self._spread) @ self._of_class
        return standardised

    def _best_temperature(self, scores: Sequence[Floats], train: Sequence[TrainSlide]) -> float:
        """Return the temperature with the least log loss on labelled units."""
        place = {name: column for column, name in enumerate(self.classes)}
        rows: list[Floats] = []
        truth: list[int] = []
        for block, slide in zip(scores, train, strict=True):
            labels = [] if slide.labels is None else slide.labels.tolist()
            known = [unit for unit, label in enumerate(labels) if label in place]
            rows.append(self._class_scores(block[known]))
            truth.extend(place[labels[unit]] for unit in known)
        if not truth:
            raise ModelError(f"{self.name}: no training unit has a label among {', '.join(self.classes)}")
        z = np.concatenate(rows)
        own = np.arange(len(truth)), np.array(truth)
        losses = [-np.log(np.maximum(_softmax(z / t)[own], 1e-300)).mean() for t in TEMPERATURES]
        return float(TEMPERATURES[int(np.argmin(losses))])


def _softmax(scores: Floats) -> Floats:
    power = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = power / power.sum(axis=1, keepdims=True)
    return shares


def _over_patients(sums: Sequence[Floats], train: Sequence[TrainSlide]) -> Floats:
    """Return the mean over patients of the mean over their units of each gene."""
    totals: dict[str, Floats] = {}
    units: dict[str, int] = {}
    for own, slide in zip(sums, train, strict=True):
        patient = slide.meta.patient_id or slide.meta.slide_id
        totals[patient] = totals.get(patient, 0.0) + own
        units[patient] = units.get(patient, 0) + slide.n_units
    mean: Floats = np.mean([totals[patient] / max(units[patient], 1) for patient in totals], axis=0)
    return mean
