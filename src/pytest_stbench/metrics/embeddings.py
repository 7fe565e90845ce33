"""What an embedding knows of biology and what of the patient, over the units of several slides.

Units come from all slides that are compared; those without a label are left out of every metric,
so that biology and batch are judged on the same units.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.silhouettes import silhouettes
from pytest_stbench.kernels.streams import stream
from pytest_stbench.metrics.labelled import label_codes, slide_score, true_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.kernels.streams import Stream
    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]
    Units = tuple[Codes, NDArray[np.str_], Floats, Codes, NDArray[np.str_], int]

N_COMPONENTS = 20
NEIGHBOURS = 30
MAX_SILHOUETTE = 5000
WORKING_MEMORY_MIB = 64


embedding_metric = partial(metric, needs="embedding", over="slide", group="embedding")


@embedding_metric("M34", bounds=(0.0, 1.0), better="context")
def patient_variance(truth: ArrayLike, prediction: ArrayLike, *, patients: ArrayLike) -> Scores:
    """Share of the variance of an embedding that lies between patients.

    sum_c lambda_c eta2_c / sum_c lambda_c over the first 20 principal components (all where there
    are fewer) of the centred, unscaled embedding; eta2 is the sum of squares between patients over
    the total. Range [0, 1]; context, neither direction is better.

    Parameters
    ----------
    truth
        Shape (n,): labels. Units without one (None, NaN, empty or ``undetermined``) are left out.
    prediction
        Shape (n, d): embedding.
    patients
        Shape (n,): patient of each unit.

    Returns
    -------
    Scores
        One value. Extras: ``chance``, the expected value when patients are permuted among units,
        (patients - 1) / (n - 1), and ``n_left_out``, the units without a label. Undefined, in this
        order: ``single_cluster`` (fewer than two patients), ``pred_constant``.

    Raises
    ------
    ValueError
        If the lengths differ, the embedding is not finite or a unit has no patient.
    """
    _, _, points, patient, names, left_out = labelled_units(truth, prediction, patients)
    if len(names) < 2:
        return slide_score(np.nan, "single_cluster", n_left_out=left_out)
    chance = (len(names) - 1) / (len(points) - 1)
    centred = points - points.mean(axis=0)
    if not _varies(points):
        return slide_score(np.nan, "pred_constant", chance=chance, n_left_out=left_out)
    components = _principal_components(centred, N_COMPONENTS)
    size = np.bincount(patient)
    sums = np.zeros((len(names), components.shape[1]))
    np.add.at(sums, patient, components)
    # The weight of a component is its own total: what is left is one ratio of sums of squares.
    between = float((sums**2 / size[:, None]).sum())
    return slide_score(between / float((components**2).sum()), chance=chance, n_left_out=left_out)


@embedding_metric(
    "M41", bounds=(0.0, 1.0), better="up", inputs=("slide",), source="10.1016/0377-0427(87)90125-7"
)
def silhouette(
    truth: ArrayLike, prediction: ArrayLike, *, patients: ArrayLike, slide: str = "", seed: int = 0
) -> Scores:
    """Silhouette of the true labels in an embedding, 0.5 without separation.

    Mean silhouette of the labels in an embedding, as (s + 1) / 2.

    Euclidean distance; of more than 5000 units a sample is taken, patients in proportion, the same for
    every model. Range [0, 1], 0.5 without separation, higher is better.

    Parameters
    ----------
    truth, prediction, patients
        As in :func:`patient_variance`.
    slide
        Test slide whose value this is: each has a sample of its own.
    seed
        Seed of the sample.

    Returns
    -------
    Scores
        One value. Extras: ``n_units`` used, ``singleton`` (units alone in their label after
        sampling, left out), ``n_left_out`` (units without a label). Undefined: ``single_cluster``
        (fewer than two labels with two units). Of a sample, ``effects`` says by how much each unit moves
        the value, to first order.

    Raises
    ------
    ValueError
        As :func:`patient_variance`.

    References
    ----------
    Silhouette: 10.1016/0377-0427(87)90125-7.
    """
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    label, _, points, patient, _, left_out = labelled_units(truth, prediction, patients)
    sample = _stratified(patient, MAX_SILHOUETTE, stream(seed, "silhouette", slide))
    kept = sample[np.bincount(label[sample])[label[sample]] > 1] if len(sample) else sample
    extras = {"n_units": len(kept), "singleton": len(sample) - len(kept), "n_left_out": left_out}
    if len(np.unique(label[kept])) < 2:
        return slide_score(np.nan, "single_cluster", **extras)
    centred = points[kept] - points[kept].mean(axis=0)
    if len(sample) < len(points):
        single, influence = silhouettes(centred, label[kept])
        # Patients are drawn in proportion, so that what lies between them is not drawn.
        of, sizes = patient[kept], np.bincount(patient[kept]).clip(1)
        influence = influence - (np.bincount(of, influence) / sizes)[of]
        left = np.sqrt(1.0 - len(sample) / len(points))
        found = slide_score((float(single.mean()) + 1.0) / 2.0, **extras)
        return replace(found, effects=left * influence[None] / 2.0)
    with config_context(working_memory=WORKING_MEMORY_MIB):
        value = float(silhouette_score(centred, label[kept]))
    return slide_score((value + 1.0) / 2.0, **extras)


def labelled_units(truth: ArrayLike, prediction: ArrayLike, patients: ArrayLike) -> Units:
    """Return labels, their names, points, patients, their names, and how many units have no label."""
    label, labels = true_codes(truth)
    patient, _ = label_codes(patients, "patients")
    points = np.asarray(prediction)
    if points.ndim != 2 or points.dtype.kind not in "fiub" or not len(points) == len(label) == len(patient):
        raise ValueError(
            f"{len(label)} labels, {len(patient)} patients and an embedding of shape {points.shape}: "
            "give numbers (n, d), a label and a patient for the same n units"
        )
    if not np.isfinite(points).all():
        raise ValueError("the embedding is not finite: a model must return a finite number for every unit")
    if (patient < 0).any():
        raise ValueError(f"{int((patient < 0).sum())} units have no patient: name the patient of every slide")
    kept = label >= 0
    left, names = label_codes(np.asarray(patients)[kept], "patients")
    return label[kept], labels, points[kept].astype(np.float64), left, names, int((~kept).sum())


def _varies(points: Floats) -> bool:
    reach = np.ptp(points, axis=0)
    return bool((reach > 1e-9 * np.maximum(1.0, np.abs(points.mean(axis=0)))).any())


def _principal_components(centred: Floats, count: int) -> Floats:
    """Return the scores of the units (n, c) on the first principal components."""
    n, d = centred.shape
    if d <= count:
        return centred
    if d > n:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        scores: Floats = vectors[:, -count:] * np.sqrt(np.maximum(values[-count:], 0.0))
        return scores
    _, vectors = np.linalg.eigh(centred.T @ centred)
    projected: Floats = centred @ vectors[:, -count:]
    return projected


def _stratified(patient: Codes, size: int, rng: Stream) -> Codes:
    """Return all units, or `size` of them with each patient's share kept (largest remainders)."""
    n = len(patient)
    if n <= size:
        return np.arange(n)
    quota = np.bincount(patient) * (size / n)
    share = np.floor(quota).astype(np.intp)
    extra = np.argsort(share - quota, kind="stable")[: size - share.sum()]
    share[extra] += 1
    shuffled = rng.permutation(n)
    shuffled = shuffled[np.argsort(patient[shuffled], kind="stable")]
    sizes = np.bincount(patient)
    place = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(shuffled[place < np.repeat(share, sizes)])
