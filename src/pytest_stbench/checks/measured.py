"""What checks of expression may ask for: the units and genes that are scored, statistics made once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, Protocol

from pytest_stbench.checks.result import CheckResult, conclude, nothing_to_judge
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.slide import Slide

P = ParamSpec("P")

MIN_DETECTION = 0.1
"""Genes seen in a smaller share of the units have no Moran's I here."""


class NothingToScore(DataError):
    """Data that can be read, of which no unit or no gene is left to be scored."""


class NoGenesAsked(NothingToScore):
    """A task that asks for labels, proportions or embeddings, and for no gene."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneChoice:
    """The genes that a fold asks of a model, and from where they were chosen.

    ``columns`` and ``candidates`` are columns of the data set, ``train`` and ``test`` ids of slides.
    """

    fold: str
    columns: NDArray[np.intp]
    candidates: NDArray[np.intp]
    train: tuple[str, ...]
    test: tuple[str, ...]


class Measured(Protocol):
    """The slides of a data set as a task scores them.

    Slides hold the units that pass the filter and have finite coordinates and counts of at least
    0. Methods raise ``NothingToScore`` where the task cannot be made from the data, and ``DataError``
    where a slide cannot be read.
    """

    def slides(self) -> Iterator[Slide]:
        """Iterate over the slides; a slide of which no unit is left is left out."""
        ...

    def choices(self) -> Sequence[GeneChoice]:
        """Return the genes of each fold."""
        ...

    def detection(self, slide: Slide) -> NDArray[np.float64]:
        """Return the share of units with a count, (G,); nan where the slide did not measure the gene."""
        ...

    def morans_i(self, slide: Slide) -> NDArray[np.float64]:
        """Return Moran's I of the task's values, (G,); nan for genes in fewer than a tenth of the units."""
        ...

    def graph(self, slide: Slide) -> csr_matrix:
        """Return which units are neighbours, (n, n)."""
        ...

    def values(self, slide: Slide, columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return some genes on the task's scale, (n, g)."""
        ...


def on_measured(check: Callable[P, CheckResult]) -> Callable[P, CheckResult]:
    """Let a check pass where no gene is asked, and be skipped where units or genes cannot be found."""

    @functools.wraps(check)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> CheckResult:
        try:
            return check(*args, **kwargs)
        except NoGenesAsked as error:
            return conclude([], passed=str(error))
        except NothingToScore as error:
            return nothing_to_judge(str(error), "correct the data or the `preprocess:` part of the task file")

    return guarded


def asked_anywhere(choices: Sequence[GeneChoice]) -> NDArray[np.intp]:
    """Return the columns that some fold asks, sorted."""
    import numpy as np

    return np.unique(np.concatenate([choice.columns for choice in choices])).astype(np.intp)


def asked_of(choices: Sequence[GeneChoice], slide: Slide) -> NDArray[np.intp] | None:
    """Return the measured columns that are asked on `slide`, None where it is tested in no fold."""
    for choice in choices:
        if slide.meta.slide_id in choice.test:
            return choice.columns[slide.measured[choice.columns]]
    return None


def tested(measured: Measured) -> Iterator[tuple[str, Slide, NDArray[np.intp]]]:
    """Yield name, slide and asked columns of every slide that is tested with a gene that it measured."""
    choices = measured.choices()
    for slide in measured.slides():
        columns = asked_of(choices, slide)
        if columns is not None and len(columns):
            yield slide.meta.slide_id, slide, columns
