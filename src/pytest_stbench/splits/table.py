"""The samples table, one row per slide, folds of it, and what designs share: patients, names of folds."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import SplitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One slide; a field that is not known is None, never made up."""

    slide: str
    patient: str | None = None
    site: str | None = None
    technology: str | None = None
    panel: str | None = None
    corpus: str | None = None
    accession: str | None = None
    organ: str | None = None
    disease: str | None = None
    preservation: str | None = None
    resolution: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def row_text(sample: Sample) -> str:
    """Return a row of the samples table as the checksum of a data set has it."""
    known = (sample.patient, sample.site, sample.technology, sample.panel, sample.corpus, sample.organ)
    further = (sample.disease, sample.preservation, sample.resolution)
    return "\0".join(value or "" for value in (sample.slide, *known, *further))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One train-test pair of slide ids.

    With ``within`` the same slide stands on both sides and is cut into spatial blocks when it is
    read: ``seed`` fixes which blocks are the test.
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    within: bool = False
    seed: int = 0
    params: Mapping[str, float] = field(default_factory=dict)


def slug(label: str) -> str:
    """Return `label` with only letters, digits, ``_`` and ``.``; other characters become ``_``.

    Accents are dropped (``Müller`` gives ``Muller``). Different labels may give the same slug:
    whoever makes ids from slugs must refuse that.
    """
    plain = unicodedata.normalize("NFKD", label)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_.]+", "_", plain)


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
