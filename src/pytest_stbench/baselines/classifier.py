"""What the baselines that name classes share: a logistic regression on features of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.errors import ModelError
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from sklearn.linear_model import LogisticRegression

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

MAX_GROUPS = 5
"""Groups of the inner cross-validation: patients up to this number, patients dealt to them above."""


def inner_groups(train: Sequence[TrainSlide]) -> list[int]:
    """Return the inner cross-validation group of each training slide.

    Groups are patients. More than five patients are dealt to five groups in the order of their
    names, which bounds memory and time. With a single patient the groups are its slides; with a
    single slide nothing can be left out, and the middle of the penalties is used.
    """
    patients = [slide.meta.patient_id or slide.meta.slide_id for slide in train]
    if len(set(patients)) == 1:
        patients = [slide.meta.slide_id for slide in train]
    number = {name: position % MAX_GROUPS for position, name in enumerate(sorted(set(patients)))}
    return [number[name] for name in patients]


STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Values of C in scikit-learn: inverse penalties."""

MAX_UNITS = 20_000
MAX_ITERATIONS = 300


class Classifier:
    """Multinomial logistic regression with balanced classes.

    Features are standardised with the training units. The penalty is the one of four with the
    least error when training patients are left out in turn; with one patient the slides are left
    out, with one slide the second weakest penalty is used. Above 20,000 labelled units every
    slide gives the same number, drawn with the seed of the task.
    """

    def __init__(self, features: Callable[[ModelSlide], Any], who: str) -> None:
        self._features = features
        self._who = who
        self._fitted: LogisticRegression | None = None
        self._centre: NDArray[np.float64] = np.empty(0)
        self._scale: NDArray[np.float64] = np.empty(0)

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Fit on the labelled training units. Raises ``ModelError`` when there are none."""
        from threadpoolctl import threadpool_limits

        rng = stream(task.seed, "classifier")
        quota = MAX_UNITS // max(len(train), 1)
        parts, labels, groups = [], [], []
        for group, slide in zip(inner_groups(train), train, strict=True):
            names = () if slide.labels is None else slide.labels
            known = np.flatnonzero([name is not None for name in names])
            known = known[np.sort(rng.permutation(len(known))[:quota])]
            if not len(known):
                continue
            parts.append(np.asarray(self._features(slide), dtype=np.float64)[known])
            labels.append(np.asarray(slide.labels, dtype=object)[known].astype(str))
            groups.append(np.full(len(known), group))
        if not parts:
            raise ModelError(f"{self._who}: no training unit has a label among {', '.join(task.classes)}")
        x, y, of_group = np.concatenate(parts), np.concatenate(labels), np.concatenate(groups)
        self._centre, spread = x.mean(axis=0), x.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        z = (x - self._centre) / self._scale
        # Problems this small are slower on several threads, and far slower beside other work. Limits are
        # set once: finding the libraries anew for each of a hundred fits took an eighth of their time.
        with threadpool_limits(1):
            self._fitted = _fit(z, y, _choose(z, y, of_group)) if len(set(y)) > 1 else None
        self._only = str(y[0])

    def predict(self, slide: ModelSlide, classes: Sequence[str]) -> NDArray[np.float32]:
        """Return probabilities (n, k); a class without training units has none."""
        place = {name: column for column, name in enumerate(classes)}
        result = np.zeros((slide.n_units, len(classes)), dtype=np.float64)
        if self._fitted is None:
            result[:, place[self._only]] = 1.0
            return result.astype(np.float32)
        z = (np.asarray(self._features(slide), dtype=np.float64) - self._centre) / self._scale
        columns = [place[name] for name in self._fitted.classes_.tolist()]
        result[:, columns] = self._fitted.predict_proba(z)
        return result.astype(np.float32)


def _fit(z: NDArray[np.float64], y: NDArray[Any], strength: float) -> LogisticRegression:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A yardstick that stopped early is still one; it is the same one every time.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, class_weight="balanced", max_iter=MAX_ITERATIONS).fit(z, y)


def _choose(z: NDArray[np.float64], y: NDArray[Any], group: NDArray[np.intp]) -> float:
    """Return the penalty with the least mean balanced error over left-out groups."""
    found = np.unique(group)
    if len(found) < 2:
        return STRENGTHS[-2]
    errors = np.zeros(len(STRENGTHS))
    for left_out in found:
        own = group == left_out
        if len(set(y[~own])) < 2:
            continue
        for place, strength in enumerate(STRENGTHS):
            guess = _fit(z[~own], y[~own], strength).predict(z[own])
            errors[place] += 1 - np.mean([(guess[y[own] == name] == name).mean() for name in set(y[own])])
    return STRENGTHS[int(np.argmin(errors))]
