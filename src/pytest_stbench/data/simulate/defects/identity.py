"""Defects of identity: slides and units that are there more than once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.defects.matrix import some_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.kernels.streams import Stream

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


def _repeated(slide: RawSlide, share: float, rng: Stream) -> NDArray[np.int64]:
    """Return all rows, a share of them replaced by others, which stay as they are."""
    rows = np.arange(len(slide.unit_names))
    chosen = some_of(rng, len(rows), share)
    others = np.setdiff1d(rows, chosen)
    others = others if len(others) else rows[:1]
    rows[chosen] = others[rng.integers(len(others), len(chosen))]
    return rows
