"""Defects of slides and units that are there more than once, and of their labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.defects.names import some_of
from pytest_stbench.kernels.clustering import kmeans
from pytest_stbench.kernels.domains import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.kernels.streams import Stream

RARE, COMMON = "immune", "stroma"
OVERLAP_UM = (37.0, 21.0)
"""Where a second section lies beside the first: no unit on another."""


def crop(slide: RawSlide, share: float) -> RawSlide:
    """Keep the left `share` of the units; all at 1."""
    n_kept = max(1, round(share * len(slide.unit_names)))
    if n_kept == len(slide.unit_names):
        return slide
    left = np.argsort(slide.xy_um[:, 0], kind="stable")[:n_kept]
    return take(slide, np.sort(left))


def duplicates(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Put copies of other units in the place of a share of them: name, place and counts."""
    return take(slide, _repeated(slide, share, rng))


def same_names(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Give a share of the units the name of another."""
    return replace(slide, unit_names=slide.unit_names[_repeated(slide, share, rng)])


def same_places(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Give a share of the units the place of another."""
    return moved(slide, _repeated(slide, share, rng))


def same_counts(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Give a share of the units the counts of another."""
    return replace(slide, counts=slide.counts[_repeated(slide, share, rng)])


def shuffled_places(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Let a share of the units change places at random."""
    return moved(slide, _permuted(slide, share, rng))


def two_sections(slide: RawSlide) -> RawSlide:
    """Let the second half of the units lie on the first, as a section joined to another does.

    Names get the suffixes of a concatenation; array positions are those of the first half, places are
    moved by a part of the pitch.
    """
    half = len(slide.unit_names) // 2
    rows = np.r_[:half, :half]
    places = moved(slide, rows)
    xy = places.xy_um.copy()
    xy[half:] += OVERLAP_UM
    names = [f"{name}-{part}" for part in "AB" for name in slide.unit_names[:half].tolist()]
    kept = take(slide, np.arange(2 * half))
    return replace(
        kept,
        unit_names=np.array(names, dtype=np.str_),
        xy_um=xy,
        xy_px=places.xy_px,
        array_index=places.array_index,
    )


def telling_names(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Put the niche of a share of the units before their names."""
    names = slide.unit_names.astype(object)
    chosen = some_of(rng, len(names), share)
    names[chosen] = [f"{slide.labels['niche'][row]}_{names[row]}" for row in chosen.tolist()]
    return replace(slide, unit_names=names.astype(np.str_))


def sorted_by_niche(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Sort a share of the units, the last ones, by niche; those of one niche stand in a drawn order."""
    n = len(slide.unit_names)
    last = np.arange(n - round(share * n), n)
    drawn = last[rng.permutation(len(last))]
    rows = np.arange(n)
    rows[last] = drawn[np.argsort(slide.labels["niche"][drawn].astype(str), kind="stable")]
    return take(slide, rows)


def moved(slide: RawSlide, rows: NDArray[np.int64]) -> RawSlide:
    """Return `slide` with every unit at the place of another: that of `rows`."""
    return replace(
        slide,
        xy_um=slide.xy_um[rows],
        xy_px=None if slide.xy_px is None else slide.xy_px[rows],
        array_index=None if slide.array_index is None else slide.array_index[rows],
    )


def take(slide: RawSlide, rows: NDArray[np.int64]) -> RawSlide:
    """Return the units `rows` of a slide, whole."""
    return replace(
        moved(slide, rows),
        unit_names=slide.unit_names[rows],
        counts=slide.counts[rows],
        labels={name: values[rows] for name, values in slide.labels.items()},
        measures={name: values[rows] for name, values in slide.measures.items()},
    )


def _permuted(slide: RawSlide, share: float, rng: Stream) -> NDArray[np.int64]:
    """Return all rows, a share of them in a random order."""
    rows = np.arange(len(slide.unit_names))
    chosen = some_of(rng, len(rows), share)
    rows[chosen] = chosen[rng.permutation(len(chosen))]
    return rows


def _repeated(slide: RawSlide, share: float, rng: Stream) -> NDArray[np.int64]:
    """Return all rows, a share of them replaced by others, which stay as they are."""
    rows = np.arange(len(slide.unit_names))
    chosen = some_of(rng, len(rows), share)
    others = np.setdiff1d(rows, chosen)
    others = others if len(others) else rows[:1]
    rows[chosen] = others[rng.integers(len(others), len(chosen))]
    return rows


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
    rows = _permuted(slide, share, rng)
    return replace(slide, labels={name: values[rows] for name, values in slide.labels.items()})


def of_clusters(slide: RawSlide, share: float, rng: Stream) -> RawSlide:
    """Give a share of the units the niche that a clustering of their counts would call them."""
    labels = slide.labels["niche"].copy()
    names = np.array(sorted({name for name in labels.tolist() if name is not None}), dtype=object)
    counts = slide.counts
    libsize = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    clusters = kmeans(components(counts, libsize, slide.genes), len(names), (0,))[0]
    chosen = some_of(rng, len(labels), share)
    labels[chosen] = names[clusters[chosen]]
    return replace(slide, labels={**slide.labels, "niche": labels})


def as_codes(slide: RawSlide) -> RawSlide:
    """Put the number of each class in the place of its name, as a reader finds codes without names."""
    from pytest_stbench.data.readers.slide_rows import UNNAMED_CODES  # which brings h5py

    labels, notes = {}, dict(slide.notes)
    for name, values in slide.labels.items():
        known = sorted({value for value in values.tolist() if value is not None})
        code = {value: str(number) for number, value in enumerate(known)}
        labels[name] = np.array([code.get(value) for value in values.tolist()], dtype=object)
        notes[f"{UNNAMED_CODES}{name}"] = sum(value is not None for value in values.tolist())
    return replace(slide, labels=labels, notes=notes)
