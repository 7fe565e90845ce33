"""A part of a large slide, the same whatever the order of its units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide

MAX_UNITS = 5000
SEED = 0


def sample_units(slide: Slide, limit: int = MAX_UNITS) -> Slide:
    """Return at most `limit` units of `slide`, niches in proportion, in an order of their own.

    Units are ordered by place, then by name, so that neither the choice nor sums over it depend
    on how the file lists them. Units without a niche are a stratum of their own.
    """
    order = np.lexsort((np.asarray(slide.unit_names).astype(str), slide.xy_um[:, 1], slide.xy_um[:, 0]))
    if len(order) <= limit:
        return slide.select(order)
    niche = class_codes(slide.labels.get("niche", np.full(slide.n_units, None)))[0][order]
    rng = stream(SEED, "units of a check")
    kept = []
    strata, sizes = np.unique(niche, return_counts=True)
    for stratum, number in zip(strata, _quotas(sizes, limit), strict=True):
        members = np.flatnonzero(niche == stratum)
        kept.append(members[rng.sample(len(members), int(number))])
    rows: NDArray[np.intp] = order[np.sort(np.concatenate(kept))]
    return slide.select(rows)


def class_codes(labels: NDArray[np.object_]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the class of each unit by its place among the sorted names; -1 without a label."""
    known = np.array([value is not None and value == value and str(value) != "" for value in labels], bool)
    codes = np.full(len(labels), -1, dtype=np.intp)
    if not known.any():
        return codes, ()
    names, found = np.unique(np.asarray(labels, dtype=object)[known].astype(str), return_inverse=True)
    codes[known] = found
    return codes, tuple(names.tolist())


def _quotas(sizes: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return how many of each stratum are taken: in proportion, by largest remainder."""
    exact = sizes * (limit / sizes.sum())
    quotas: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    rest = limit - int(quotas.sum())
    quotas[np.argsort(-(exact - quotas), kind="stable")[:rest]] += 1
    return quotas
