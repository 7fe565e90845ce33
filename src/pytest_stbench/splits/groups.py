"""What designs share: slides grouped by patient, names of folds, whole parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import SplitError
from pytest_stbench.splits.names import slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.splits.table import Sample


def patients_of(samples: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    """Return the slides of each patient, both sorted; patient ids are taken as given.

    Whether two ids mean one person (``P01``, ``p-01``) is for the check of patient leakage to
    say. Raises ``SplitError`` naming the slides that have no patient id.
    """
    missing = sorted(sample.slide for sample in samples if not (sample.patient or "").strip())
    if missing:
        raise SplitError(
            f"no patient id for {', '.join(missing)}: a split by patient needs one for every slide; fill the "
            "patient column of the samples table, or leave these slides out with `slides:`"
        )
    groups: dict[str, list[str]] = {}
    for sample in samples:
        groups.setdefault(str(sample.patient), []).append(sample.slide)
    return {patient: tuple(sorted(groups[patient])) for patient in sorted(groups)}


def fold_names(labels: Iterable[str], kind: str) -> dict[str, str]:
    """Return the fold name of each of `labels`, which are ids of a `kind` (patient, slide).

    Raises ``SplitError`` naming both labels where two give one name, or a label gives none.
    """
    names: dict[str, str] = {}
    label_of: dict[str, str] = {}
    for label in labels:
        name = slug(label)
        if not name.strip("_"):
            raise SplitError(
                f"{kind} id {label!r} has no letter or digit for a fold name: rename it in the samples table"
            )
        if name in label_of:
            raise SplitError(
                f"{kind} ids {label_of[name]!r} and {label!r} both give the fold name {name!r}: "
                "rename one of them in the samples table"
            )
        label_of[name] = label
        names[label] = name
    return names


def whole_number(name: str, value: Any, *, low: int) -> int:
    """Return `value` as an int of at least `low`. Raises ``SplitError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < low:
        raise SplitError(f"{name} must be a whole number of at least {low}, found {value!r}")
    return int(value)
