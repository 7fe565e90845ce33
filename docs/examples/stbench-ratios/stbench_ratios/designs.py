"""A split: the last patients are the test."""

from __future__ import annotations

from pytest_stbench.extend import split
from pytest_stbench.splits.table import Fold


@split(min_patients=2)
def last_out(samples, *, n=1):
    """The patients whose names come last are tested, once."""
    patients = sorted({sample.patient for sample in samples})[-n:]
    test = tuple(sample.slide for sample in samples if sample.patient in patients)
    train = tuple(sample.slide for sample in samples if sample.slide not in test)
    return (Fold(name="last", train=train, test=test),)
