"""What the nearest units of an embedding have in common: the patient, or the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.neighbours import neighbour_votes
from pytest_stbench.metrics.embeddings import NEIGHBOURS, embedding_metric, labelled_units
from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]
    Units = tuple[Codes, NDArray[np.str_], Floats, Codes, NDArray[np.str_], int]


@embedding_metric("M42", bounds=(0.0, None), better="down", source="10.1038/s41592-018-0254-1")
def knn_purity(truth: ArrayLike, prediction: ArrayLike, *, patients: ArrayLike) -> Scores:
    """Neighbours of the same patient over those expected by chance; 1 is fully mixed.

    k = min(30, n // 3) neighbours, the unit itself excluded; the expectation is
    sum_p f_p (n_p - 1) / (n - 1). 1 means fully mixed; lower is better down to 1.

    Parameters
    ----------
    truth, prediction, patients
        As in :func:`patient_variance`.

    Returns
    -------
    Scores
        One value. Extras: ``k``, ``share`` (before the ratio), ``n_left_out``. Undefined, in this
        order: ``too_few_units`` (fewer than three, or no patient has two), ``single_cluster``
        (fewer than two patients). Neighbours tied in distance share the places left, so that a
        constant embedding gives 1.

    Raises
    ------
    ValueError
        As :func:`patient_variance`.

    References
    ----------
    Tests of mixing: 10.1038/s41592-018-0254-1.
    """
    _, _, points, patient, names, left_out = labelled_units(truth, prediction, patients)
    n, size = len(points), np.bincount(patient, minlength=len(names))
    k = min(NEIGHBOURS, n // 3)
    expected = float(size @ (size - 1)) / max(n * (n - 1), 1)
    if k < 1 or expected <= 0:
        return slide_score(np.nan, "too_few_units", k=k, n_left_out=left_out)
    if len(names) < 2:
        return slide_score(np.nan, "single_cluster", k=k, n_left_out=left_out)
    votes = neighbour_votes(points, patient, len(names), k)
    share = float(votes[np.arange(n), patient].mean()) / k
    return slide_score(share / expected, share=share, k=k, n_left_out=left_out)


@embedding_metric("M43", bounds=(0.0, 1.0), better="up", inputs=("patient",))
def knn_recall(
    truth: ArrayLike, prediction: ArrayLike, *, patients: ArrayLike, patient: str | None = None
) -> Scores:
    """Macro-recall of labels read off the nearest units of other patients.

    A unit gets the majority label of its 30 neighbours (of equal votes the first by name); the recall
    of each label of the patient is averaged. Range [0, 1], higher is better; one over the number
    of labels without knowledge.

    Parameters
    ----------
    truth, prediction, patients
        As in :func:`patient_variance`.
    patient
        Return the value of this patient alone.

    Returns
    -------
    Scores
        One value per patient. Undefined: ``not_covered`` (no label of the patient occurs in
        another one). Extras: ``n_units`` scored, ``n_absent`` (units whose label occurs in no
        other patient, left out); the same in all places: ``n_left_out``. Neighbours tied in
        distance share the places left.

    Raises
    ------
    ValueError
        As :func:`patient_variance`.
    """
    label, labels, points, of_patient, names, left_out = labelled_units(truth, prediction, patients)
    counts = np.zeros((len(names), len(labels)))
    np.add.at(counts, (of_patient, label), 1.0)
    elsewhere = counts.sum(axis=0) - counts
    scored = (counts > 0) & (elsewhere > 0)
    hits = np.zeros_like(counts)
    if scored.any():
        votes = neighbour_votes(points, label, len(labels), NEIGHBOURS, apart=of_patient)
        # Shared places leave rounding behind, which must not decide between equal votes.
        right = np.round(votes, 6).argmax(axis=1) == label
        np.add.at(hits, (of_patient[right], label[right]), 1.0)
    recall = np.divide(hits, counts, out=np.zeros_like(counts), where=scored)
    n_scored = scored.sum(axis=1)
    covered = n_scored > 0
    used = np.where(scored, counts, 0.0).sum(axis=1)
    values = np.where(covered, recall.sum(axis=1) / np.maximum(n_scored, 1), np.nan)
    kept = np.ones(len(names), bool) if patient is None else names == patient
    return Scores(
        values=values[kept],
        reasons=np.where(covered, "", "not_covered").astype("U32")[kept],
        labels=names[kept],
        extras={
            "n_units": used[kept],
            "n_absent": (counts.sum(axis=1) - used)[kept],
            "n_left_out": np.full(int(kept.sum()), float(left_out)),
        },
    )
