"""From a split of a task file and the samples table to folds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from pytest_stbench.errors import SplitError
from pytest_stbench.index import loaded
from pytest_stbench.registry import Catalogue, Split, nearest
from pytest_stbench.splits.catalogue import SPLITS
from pytest_stbench.splits.table import Fold, patients_of, slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_stbench.splits.table import Sample


class Design(Protocol):
    """A split as a task file names it: a design and its parameters."""

    @property
    def name(self) -> str:
        """Name of the design."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters that differ from the defaults."""


def make_folds(
    split: Design, samples: Sequence[Sample], records: Iterable[Split] = SPLITS
) -> tuple[Fold, ...]:
    """Return the folds of `split`, the same for any order of `samples`.

    Parameters
    ----------
    split
        The name of a design and what differs from its default parameters.
    samples
        One row per slide.
    records
        The designs that are known.

    Raises
    ------
    SplitError
        If the design or a parameter is unknown, a slide stands twice in the table, or the design
        cannot be made from these slides (too few patients, missing patient ids, fold names that
        collide).
    """
    known = Catalogue("split", records)
    if split.name not in known:
        match = nearest(split.name, known.names)
        raise SplitError(f"there is no split {split.name!r}{match}; allowed: {', '.join(known.names)}")
    record = known[split.name]
    unknown = sorted(set(split.params) - set(record.params))
    if unknown:
        allowed = f"allowed: {', '.join(record.params)}" if record.params else "it takes none"
        raise SplitError(f"split {split.name!r} has no parameter {', '.join(unknown)}; {allowed}")
    rows = sorted(samples, key=lambda sample: sample.slide)
    _check_rows(rows)
    if record.min_patients > 1:
        _check_patients(record, rows)
    folds = loaded(record)(rows, **{**record.params, **split.params})
    if not isinstance(folds, list | tuple) or not all(isinstance(fold, Fold) for fold in folds):
        raise SplitError(
            f"split {split.name!r}: {record.target} returned {type(folds).__name__}: it returns a tuple of "
            "pytest_stbench.splits.table.Fold"
        )
    _check_folds(split.name, folds, rows)
    return tuple(folds)


def _check_rows(rows: Sequence[Sample]) -> None:
    if not rows:
        raise SplitError("the samples table has no slides: nothing can be split")
    slides = [row.slide for row in rows]
    # The rows are sorted by slide: equal ids stand side by side.
    twice = sorted({slide for slide, following in pairwise(slides) if slide == following})
    if twice:
        raise SplitError(f"the samples table lists {', '.join(twice)} more than once: one row per slide")


def _check_patients(record: Split, rows: Sequence[Sample]) -> None:
    found = len(patients_of(rows))
    if found >= record.min_patients:
        return
    patients = "1 patient" if found == 1 else f"{found} patients"
    advice = "use lopo or within" if found > 1 else "use within, which says nothing of other patients"
    message = f"split {record.name!r} needs {record.min_patients} patients, the data has {patients}: {advice}"
    raise SplitError(message)


def _check_folds(name: str, folds: Sequence[Fold], rows: Sequence[Sample]) -> None:
    """Hold what every design must keep, those of other packages included."""
    known = {row.slide for row in rows}
    names = [fold.name for fold in folds]
    for fold in folds:
        empty = "train" if not fold.train else "test"
        if not fold.train or not fold.test:
            raise SplitError(f"fold {fold.name!r} of split {name!r} has no {empty} slides")
        stray = sorted({*fold.train, *fold.test} - known)
        if stray:
            raise SplitError(f"fold {fold.name!r} of split {name!r} names unknown slides: {', '.join(stray)}")
        if fold.name != slug(fold.name) or not fold.name or names.count(fold.name) > 1:
            raise SplitError(
                f"split {name!r} made a fold {fold.name!r}: names are unique, of letters, digits, '_', '.'"
            )
    if not folds:
        raise SplitError(f"split {name!r} made no folds")
