"""A split that others published, as a column of the samples table or a list of test slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import SplitError
from pytest_stbench.extend import split
from pytest_stbench.registry import nearest
from pytest_stbench.splits.table import Fold

if TYPE_CHECKING:
    from pytest_stbench.splits.table import Sample

TRAIN_WORDS = frozenset({"train", "training", "val", "valid", "validation"})
TEST_WORDS = frozenset({"test", "testing"})


@split()
def fixed(
    samples: Sequence[Sample],
    *,
    column: str | None = None,
    columns: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
) -> tuple[Fold, ...]:
    """A published split: a column of the samples table, several for several folds, or test slides by name.

    There is the single fold ``test``, or one fold for each of `columns`.

    Either `column` of the samples table says train or test for each slide (val counts as train),
    or each of `columns` does (a slide that is empty there takes no part in that fold), or `test`
    lists the test slides and all others train. That patients do not stand on both sides is for
    the check of patient leakage to say.
    """
    if sum(given is not None for given in (column, columns, test)) != 1:
        raise SplitError(
            "fixed needs exactly one of column (of the samples table), columns (one fold each) and test (a "
            "list of test slides)"
        )
    if columns is not None:
        return _by_columns(samples, columns)
    chosen = _test_by_column(samples, column) if column is not None else _test_by_list(samples, test)
    train = tuple(sample.slide for sample in samples if sample.slide not in chosen)
    held_out = tuple(sample.slide for sample in samples if sample.slide in chosen)
    if not train or not held_out:
        empty, full = ("test", "train") if train else ("train", "test")
        raise SplitError(f"fixed leaves no {empty} slides: all {len(samples)} are {full} slides")
    return (Fold(name="test", train=train, test=held_out),)


def _by_columns(samples: Sequence[Sample], columns: Any) -> tuple[Fold, ...]:
    if isinstance(columns, str) or not columns or not all(isinstance(name, str) for name in columns):
        raise SplitError(f"fixed: columns must be a list of columns of the samples table, found {columns!r}")
    folds = []
    for name in columns:
        part = [sample for sample in samples if _cell(sample, name)]
        folds += [replace(fold, name=name) for fold in fixed(part or samples, column=name)]
    return tuple(folds)


def _test_by_column(samples: Sequence[Sample], column: str) -> set[str]:
    values = {sample.slide: _cell(sample, column) for sample in samples}
    missing = sorted(slide for slide, value in values.items() if not value)
    if len(missing) == len(values):
        columns = sorted({name for sample in samples for name in sample.extra})
        hint = f"; further columns of the table: {', '.join(columns)}" if columns else ""
        raise SplitError(f"fixed: the samples table has no column {column!r}{nearest(column, columns)}{hint}")
    if missing:
        raise SplitError(f"fixed: column {column!r} is empty for {', '.join(missing)}: write train or test")
    other = sorted({value for value in values.values() if value not in TRAIN_WORDS | TEST_WORDS})
    if other:
        raise SplitError(
            f"fixed: column {column!r} holds {', '.join(map(repr, other))}; allowed: train, test, "
            "val (counts as train); leave other slides out with `slides:`"
        )
    return {slide for slide, value in values.items() if value in TEST_WORDS}


def _cell(sample: Sample, column: str) -> str:
    own = sample.extra.get(column)
    if own is None and column in type(sample).__slots__ and column != "extra":
        own = getattr(sample, column)
    return str(own or "").strip().casefold()


def _test_by_list(samples: Sequence[Sample], test: Any) -> set[str]:
    known = [sample.slide for sample in samples]
    if isinstance(test, str) or not isinstance(test, Sequence) or not all(isinstance(s, str) for s in test):
        raise SplitError(f"fixed: test must be a list of slide ids, found {test!r}")
    unknown = sorted(set(test) - set(known))
    if unknown:
        message = f"fixed: no slide {unknown[0]!r} in the samples table{nearest(unknown[0], known)}"
        if len(unknown) > 1:
            message += f"; also unknown: {', '.join(unknown[1:])}"
        raise SplitError(message)
    return set(test)
