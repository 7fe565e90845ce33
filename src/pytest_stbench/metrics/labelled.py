"""Labels of units as numbers, and scores of a whole slide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.levels import factorized
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

UNDETERMINED = "undetermined"
"""The label of units that an annotator looked at and could not assign."""

SLIDE = "slide"


cluster_metric = partial(metric, needs="clusters", over="slide", group="labels")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """True and predicted classes of the units that have a true label.

    ``truth`` and ``prediction`` are indices into ``names``, which is sorted; ``kept`` says which
    of the units given they belong to, ``n_left_out`` how many had no label or ``undetermined``.
    """

    truth: NDArray[np.intp]
    prediction: NDArray[np.intp]
    names: NDArray[np.str_]
    kept: NDArray[np.bool_]

    @property
    def n_left_out(self) -> int:
        """Number of units without a true label."""
        return int((~self.kept).sum())

    def present(self) -> NDArray[np.intp]:
        """Return the classes that occur in the truth."""
        return np.flatnonzero(np.bincount(self.truth, minlength=len(self.names)))


def label_codes(labels: ArrayLike, name: str) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return an index into the sorted names for each label (n,), -1 where there is none, and the names."""
    values = np.asarray(labels)
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}: give one label for each unit")
    codes, found = factorized(values)
    names, place = np.unique(np.asarray(found).astype(np.str_), return_inverse=True)
    return np.append(place, -1)[codes], names


def true_codes(labels: ArrayLike, name: str = "truth") -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return :func:`label_codes`, where ``undetermined`` and the empty string are no label."""
    codes, names = label_codes(labels, name)
    known = (names != UNDETERMINED) & (names != "")
    place = np.where(known, np.cumsum(known) - 1, -1)
    return np.append(place, -1)[codes], names[known]


def predicted_codes(labels: ArrayLike, n_units: int) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    """Return :func:`label_codes` of a prediction; raise ValueError unless each of `n_units` has a label."""
    codes, names = label_codes(labels, "prediction")
    if len(codes) != n_units:
        message = f"truth has {n_units} units and prediction {len(codes)}: both must hold the same units"
        raise ValueError(message)
    if (codes < 0).any():
        message = f"{int((codes < 0).sum())} units have no predicted label: a model must label every unit"
        raise ValueError(message)
    return codes, names


def compare_labels(
    truth: ArrayLike, prediction: ArrayLike, *, classes: Sequence[str] | NDArray[np.str_] | None = None
) -> Labels:
    """Return true and predicted classes of the units with a true label.

    `prediction` holds labels (n,), or probabilities (n, k) whose columns are named by `classes`:
    then the most probable class is taken, the first of equals.

    Raises
    ------
    ValueError
        If the lengths differ, a unit has no predicted label or probabilities are not valid.
    """
    true, true_names = true_codes(truth)
    predicted = np.asarray(prediction)
    if predicted.ndim == 2:
        shares, columns = probabilities(predicted, classes, len(true))
        predicted = columns[shares.argmax(axis=1)]
    guess, guess_names = predicted_codes(predicted, len(true))
    kept = true >= 0
    names = np.union1d(true_names, guess_names)
    return Labels(
        truth=_renamed(true[kept], true_names, names),
        prediction=_renamed(guess[kept], guess_names, names),
        names=names,
        kept=kept,
    )


def probabilities(
    prediction: NDArray[Any], classes: Sequence[str] | NDArray[np.str_] | None, n_units: int
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return checked probabilities (n, k) and the names of their columns, or raise ValueError."""
    names = np.asarray([] if classes is None else classes, dtype=np.str_)
    if prediction.shape != (n_units, len(names)) or len(np.unique(names)) != len(names) or not len(names):
        raise ValueError(
            f"probabilities have shape {prediction.shape} for {n_units} units and {len(np.unique(names))} "
            "different classes: give one column for each of `classes`"
        )
    shares = np.asarray(prediction, np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError("probabilities must be finite and not negative")
    return shares, names


def slide_score(value: float, reason: str = "", flags: tuple[str, ...] = (), /, **extras: float) -> Scores:
    """Return one score of a whole slide; nan if there is a reason."""
    return Scores(
        values=np.array([np.nan if reason else value]),
        reasons=np.array([reason], dtype="U32"),
        labels=np.array([SLIDE]),
        flags=flags,
        extras={name: np.array([float(extra)]) for name, extra in extras.items()},
    )


def _renamed(codes: NDArray[np.intp], names: NDArray[np.str_], among: NDArray[np.str_]) -> NDArray[np.intp]:
    place = np.searchsorted(among, names)
    renamed: NDArray[np.intp] = place[codes]
    return renamed
