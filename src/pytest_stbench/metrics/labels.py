"""Agreement of predicted classes and clusters with the true labels of the units of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics.labelled import Labels, compare_labels, slide_score
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Classes = Sequence[str] | NDArray[np.str_] | None
    Table = NDArray[np.float64]


@metric(
    "M32",
    needs="clusters",
    bounds=(-0.5, 1.0),
    better="up",
    fill=0.0,
    over="slide",
    group="labels",
    source="10.1007/BF01908075",
)
def ari(truth: ArrayLike, prediction: ArrayLike) -> Scores:
    """Adjusted Rand index of predicted clusters or classes and true labels of a slide.

    Rand index of clusters and true labels on one slide, adjusted for chance (Hubert and Arabie).

    Range [-0.5, 1], 0 by chance, higher is better. A single predicted cluster gives 0.

    Parameters
    ----------
    truth
        Shape (n,): true labels. Units without one (None, NaN, empty or ``undetermined``) are left
        out.
    prediction
        Shape (n,): cluster of each unit, under any names.

    Returns
    -------
    Scores
        One value; the extra ``n_left_out`` counts units without a true label. Undefined, in this
        order: ``too_few_units`` (fewer than two), ``single_cluster`` (one true label).

    Raises
    ------
    ValueError
        If the lengths differ or a unit has no predicted label.

    References
    ----------
    Adjusted Rand index: 10.1007/BF01908075.
    """
    labels = compare_labels(truth, prediction)
    table = _table(labels)
    rows, columns = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    both, total = _pairs(table), _pairs(np.atleast_1d(table.sum()))
    chance = rows * columns / max(total, 1.0)
    scale = 0.5 * (rows + columns) - chance
    # No pair is together on either side: all units stand alone in both, which is agreement.
    return _clustering(labels, (both - chance) / scale if scale > 0 else 1.0)


@metric("M33", needs="clusters", bounds=(0.0, 1.0), better="up", fill=0.0, over="slide", group="labels")
def nmi(truth: ArrayLike, prediction: ArrayLike) -> Scores:
    """Normalised mutual information of predicted and true labels; rises with the clusters.

    Rises with the number of clusters, which :func:`ami` corrects. Range [0, 1], higher is better.
    Parameters, undefined values and errors as in :func:`ari`.
    """
    labels = compare_labels(truth, prediction)
    information, true_entropy, predicted_entropy = _information(_table(labels))
    scale = 0.5 * (true_entropy + predicted_entropy)
    return _clustering(labels, float(np.clip(information / scale, 0.0, 1.0)) if scale > 0 else 0.0)


@metric("M33", needs="clusters", bounds=(None, 1.0), better="up", fill=0.0, over="slide", group="labels")
def ami(truth: ArrayLike, prediction: ArrayLike) -> Scores:
    """Mutual information of predicted and true labels beyond chance.

    Mutual information of clusters and true labels, adjusted for chance (arithmetic mean of entropies).

    Range about [0, 1] with 0 by chance, where it may fall below; higher is better. Parameters,
    undefined values and errors as in :func:`ari`.
    """
    from scipy.sparse import csr_matrix
    from sklearn.metrics.cluster import expected_mutual_information

    labels = compare_labels(truth, prediction)
    table = _table(labels)
    if len(labels.present()) < 2:
        return _clustering(labels, np.nan)
    information, true_entropy, predicted_entropy = _information(table)
    chance = expected_mutual_information(csr_matrix(table.astype(np.int64)), int(table.sum()))
    scale = 0.5 * (true_entropy + predicted_entropy) - chance
    if scale <= np.finfo(np.float64).eps:
        # Every unit stands alone in both: nothing lies between chance and perfect agreement.
        return _clustering(labels, 1.0 if information >= true_entropy - 1e-12 else 0.0)
    return _clustering(labels, (information - chance) / scale)


@metric(
    "M35",
    needs="labels",
    bounds=(0.0, 1.0),
    better="up",
    fill=0.0,
    over="class",
    group="labels",
    inputs=("classes", "not_covered", "min_units"),
)
def macro_f1(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    classes: Classes = None,
    min_units: int = 1,
    not_covered: Sequence[str] = (),
) -> Scores:
    """Mean F1 of the classes that a slide has.

    F1 of each class present in the truth of one slide; its mean is macro-F1.

    A class that is never predicted has 0. Classes that are only predicted have no F1 of their own:
    they cost the others recall and are counted. Range [0, 1], higher is better.

    Parameters
    ----------
    truth
        Shape (n,): true labels. Units without one (None, NaN, empty or ``undetermined``) are left
        out.
    prediction
        Shape (n,): predicted labels; or (n, k): probabilities, of which the largest is taken, the
        first of equals.
    classes
        Names of the k columns of probabilities.
    min_units
        Fewest true units that give a class a value.
    not_covered
        Classes of the slide that were not asked for, because no training unit has them; their
        units have no label in `truth`.

    Returns
    -------
    Scores
        One value per true class, in alphabetical order, then those `not_covered`. Undefined:
        ``too_few_units`` (fewer than `min_units`), ``not_covered``. Extras: ``precision``,
        ``recall``, ``support`` of each class; the same in all places: ``n_spurious``
        (predicted-only classes), ``n_left_out`` (units without a label).

    Raises
    ------
    ValueError
        If the lengths differ, a unit has no predicted label or probabilities are not valid.
    """
    labels = compare_labels(truth, prediction, classes=classes)
    table = _confusion(labels)
    hit, support, guessed = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    spurious = float(((support == 0) & (guessed > 0)).sum())
    return _by_class(
        labels,
        2.0 * hit / np.maximum(support + guessed, 1.0),
        min_units,
        not_covered,
        precision=hit / np.maximum(guessed, 1.0),
        recall=hit / np.maximum(support, 1.0),
        n_spurious=np.full(len(hit), spurious),
    )


@metric(
    "M36",
    needs="labels",
    bounds=(0.0, 1.0),
    better="up",
    fill=0.0,
    over="class",
    group="labels",
    inputs=("classes", "not_covered", "min_units"),
    source="10.1109/ICPR.2010.764",
)
def balanced_accuracy(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    classes: Classes = None,
    min_units: int = 1,
    not_covered: Sequence[str] = (),
) -> Scores:
    """Mean recall of the classes that a slide has; chance is one over their number.

    Recall of each class present in the truth of one slide; its mean is balanced accuracy.

    Range [0, 1], higher is better; chance is one over the number of true classes (the extra
    ``chance``). Parameters, undefined values and errors as in :func:`macro_f1`.

    References
    ----------
    Balanced accuracy: 10.1109/ICPR.2010.764.
    """
    labels = compare_labels(truth, prediction, classes=classes)
    table = _confusion(labels)
    chance = 1.0 / max(len(labels.present()), 1)
    recall = np.diag(table) / np.maximum(table.sum(axis=1), 1.0)
    return _by_class(labels, recall, min_units, not_covered, chance=np.full(len(recall), chance))


@metric(
    "M37",
    needs="labels",
    bounds=(-1.0, 1.0),
    better="up",
    fill=0.0,
    over="slide",
    group="labels",
    inputs=("classes",),
    source="10.1177/001316446002000104",
)
def kappa(truth: ArrayLike, prediction: ArrayLike, *, classes: Classes = None) -> Scores:
    """Cohen's kappa of predicted classes and true labels of a slide.

    (p_o - p_e) / (1 - p_e): agreement beyond what the frequencies of the classes give. Range
    [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction, classes
        As in :func:`macro_f1`.

    Returns
    -------
    Scores
        One value; the extra ``n_left_out`` counts units without a true label. Undefined, in this
        order: ``too_few_units`` (none), ``single_cluster`` (one true class, for which kappa is 0
        or undefined whatever is predicted).

    Raises
    ------
    ValueError
        As :func:`macro_f1`.

    References
    ----------
    Kappa: 10.1177/001316446002000104.
    """
    labels = compare_labels(truth, prediction, classes=classes)
    table = _confusion(labels) / max(len(labels.truth), 1)
    observed, chance = np.trace(table), float(table.sum(axis=0) @ table.sum(axis=1))
    reason = _undefined(labels, 1)
    value = np.nan if reason else (observed - chance) / (1.0 - chance)
    return slide_score(value, reason, n_left_out=labels.n_left_out)


def _table(labels: Labels) -> Table:
    """Return how many units each true label shares with each predicted one, empty rows left out."""
    table = _confusion(labels)
    occupied: Table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    return occupied


def _confusion(labels: Labels) -> Table:
    k = len(labels.names)
    counts = np.bincount(labels.truth * k + labels.prediction, minlength=k * k)
    table: Table = counts.reshape(k, k).astype(np.float64)
    return table


def _pairs(counts: Table) -> float:
    return float((counts * (counts - 1.0)).sum() / 2.0)


def _information(table: Table) -> tuple[float, float, float]:
    """Return mutual information and the entropies of rows and columns, in nats."""
    share = table / max(table.sum(), 1.0)
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    joint = _entropy(share.ravel())
    return _entropy(rows) + _entropy(columns) - joint, _entropy(rows), _entropy(columns)


def _entropy(share: Table) -> float:
    some = share[share > 0]
    return float(-(some @ np.log(some)))


def _undefined(labels: Labels, at_least: int) -> str:
    if len(labels.truth) < at_least:
        return "too_few_units"
    return "single_cluster" if len(labels.present()) < 2 else ""


def _clustering(labels: Labels, value: float) -> Scores:
    return slide_score(value, _undefined(labels, 2), n_left_out=labels.n_left_out)


def _by_class(
    labels: Labels, values: Table, min_units: int, not_covered: Sequence[str], **extras: Table
) -> Scores:
    """Return scores of the classes present in the truth, and of those that were not asked for."""
    present = labels.present()
    support = np.bincount(labels.truth, minlength=len(labels.names))[present]
    few = support < min_units
    lacking = np.full(len(not_covered), np.nan)
    left_out = np.full(len(present) + len(not_covered), float(labels.n_left_out))
    return Scores(
        values=np.concatenate([np.where(few, np.nan, values[present]), lacking]),
        reasons=np.array(
            [*np.where(few, "too_few_units", "").tolist(), *("not_covered" for _ in not_covered)], dtype="U32"
        ),
        labels=np.array([*labels.names[present].tolist(), *not_covered], dtype=np.str_),
        extras={name: np.concatenate([extra[present], lacking]) for name, extra in extras.items()}
        | {"support": np.concatenate([support.astype(np.float64), lacking]), "n_left_out": left_out},
    )
