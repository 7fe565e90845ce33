"""Who is scored: a user's model, a baseline in the place of one, and the yardsticks of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ModelError
from pytest_stbench.index import loaded
from pytest_stbench.models.fresh import ModelHandle
from pytest_stbench.models.predictions import PredictionFolder
from pytest_stbench.registry import SIMPLE, Baseline, Catalogue, Family, nearest
from pytest_stbench.spec.defaults import baselines_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.spec.model import TaskSpec

CONTROL_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contestant:
    """One model under test.

    ``baseline`` is the name of the built-in baseline that stands in the model's place
    (``ridge`` already resolved), None for a user's model. ``files`` holds predictions that were
    made elsewhere.
    """

    label: str
    handle: ModelHandle
    baseline: str | None = None
    files: PredictionFolder | None = None

    @property
    def key(self) -> str:
        """What distinguishes this model from every other one in a run."""
        return f"{self.label}:{self.handle.digest}"


def simple_baseline(
    family: Family, offered: frozenset[str], baselines: Catalogue[Baseline]
) -> Baseline | None:
    """Return what ``ridge`` stands for: the family's first simple baseline whose needs are met."""
    for name in family.simple:
        record = baselines[name]
        if set(record.needs) <= offered:
            return record
    return None


def runnable(record: Baseline, family: Family, offered: frozenset[str]) -> bool:
    """Tell whether a baseline serves `family` and finds what it needs.

    Diagnostics and controls give no answers to a family that wraps another one: they are no models
    that can be fitted or asked again.
    """
    answers = record.kind == "model" or family.wraps is None
    return answers and family.served_by(record) and set(record.needs) <= offered


def baseline_contestant(
    name: str, family: Family, offered: frozenset[str], baselines: Catalogue[Baseline]
) -> Contestant:
    """Return the contestant for ``--stbench-model=NAME`` where NAME is a baseline.

    Raises ``ModelError`` for diagnostics and controls, which see the truth, and for baselines
    that do not serve the family or lack what they need.
    """
    record = simple_baseline(family, offered, baselines) if name == SIMPLE else baselines.get(name)
    if record is None:
        raise ModelError(
            f"there is no baseline {name!r} for the family {family.name}{nearest(name, baselines.names)}"
        )
    if record.kind != "model":
        models = [b.name for b in baselines if b.kind == "model" and family.served_by(b)]
        raise ModelError(
            f"{name} is a {record.kind}: it is given the truth, so it can never be the model under test; "
            f"choose one of {', '.join(models)}"
        )
    if not runnable(record, family, offered):
        lacking = sorted(set(record.needs) - offered)
        reason = (
            f"the data set offers no {' and no '.join(lacking)}"
            if lacking
            else f"it does not serve the family {family.name}"
        )
        raise ModelError(f"the baseline {name} cannot run here: {reason}")
    return Contestant(label=name, handle=ModelHandle(name, loaded(record)), baseline=record.name)


def diagnostic_predictions(record: Baseline, fold: FoldData) -> dict[str, Any]:
    """Fit a diagnostic on the training truth and predict every test slide."""
    model = loaded(record)()
    if hasattr(model, "predict_fold"):
        return dict(model.predict_fold(fold))
    model.fit(fold.train_truths(), fold.task)
    truths = {slide.meta.slide_id: fold.truth_given(slide) for slide in fold.test}
    if hasattr(model, "observe"):
        model.observe(list(truths.values()))
    return {slide: model.predict(truth) for slide, truth in truths.items()}


def control_predictions(record: Baseline, predictions: Mapping[str, Any]) -> dict[str, Any]:
    """Transform a model's own predictions."""
    control = loaded(record)
    return {slide: control(values, seed=CONTROL_SEED) for slide, values in predictions.items()}


def user_contestant(label: str, source: object) -> Contestant:
    """Return the contestant for what a user's fixture or import gave. Raises ``ModelError``."""
    files = source if isinstance(source, PredictionFolder) else None
    return Contestant(label=label, handle=ModelHandle(label, source), files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Baselines that run with every score of a data set.

    ``trivial`` and ``simple`` always run, listed or not; ``missing`` names listed baselines that
    cannot run here, with the reason.
    """

    trivial: Baseline
    simple: Baseline | None
    others: tuple[Baseline, ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """Baselines with predictions of their own (models and diagnostics), trivial first."""
        own = (self.trivial, *((self.simple,) if self.simple else ()), *self.others)
        return tuple(record for record in own if record.kind != "control")

    @property
    def controls(self) -> tuple[Baseline, ...]:
        """Transformations of the predictions of the model under test."""
        return tuple(record for record in self.others if record.kind == "control")


def make_ladder(
    spec: TaskSpec, family: Family, offered: frozenset[str], baselines: Catalogue[Baseline]
) -> Ladder:
    """Return the ladder of one data set from what the task file lists and the data offers."""
    simple = simple_baseline(family, offered, baselines)
    always = {family.trivial, simple.name if simple else "", SIMPLE}
    others: list[Baseline] = []
    missing: list[tuple[str, str]] = []
    for name in baselines_of(spec, family):
        if name in always:
            continue
        record = baselines[name]
        if runnable(record, family, offered):
            others.append(record)
        elif name in spec.baselines:
            lacking = " and ".join(sorted(set(record.needs) - offered)) or f"the family {family.name}"
            missing.append(
                (name, f"the data set offers no {lacking}: remove it from `baselines`, or add what it needs")
            )
    return Ladder(
        trivial=baselines[family.trivial], simple=simple, others=tuple(others), missing=tuple(missing)
    )
