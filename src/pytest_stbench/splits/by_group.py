"""Designs that leave out all slides of one panel, site, technology, collection or organ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.errors import SplitError
from pytest_stbench.extend import split
from pytest_stbench.splits.table import Fold, fold_names, patients_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.splits.table import Sample


@split(min_patients=2)
def lopanel(samples: Sequence[Sample], *, test: str | None = None) -> tuple[Fold, ...]:
    """Leave one panel out: its slides are the test, its patients train nothing there.

    With `test` that panel alone is left out, else each in turn.
    """
    return leave_group_out(samples, "panel", test)


@split(min_patients=2)
def losite(samples: Sequence[Sample], *, test: str | None = None) -> tuple[Fold, ...]:
    """Leave one site out: its slides are the test, its patients train nothing there.

    With `test` that site alone is left out, else each in turn.
    """
    return leave_group_out(samples, "site", test)


@split(min_patients=2)
def lotech(samples: Sequence[Sample], *, test: str | None = None) -> tuple[Fold, ...]:
    """Leave one technology out: its slides are the test, its patients train nothing there.

    With `test` that technology alone is left out, else each in turn.
    """
    return leave_group_out(samples, "technology", test)


@split(min_patients=2)
def locorpus(samples: Sequence[Sample], *, test: str | None = None) -> tuple[Fold, ...]:
    """Leave one public collection out: its slides are the test, its patients train nothing there.

    With `test` that collection alone is left out, else each in turn.
    """
    return leave_group_out(samples, "corpus", test)


@split(min_patients=2)
def loorgan(samples: Sequence[Sample], *, test: str | None = None) -> tuple[Fold, ...]:
    """Leave one organ out: its slides are the test, its patients train nothing there.

    With `test` that organ alone is left out, else each in turn.
    """
    return leave_group_out(samples, "organ", test)


def leave_group_out(samples: Sequence[Sample], field: str, test: str | None = None) -> tuple[Fold, ...]:
    """Return one fold per group: its slides are the test, slides of other groups and patients train.

    A patient of the held-out group trains no fold that tests the group, whatever other groups its
    slides belong to.

    Parameters
    ----------
    samples
        One row per slide.
    field
        Field of the samples table: ``panel``, ``site``, ``technology``, ``corpus`` or ``organ``.
    test
        Hold out this group alone.

    Raises
    ------
    SplitError
        If a slide has no patient or no group, there are fewer than two groups, `test` is none of
        them, or all slides of the other groups are of patients of the held-out one.
    """
    patients_of(samples)
    missing = sorted(sample.slide for sample in samples if not (getattr(sample, field) or "").strip())
    if missing:
        raise SplitError(
            f"no {field} for {', '.join(missing)}: fill the column `{field}` of the samples table, or leave "
            "these slides out with `slides:`"
        )
    groups: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.slide):
        groups.setdefault(str(getattr(sample, field)), []).append(sample)
    if len(groups) < 2:
        raise SplitError(
            f"leaving one {field} out needs two or more, the data has {', '.join(groups)} alone: use lopo"
        )
    if test is not None and test not in groups:
        raise SplitError(f"test: there is no {field} {test!r}; the data has {', '.join(sorted(groups))}")
    names = fold_names(sorted(groups), field)
    return tuple(
        Fold(
            name=names[group], train=_others(groups, group, field), test=tuple(s.slide for s in groups[group])
        )
        for group in sorted(groups)
        if test in (None, group)
    )


def _others(groups: dict[str, list[Sample]], group: str, field: str) -> tuple[str, ...]:
    held_out = {sample.patient for sample in groups[group]}
    others = [sample for name, members in groups.items() if name != group for sample in members]
    train = sorted(sample.slide for sample in others if sample.patient not in held_out)
    if not train:
        raise SplitError(
            f"every slide of another {field} than {group!r} is of a patient of {group!r}: nothing is left to "
            "train on"
        )
    return tuple(train)
