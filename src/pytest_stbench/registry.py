"""Records that say what a metric, check, baseline, family, split or reader is.

A record is the single place where a thing is described: the task-file schema, the documentation
pages, help texts and suggestions are made from it. Records import nothing heavy; the function
behind one is named by ``target`` (``"module:attribute"``) and loaded when it is first needed.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SIMPLE = "ridge"
"""Stands for the simple learned baseline of whatever family and data are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A score on arrays.

    ``over`` says what one value belongs to (a gene, unit, niche, pair ... of one slide, or the
    slide); ``genes`` names the set of genes it looks at; ``inputs`` names the keyword arguments the
    function takes beyond truth and prediction (``libsize``, ``train_mean``, ``graph``, ``niches``
    ...). ``fill`` replaces a value that is undefined through the model's own fault in
    the mean, ``floor`` bounds single values in the mean from below. ``statistic`` names the function
    that makes of one true slide what the metric also takes in the place of a prediction, so that
    the mean of training patients can be scored.
    """

    id: str
    name: str
    summary: str
    bounds: tuple[float | None, float | None]
    better: Literal["up", "down", "context"]
    target: str
    fill: float | None = None
    needs: str = "expression"
    over: Literal[
        "gene",
        "signature",
        "unit",
        "niche",
        "pair",
        "pathway",
        "class",
        "perturbation",
        "threshold",
        "slide",
    ] = "gene"
    genes: Literal["evaluated", "coexpressed", "markers", "communication"] = "evaluated"
    group: Literal[
        "agreement",
        "error",
        "spatial",
        "set",
        "coexpression",
        "communication",
        "depth_adjusted",
        "calibration",
        "labels",
        "embedding",
        "composition",
        "segmentation",
        "transfer",
        "robustness",
    ] = "agreement"
    inputs: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    floor: float | None = None
    statistic: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A data-quality test.

    ``reasons`` gives, for every default threshold, why it stands there.
    ``after`` names checks that run before it. Where one of them that ``withholds`` fails so that nothing is
    left to judge, this one is skipped, with what was found there.
    """

    id: str
    name: str
    summary: str
    severity: Literal["fail", "warn", "warn/fail", "fail/warn"]
    scope: Literal["dataset", "split", "task", "model", "results"]
    target: str
    params: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    needs: Literal["metadata", "slides", "spec"] = "slides"
    checklist: tuple[str, ...] = ()
    skip_fails: bool = False
    after: tuple[str, ...] = ()
    withholds: bool = False
    source: str = ""

    @property
    def blocks(self) -> str:
        """Whose metrics a failure holds back: those of its dataset, split or task, or nothing."""
        return self.scope if self.scope in ("dataset", "split", "task") else "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A yardstick: a ``model`` (same contract as a user's), a ``diagnostic`` or a ``control``."""

    id: str
    name: str
    summary: str
    kind: Literal["model", "diagnostic", "control"]
    families: tuple[str, ...]
    target: str
    needs: tuple[str, ...] = ()
    memory: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of question: what the model is given and asked, and the yardsticks it must beat.

    ``target`` names the class of its settings, ``question`` the class that asks. ``instead`` are methods that
    are asked in the place of ``method`` where a model has them.
    ``simple`` lists candidates for the simple learned baseline, best first: the first whose needs
    the data set meets is the one that ``ridge`` stands for. ``required`` names further references
    of the one rule beside the trivial and the simple one; ``margin`` is the default margin over
    the simple baseline. ``predicts`` says what a prediction holds, and so which metrics fit
    (:attr:`Metric.needs`). ``inputs`` are what a model is given beside coordinates; a family that
    is ``derived`` is scored from expression predicted as in `expression` or, where the task file
    says what is observed, as in `imputation`. ``modes`` has the default metrics, the primary one
    first, of settings that ask something else. No score of the primary metric passes
    where the model is worse than the simple baseline by the metric ``constraint``. A family that is
    about the answers to another one ``wraps`` it (see :func:`~pytest_stbench.spec.defaults.family_of`);
    without ``rule`` its primary metric is held to what the task file says alone.
    ``resolutions`` are the kinds of unit it is asked of; empty: any. ``columns`` says in words what the
    columns of an answer are.
    """

    id: str
    name: str
    summary: str
    method: str
    primary: str
    metrics: tuple[str, ...]
    trivial: str
    simple: tuple[str, ...]
    baselines: tuple[str, ...]
    target: str
    question: str = ""
    instead: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    margin: float = 0.0
    input_class: str = ""
    predicts: str = "expression"
    columns: str = "genes"
    inputs: tuple[str, ...] = ("image",)
    derived: bool = False
    modes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constraint: str = ""
    wraps: Family | None = None
    rule: bool = True
    resolutions: tuple[str, ...] = ()
    source: str = ""

    @property
    def serves(self) -> str:
        """The family whose baselines answer it."""
        return self.wraps.name if self.wraps else self.name

    def served_by(self, baseline: Baseline) -> bool:
        """Return whether a baseline answers it: by what the one or the other record says."""
        own = (self.trivial, *self.simple, *self.baselines, *self.required)
        return self.serves in baseline.families or baseline.name in own


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A design of train and test folds, made from the samples table alone."""

    id: str
    name: str
    summary: str
    target: str
    min_patients: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A ``source:`` of slides.

    ``index`` names the function that lists the slides where no samples table is given; empty where
    a table is always needed. ``files`` says which files are read; ``technology`` and ``resolution``
    are those of its slides where nobody says another. ``settings`` are the ``params`` that it knows; None
    where it judges them itself.
    """

    id: str
    name: str
    summary: str
    target: str
    index: str = ""
    settings: tuple[str, ...] | None = None
    needs_path: bool = False
    files: str = ""
    technology: str = ""
    resolution: str = ""
    source: str = ""


Record = Metric | Check | Baseline | Family | Split | Reader
R = TypeVar("R", Metric, Check, Baseline, Family, Split, Reader)


class Catalogue(Generic[R]):
    """Records of one kind, found by name, in the order of their ids."""

    def __init__(self, kind: str, records: Iterable[R]) -> None:
        self.kind = kind
        self._records: dict[str, R] = {}
        for record in records:
            if record.name in self._records:
                raise StbenchError(f"two {kind} records are called {record.name!r}: rename one of them")
            self._records[record.name] = record

    def __iter__(self) -> Iterator[R]:
        return iter(self._records.values())

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __len__(self) -> int:
        return len(self._records)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all records."""
        return tuple(self._records)

    def get(self, name: str) -> R | None:
        """Return the record called `name`, or None."""
        return self._records.get(name)

    def __getitem__(self, name: str) -> R:
        if name not in self._records:
            raise StbenchError(f"there is no {self.kind} {name!r}{nearest(name, self._records)}")
        return self._records[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All catalogues that a task file may name."""

    metrics: Catalogue[Metric]
    checks: Catalogue[Check]
    baselines: Catalogue[Baseline]
    families: Catalogue[Family]
    splits: Catalogue[Split]
    readers: Catalogue[Reader]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def load_target(target: str) -> Any:
    """Import ``"module:attribute"`` and return the attribute."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
