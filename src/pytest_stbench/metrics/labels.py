"""Agreement of predicted classes with the true labels of the units of a slide."""

from __future__ import annotations

from functools import partial
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


label_metric = partial(metric, needs="labels", better="up", fill=0.0, group="labels")


@label_metric("M35", bounds=(0.0, 1.0), over="class", inputs=("classes", "not_covered", "min_units"))
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
    table = confusion(labels)
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


@label_metric(
    "M36",
    bounds=(0.0, 1.0),
    over="class",
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
    table = confusion(labels)
    chance = 1.0 / max(len(labels.present()), 1)
    recall = np.diag(table) / np.maximum(table.sum(axis=1), 1.0)
    return _by_class(labels, recall, min_units, not_covered, chance=np.full(len(recall), chance))


@label_metric(
    "M37", bounds=(-1.0, 1.0), over="slide", inputs=("classes",), source="10.1177/001316446002000104"
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
    table = confusion(labels) / max(len(labels.truth), 1)
    observed, chance = np.trace(table), float(table.sum(axis=0) @ table.sum(axis=1))
    reason = undefined(labels, 1)
    value = np.nan if reason else (observed - chance) / (1.0 - chance)
    return slide_score(value, reason, n_left_out=labels.n_left_out)


def confusion(labels: Labels) -> Table:
    """Return how many units have each true and each predicted label, (k, k)."""
    k = len(labels.names)
    counts = np.bincount(labels.truth * k + labels.prediction, minlength=k * k)
    table: Table = counts.reshape(k, k).astype(np.float64)
    return table


def undefined(labels: Labels, at_least: int) -> str:
    """Return why a slide has no score; empty where it has one."""
    if len(labels.truth) < at_least:
        return "too_few_units"
    return "single_cluster" if len(labels.present()) < 2 else ""


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
