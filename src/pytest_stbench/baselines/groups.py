"""Groups of training slides that are left out in turn when a penalty is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.inputs import TrainSlide

MAX_GROUPS = 5
"""Groups of the inner cross-validation: patients up to this number, patients dealt to them above."""


def inner_groups(train: Sequence[TrainSlide]) -> list[int]:
    """Return the inner cross-validation group of each training slide.

    Groups are patients. More than five patients are dealt to five groups in the order of their
    names, which bounds memory and time. With a single patient the groups are its slides; with a
    single slide nothing can be left out, and the middle of the penalties is used.
    """
    patients = [slide.meta.patient_id or slide.meta.slide_id for slide in train]
    if len(set(patients)) == 1:
        patients = [slide.meta.slide_id for slide in train]
    number = {name: position % MAX_GROUPS for position, name in enumerate(sorted(set(patients)))}
    return [number[name] for name in patients]
