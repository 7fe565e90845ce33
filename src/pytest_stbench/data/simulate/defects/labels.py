"""Defects of labels: classes that are nearly absent, units without label, labels of other units."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.defects.matrix import some_of

if TYPE_CHECKING:
    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.kernels.streams import Stream

RARE, COMMON = "immune", "stroma"


def majority(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Give a share of the units of smaller niches the label of the largest."""
    labels = slide.labels["niche"].copy()
    names, counts = np.unique(labels.astype(str), return_counts=True)
    largest = names[counts.argmax()].item()
    smaller = np.flatnonzero(labels != largest)
    labels[smaller[some_of(rng, len(smaller), share)]] = largest
    return replace(slide, labels={**slide.labels, "niche": labels})


def without_rare(slide: RawSlide) -> RawSlide:
    """Label immune niches as stroma."""
    labels = slide.labels["niche"].copy()
    labels[labels == RARE] = COMMON
    return replace(slide, labels={**slide.labels, "niche": labels})


def unlabelled(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Take all labels from a share of the units."""
    lost = some_of(rng, len(slide.unit_names), share)
    labels = {name: values.copy() for name, values in slide.labels.items()}
    for values in labels.values():
        values[lost] = None
    return replace(slide, labels=labels)


def of_others(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Let a share of the units change labels at random."""
    rows = np.arange(len(slide.unit_names))
    chosen = some_of(rng, len(rows), share)
    rows[chosen] = chosen[rng.permutation(len(chosen))]
    return replace(slide, labels={name: values[rows] for name, values in slide.labels.items()})


def as_codes(slide: RawSlide) -> RawSlide:
    """Put the number of each class in the place of its name, as a reader finds codes without names."""
    from pytest_stbench.data.readers.codes import NOTE  # which brings h5py

    labels, notes = {}, dict(slide.notes)
    for name, values in slide.labels.items():
        known = sorted({value for value in values.tolist() if value is not None})
        code = {value: str(number) for number, value in enumerate(known)}
        labels[name] = np.array([code.get(value) for value in values.tolist()], dtype=object)
        notes[f"{NOTE}{name}"] = sum(value is not None for value in values.tolist())
    return replace(slide, labels=labels, notes=notes)
