"""Marker lists of both arms, the true niches with true and predicted expression, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.markers import TIE_DECIMALS, edge_is_tied, marker_order, one_vs_rest
from pytest_stbench.kernels.overlap import expected_jaccard
from pytest_stbench.metrics.comparison import known_genes, labels_of, matrices
from pytest_stbench.metrics.labelled import true_codes
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Genes = Sequence[str] | NDArray[np.str_] | None
    Markers = NDArray[np.intp]

N_TOP = 50
MIN_UNITS = 20
MIN_DETECTION = 0.1
LIST_SHARE = 4
MIN_LIST = 5
MIN_HEADROOM = 0.05
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NicheFoldChanges:
    """Predicted log2 fold changes of each niche, instead of predicted expression.

    ``values`` (niches, g) orders the genes by itself, nan where nothing is known: no change; a
    niche of the slide that is not in ``niches`` has no predicted marker.
    """

    niches: Sequence[str]
    values: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arms:
    """What both arms say of each niche of a slide; matrices are (niches, g).

    ``candidates`` are the genes detected in the niche in truth; ``order_*`` is what markers are
    ordered by, ``change_*`` their log2 fold change. ``reasons`` is empty, or ``empty_niche``
    where either side of the comparison is too small.
    """

    niches: NDArray[np.str_]
    genes: NDArray[np.str_]
    candidates: NDArray[np.bool_]
    order_truth: Floats
    change_truth: Floats
    order_prediction: Floats
    change_prediction: Floats
    reasons: NDArray[np.str_]
    n_left_out: int

    def n_candidates(self) -> NDArray[np.intp]:
        """Return the number of candidate genes of each niche."""
        count: NDArray[np.intp] = self.candidates.sum(axis=1)
        return count

    def lengths(self, n: int) -> NDArray[np.intp]:
        """Return how long the lists of each niche may be: `n`, at most a quarter of the candidates."""
        return np.minimum(n, self.n_candidates() // LIST_SHARE)

    def lists(self, n: int, *, predicted: bool) -> tuple[list[NDArray[np.intp]], bool]:
        """Return the marker genes of each niche, best first, and whether ties decided a tenth of one."""
        order = self.order_prediction if predicted else self.order_truth
        change = self.change_prediction if predicted else self.change_truth
        return marker_lists(order, change, self.candidates, self.genes, self.lengths(n))


def marker_lists(
    order: Floats,
    change: Floats,
    candidates: NDArray[np.bool_],
    genes: NDArray[np.str_],
    lengths: NDArray[np.intp],
) -> tuple[list[NDArray[np.intp]], bool]:
    """Return up to `lengths` candidates of each row with a positive change, the largest order first.

    Changes are rounded to 9 decimals first: rounding errors are not changes. The second value says
    whether, in any row, more than a tenth of the list is tied with a gene that did not enter.
    """
    eligible = candidates & (np.round(change, TIE_DECIMALS) > 0)
    lists: list[NDArray[np.intp]] = []
    tied = False
    for row, ranked in enumerate(marker_order(order, genes)):
        markers = ranked[eligible[row, ranked]]
        chosen = markers[: lengths[row]]
        lists.append(chosen)
        tied |= edge_is_tied(np.round(order[row], TIE_DECIMALS), markers, len(chosen))
    return lists, tied


def compare_niches(
    truth: ArrayLike,
    prediction: ArrayLike | NicheFoldChanges,
    niches: ArrayLike,
    *,
    measured: ArrayLike | None,
    genes: Genes,
    min_units: int,
) -> Arms:
    """Compare each niche with the rest of the slide, in truth and in the prediction.

    Genes not measured, or with missing truth, are no candidates. Raises ValueError on bad shapes
    and where the prediction is not finite.
    """
    true, predicted = matrices(truth, truth if isinstance(prediction, NicheFoldChanges) else prediction)
    codes, names = true_codes(niches, "niches")
    if len(codes) != len(true):
        raise ValueError(f"truth has {len(true)} units and niches {len(codes)}: give the niche of each unit")
    kept = codes >= 0
    usable = known_genes(measured, true.shape[1]) & np.isfinite(true).all(axis=0)
    symbols = labels_of(genes, true.shape[1], "genes")
    found = _statistics(true, kept, codes, len(names), usable)
    if isinstance(prediction, NicheFoldChanges):
        change = _stated(prediction, names, len(symbols))
        order = change
    else:
        if not np.isfinite(predicted).all():
            raise ValueError(
                "the prediction is not finite: a model must return a finite number for every unit and gene"
            )
        other = _statistics(predicted, kept, codes, len(names), usable)
        order, change = other[0], other[1]
    inside = np.bincount(codes[kept], minlength=len(names))
    short = np.minimum(inside, inside.sum() - inside) < min_units
    return Arms(
        niches=names,
        genes=symbols,
        candidates=found[2] >= MIN_DETECTION,
        order_truth=found[0],
        change_truth=found[1],
        order_prediction=order,
        change_prediction=change,
        reasons=np.where(short, "empty_niche", "").astype("U32"),
        n_left_out=int((~kept).sum()),
    )


def _statistics(
    values: NDArray[Any],
    kept: NDArray[np.bool_],
    codes: NDArray[np.intp],
    n_niches: int,
    usable: NDArray[np.bool_],
) -> tuple[Floats, Floats, Floats]:
    """Return z, log2 fold change and detection (niches, g); 0 for genes that are not usable."""
    if not kept.all():
        values, codes = values[kept], codes[kept]
    found = one_vs_rest(values if usable.all() else values[:, usable], codes, n_niches)
    whole = np.zeros((3, n_niches, len(usable)))
    whole[:, :, usable] = found.z, found.log2_fold_change, found.detected
    return whole[0], whole[1], whole[2]


def _stated(prediction: NicheFoldChanges, names: NDArray[np.str_], n_genes: int) -> Floats:
    values = np.asarray(prediction.values, np.float64)
    known = {str(niche): row for row, niche in enumerate(prediction.niches)}
    if values.shape != (len(prediction.niches), n_genes) or np.isinf(values).any():
        raise ValueError(
            f"fold changes have shape {values.shape}: give a finite one for each of the "
            f"{len(prediction.niches)} niches and {n_genes} genes"
        )
    change = np.zeros((len(names), n_genes))
    for row, niche in enumerate(names):
        if str(niche) in known:
            change[row] = values[known[str(niche)]]
    return np.nan_to_num(change, nan=0.0)


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
