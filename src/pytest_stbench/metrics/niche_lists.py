"""Scores of the true and the predicted marker list of each niche."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.overlap import expected_jaccard
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.metrics.niche_arms import Arms

    Floats = NDArray[np.float64]
    Markers = NDArray[np.intp]

MIN_LIST = 5
MIN_HEADROOM = 0.05
TOLERANCE = 1e-9


def score_lists(
    arms: Arms,
    n: int,
    compare: Callable[[Markers, Markers], float],
    *,
    ceiling: Floats | None = None,
    known: Sequence[NDArray[np.bool_]] | None = None,
) -> Scores:
    """Apply `compare` to the lists of each niche where both have members.

    With a `ceiling` (niches,), niches without headroom are undefined; with `known`, True for genes
    that are left out of the true list of each niche, those of which nothing is left.
    """
    true, tied_truth = arms.lists(n, predicted=False)
    guess, tied_prediction = arms.lists(n, predicted=True)
    members = [(arms.genes[markers], arms.genes[other]) for markers, other in zip(true, guess, strict=True)]
    extras = _lengths(arms, true, guess)
    reasons, longest = arms.reasons.copy(), arms.lengths(n)
    mark(reasons, longest < MIN_LIST, "too_few_genes")
    mark(reasons, extras["n_truth"] == 0, "empty_signature")
    if ceiling is not None:
        headroom = ceiling - _expected(arms, true, longest)
        mark(reasons, ~(headroom >= MIN_HEADROOM - TOLERANCE), "no_headroom")
    if known is not None:
        true = [markers[~old[markers]] for markers, old in zip(true, known, strict=True)]
        extras["n_novel"] = _sizes(true)
        extras["chance"] = extras["n_prediction"] / np.maximum(extras["n_candidates"], 1)
        mark(reasons, extras["n_novel"] == 0, "no_positive")
    mark(reasons, extras["n_prediction"] == 0, "empty_pred")
    values = np.full(len(reasons), np.nan)
    for row in np.flatnonzero(reasons == ""):
        values[row] = compare(true[row], guess[row])
    flags = ("ties",) if tied_truth or tied_prediction else ()
    return Scores(
        values=values, reasons=reasons, labels=arms.niches, flags=flags, extras=extras,
        members=members if known is None else None,
    )  # fmt: skip


def full_length_chance(arms: Arms, n: int) -> Floats:
    """Return the Jaccard index expected of the true list of each niche and a random one of full length."""
    true, _ = arms.lists(n, predicted=False)
    return _expected(arms, true, arms.lengths(n))


def jaccard(first: Markers, second: Markers) -> float:
    """Return common members over all members of two sets that are not both empty."""
    common = len(np.intersect1d(first, second))
    return common / (len(first) + len(second) - common)


def mark(reasons: NDArray[np.str_], where: NDArray[np.bool_], reason: str) -> None:
    """Give `reason` to what is `where` and has none yet."""
    reasons[where & (reasons == "")] = reason


def _lengths(arms: Arms, true: list[Markers], guess: list[Markers]) -> dict[str, Floats]:
    return {
        "n_candidates": arms.n_candidates().astype(np.float64),
        "n_truth": _sizes(true),
        "n_prediction": _sizes(guess),
        "expected": _expected(arms, true, _sizes(guess)),
        "n_left_out": np.full(len(true), float(arms.n_left_out)),
    }


def _expected(arms: Arms, true: list[Markers], lengths: NDArray[np.floating] | Markers) -> Floats:
    """Return the Jaccard index expected of random lists as long as `true` and `lengths`."""
    sizes = zip(arms.n_candidates(), true, lengths, strict=True)
    return np.array([expected_jaccard(int(g), len(markers), int(size)) for g, markers, size in sizes])


def _sizes(lists: list[Markers]) -> Floats:
    return np.array([len(members) for members in lists], dtype=np.float64)
