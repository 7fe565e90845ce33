"""Designs that keep patients together: leave one out, grouped K-fold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pytest_stbench.errors import SplitError
from pytest_stbench.extend import split
from pytest_stbench.splits.table import Fold, fold_names, patients_of, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.splits.table import Sample

MAX_FOLDS = 5


@split(min_patients=2)
def lopo(samples: Sequence[Sample]) -> tuple[Fold, ...]:
    """Leave one patient out: each patient is the test of one fold, all others train.

    A fold is named by the slug of the patient's id.
    """
    patients = patients_of(samples)
    names = fold_names(patients, "patient")
    everything = [slide for slides in patients.values() for slide in slides]
    return tuple(
        Fold(name=names[patient], train=tuple(sorted(set(everything) - set(slides))), test=slides)
        for patient, slides in patients.items()
    )


@split(min_patients=4)
def pgkf(samples: Sequence[Sample], *, k: int | None = None, seed: int = 0) -> tuple[Fold, ...]:
    """Patient-grouped K-fold: K = min(5, patients) unless k is given, balanced over diseases and slides.

    The folds are ``1`` to K. Patients are dealt greedily: diseases with most patients first, patients
    with most slides first, each to the fold with fewest patients of that disease, then fewest slides. `seed`
    orders patients that are equal in this. Slides whose disease is unknown count as one disease.
    """
    patients = patients_of(samples)
    count = min(MAX_FOLDS, len(patients)) if k is None else whole_number("k", k, low=2)
    if count > len(patients):
        raise SplitError(f"pgkf with k={count} needs as many patients, the data has {len(patients)}: lower k")
    whole_number("seed", seed, low=0)
    disease = _diseases(samples)
    size = {kind: sum(disease[patient] == kind for patient in patients) for kind in set(disease.values())}
    order = sorted(
        patients,
        key=lambda patient: (
            -size[disease[patient]],
            disease[patient],
            -len(patients[patient]),
            _shuffled(patient, seed),
            patient,
        ),
    )
    members: list[list[str]] = [[] for _ in range(count)]
    for patient in order:
        target = min(
            range(count),
            key=lambda fold: (
                sum(disease[other] == disease[patient] for other in members[fold]),
                sum(len(patients[other]) for other in members[fold]),
                fold,
            ),
        )
        members[target].append(patient)
    folds = []
    for number, chosen in enumerate(members, start=1):
        test = sorted(slide for patient in chosen for slide in patients[patient])
        train = sorted(
            slide for patient, slides in patients.items() if patient not in chosen for slide in slides
        )
        folds.append(Fold(name=str(number), train=tuple(train), test=tuple(test)))
    return tuple(folds)


def _diseases(samples: Sequence[Sample]) -> dict[str, str]:
    """Return the disease of each patient: of several on its slides, all of them, sorted."""
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(str(sample.patient), set()).add(sample.disease or "")
    return {patient: "+".join(sorted(kinds - {""})) for patient, kinds in found.items()}


def _shuffled(patient: str, seed: int) -> str:
    """Return a seeded random rank that depends neither on other patients nor on the Python version."""
    return hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()
