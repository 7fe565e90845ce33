"""What a family does with a fold: what it asks, what it hands out, and what it scores against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pytest_stbench.errors import DataError, StbenchError
from pytest_stbench.extend import QUESTION
from pytest_stbench.index import found_at
from pytest_stbench.registry import load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.models.predictions import Place, PredictionFolder
    from pytest_stbench.registry import Family, Metric

    Predicted = Mapping[str, NDArray[Any]]

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySettings:
    """What a task file says to its family, gene lists already read.

    ``imputes`` says that some genes are observed and the others asked. ``own`` is the block under
    the family's name (None where the family has none); ``resolve`` finds a file that it names,
    ``named`` brings gene symbols of a file to those of the data set. A family that wraps another
    has its record in ``wraps`` and its settings in ``inner``.
    """

    imputes: bool = False
    observed: tuple[str, ...] | None = None
    hide_folds: int = 5
    hide_fold: int = 0
    own: Any = None
    resolve: Callable[[str], Path] | None = None
    wraps: Family | None = None
    inner: FamilySettings | None = None
    named: Callable[[Sequence[str]], tuple[str, ...]] = tuple


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What a fold may ask, decided on training slides alone.

    ``candidates`` are the columns of the data set that may be targets, None where no expression is
    asked; ``asked`` the targets where the family chooses them itself, None where
    ``preprocess.genes`` does; ``judged`` those of them that checks of genes look at, None for all;
    ``observed`` those that models are given; ``classes`` the labels, types or signatures asked
    for; ``communication`` the genes of the task's own ligand-receptor pairs, if it has some.
    """

    candidates: NDArray[np.intp] | None
    observed: NDArray[np.intp]
    counted: Mapping[str, int]
    classes: tuple[str, ...] = ()
    asked: NDArray[np.intp] | None = None
    judged: NDArray[np.intp] | None = None
    communication: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """One thing asked of a model: a slide, or a part or an altered form of one.

    ``key`` names its prediction; that of a whole slide is the slide's id.
    """

    key: str
    slide: Slide
    detail: Any = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """One fit of a fresh model, and what is asked of it."""

    train: tuple[Slide, ...]
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arms:
    """Truth and prediction as a metric takes them, and what else it may ask for by name."""

    truth: Any
    prediction: Any
    offered: Mapping[str, Callable[[], Any]]


class Truth(Protocol):
    """What the prediction of one test slide is scored against."""

    @property
    def n_units(self) -> int:
        """Number of units that are scored."""
        ...

    def n_columns(self, record: Metric) -> int | None:
        """Return the number of genes a metric looks at; None where it looks at none."""
        del record
        return None

    def arms(self, record: Metric, predicted: Predicted) -> Sequence[Arms]:
        """Return what a metric is called with; its values are averaged over several arms.

        `predicted` has all predictions of the fold by the key of their request.
        """
        ...


class Latest(Generic[Made]):
    """What was made of one prediction, until it is asked of another: every metric sees the same."""

    def __init__(self) -> None:
        self._held: tuple[object, Made] | None = None

    def of(self, thing: object, make: Callable[[], Made]) -> Made:
        """Return what `make` gives for `thing`, made once."""
        if self._held is None or self._held[0] is not thing:
            self._held = (thing, make())
        return self._held[1]


class Anchoring(Protocol):
    """Makes what the scores of one fold are read against: ceilings, floors, thresholds."""

    def of(self, slide: Slide, truth: Any, record: Metric) -> dict[str, Any]:
        """Return the anchors that a metric takes on a test slide, by the names of its inputs."""
        ...


def question_of(family: Family) -> type[Question]:
    """Return the class that asks the questions of a family.

    Raises ``StbenchError`` where it is none that can ask.
    """
    made = found_at(family.target)
    asks = getattr(made, QUESTION, None) or load_target(family.question)
    what = f"the family {family.name}: {family.question}"
    if not (isinstance(asks, type) and issubclass(asks, Question)):
        raise StbenchError(f"{what} asks nothing: derive it from pytest_stbench.families.Question")
    if lacking := sorted(asks.__abstractmethods__):
        raise StbenchError(f"{what} lacks {', '.join(lacking)}: a pytest_stbench.families.Question has them")
    return asks


def refuse_unless(fits: bool, found: object, question: Question, method: str, kind: str) -> None:  # noqa: FBT001
    """Raise ``DataError`` that says which method of a question returned what, unless it `fits`."""
    if not fits:
        asks = type(question)
        raise DataError(
            f"{asks.__module__}.{asks.__qualname__}.{method} returned {type(found).__name__}: it returns a "
            f"pytest_stbench.families.{kind}"
        )


class Question(ABC):
    """One kind of question, with the settings of a task file for one data set.

    ``exportable`` says whether another machine can answer it from files, ``of_units`` whether an answer
    has a row for every unit.
    """

    exportable = True
    of_units = True

    def __init__(self, settings: FamilySettings | None = None) -> None:
        self.settings = settings or FamilySettings()

    @property
    def hands_out_as_built(self) -> bool:
        """Whether inputs are what the package makes of slides: what is computed of them can be kept."""
        return type(self).build_input.__module__.startswith(f"{__package__}.")

    @abstractmethod
    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return what the fold may ask, from training slides alone."""

    @abstractmethod
    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return what a model sees of `slide`: a whitelist, built anew at every call."""

    @abstractmethod
    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Ask `model` for one prediction and return it as it came."""

    @abstractmethod
    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return what a model returned as a checked array. Raises ``ContractError``."""

    @abstractmethod
    def truth(self, slide: Slide, fold: FoldData) -> Truth:
        """Return what the predictions of a test slide are scored against."""

    def courses(self, fold: FoldData) -> tuple[Course, ...]:
        """Return every fit of a fold: one on its training slides, where nothing else is said."""
        return (Course(train=fold.train, requests=self.requests(fold)),)

    def requests(self, fold: FoldData) -> tuple[Request, ...]:
        """Return everything that is asked of a model: every test slide, where nothing else is said."""
        return tuple(Request(key=slide.meta.slide_id, slide=slide) for slide in fold.test)

    def given(self, request: Request, fold: FoldData) -> ModelSlide:
        """Return what a model sees of a request, built anew at every call."""
        return self.build_input(request.slide, fold)

    def complete(self, predicted: Predicted, where: str) -> None:  # noqa: B027  # most have nothing to compare
        """Refuse predictions of a fold that do not fit together. Raises ``ContractError``."""

    def columns(self, fold: FoldData) -> tuple[str, ...] | None:
        """Return the names of the columns of a prediction; None where they have none."""
        del fold
        return None

    def read(self, files: PredictionFolder, place: Place, request: Request, fold: FoldData) -> object:
        """Return what a folder of predictions holds for a request, rows as the units of its slide."""
        names = files.names_of(request.slide)
        return files.read(place, request.key, names.tolist(), self.columns(fold))

    def exported(self, request: Request, fold: FoldData) -> dict[str, NDArray[Any]] | None:
        """Return what a model elsewhere needs for a request that is not about units; None: a table."""
        del request, fold
        return None

    def identity(self, fold: FoldData) -> Any:
        """Return what predictions and scores depend on beside settings, genes and classes, JSON-safe."""
        del fold
        return None

    def lessons(self, slide: Slide, fold: FoldData) -> dict[str, Any]:
        """Return what a model may learn from a training slide beside expression, by field name."""
        del slide, fold
        return {}

    def anchors(self, fold: FoldData) -> Anchoring | None:
        """Return what makes the values that some scores are read against; None where none are."""
        del fold
        return None

    def repeats(self, slide: Slide, fold: FoldData, truth: Truth) -> Iterator[tuple[Truth, Predicted]]:
        """Yield repeated measurements of a test slide as (truth, prediction): the ceiling's material."""
        del slide, fold, truth
        return iter(())
