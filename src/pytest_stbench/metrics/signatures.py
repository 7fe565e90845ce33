"""Signature scores: the hottest tenth of a slide, the order of patients, and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import ndtr

from pytest_stbench.extend import metric
from pytest_stbench.metrics.comparison import compare_genes
from pytest_stbench.metrics.correlation import spearman_gene
from pytest_stbench.metrics.partial import partial_spearman_gene
from pytest_stbench.metrics.scores import MODEL_REASONS, Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Names = Sequence[str] | NDArray[np.str_] | None

TOP = 0.9
MIN_POSITIVE = 5
MAX_AT_THRESHOLD = 0.5
TIE_DECIMALS = 9
CHANCE = 0.95
MIN_PATIENTS = 6
MIN_RANDOM = 20
"""Fewer random sets cannot show the upper 5 %."""

RANDOM_SETS = 200
BLOCK_ELEMENTS = 1 << 22
"""Scores of random sets held at once: 32 MiB for truth and as much for the prediction."""


class RandomScores(Protocol):
    """Scores of random gene sets matched with a signature, from true and from predicted values."""

    def __call__(self, places: NDArray[np.intp]) -> tuple[Floats, Floats, NDArray[np.intp]]:
        """Return truth and prediction (n, r) of the random sets of some signatures.

        The third array (r,) says to which signature each of them belongs.
        """
        ...


@metric(
    "M17b",
    bounds=(0.0, 1.0),
    better="up",
    fill=0.0,
    group="spatial",
    source="10.1111/j.1469-8137.1912.tb05611.x",
)
def top_decile_jaccard(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    genes: Names = None,
) -> Scores:
    """Jaccard index of the hottest tenth of the units by truth and by prediction.

    A unit belongs to the tenth of a column where it lies above the column's 90th percentile (linear,
    values rounded to 9 decimals).
    Range [0, 1], higher is better; random predictions reach about 0.05.

    Parameters
    ----------
    truth, prediction, measured, genes
        As in :func:`pytest_stbench.metrics.pearson_gene`; columns are genes or signatures.

    Returns
    -------
    Scores
        One value per column. Undefined, in this order: ``gene_missing``, ``too_few_units`` (none),
        ``gt_nan``, ``no_positive`` (fewer than 5 units above the percentile of the truth, or more
        than half of the units equal to it), ``empty_pred`` (no prediction above its percentile).

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.

    References
    ----------
    Jaccard index: 10.1111/j.1469-8137.1912.tb05611.x.
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    values = np.full(len(found.labels), np.nan)
    no_positive, empty = np.zeros(len(values), bool), np.zeros(len(values), bool)
    for columns in found.blocks(np.flatnonzero(found.reasons == "")):
        mask = found.mask(columns)
        # Rounded, so that what differs in the last digit alone is tied.
        pair = (part.astype(np.float64) for part in found.take(columns))
        true, predicted = (part.round(TIE_DECIMALS) for part in pair)
        if mask is not None:
            true, predicted = np.where(mask, true, np.nan), np.where(mask, predicted, np.nan)
        own, tied, units = _top(true)
        hot, _, _ = _top(predicted)
        no_positive[columns] = (own.sum(axis=0) < MIN_POSITIVE) | (tied > MAX_AT_THRESHOLD * units)
        empty[columns] = ~hot.any(axis=0)
        union = (own | hot).sum(axis=0)
        values[columns] = (own & hot).sum(axis=0) / np.maximum(union, 1)
    found.mark(no_positive, "no_positive")
    found.mark(empty, "empty_pred")
    return found.scores(values)


@metric(
    "M05b",
    needs="signatures",
    bounds=(0.0, 1.0),
    better="up",
    fill=0.0,
    over="signature",
    group="depth_adjusted",
)
def signature_specificity(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    libsize: ArrayLike,
    random_scores: RandomScores | None,
    measured: ArrayLike | None = None,
    genes: Names = None,
    min_units: int = 10,
) -> Scores:
    """Share of signatures predicted better than random gene sets of their size and expression.

    1 where the Spearman correlation partial on log library size lies above the 95th percentile of
    the correlations of the random sets, scored on the same true and predicted values, else 0; the
    mean over signatures is the share recovered. A model that knows one axis, such as cellularity,
    does as well on random sets. Range [0, 1], higher is better; chance is 0.05.

    Parameters
    ----------
    truth, prediction
        Shape (n, s): scores.
    libsize, measured, genes, min_units
        As in :func:`pytest_stbench.metrics.partial_spearman_gene`.
    random_scores
        Gives the scores of the random sets of each signature; None where expression was not
        predicted.

    Returns
    -------
    Scores
        One value per signature; the extras ``correlation`` and ``threshold`` are what was
        compared. Undefined as the correlation is; ``not_covered`` where there are fewer than 20
        different random sets with a correlation. A prediction that does not vary on the random sets
        has correlation 0 there. ``effects`` says by how much the draw of the random sets moves a value: as
        likely as their share below the correlation, and their number, let it fall on the other side of
        the 95th percentile.

    Raises
    ------
    ValueError
        If the shapes differ, the prediction is not finite or a library size is not positive.
    """
    own = partial_spearman_gene(
        truth, prediction, libsize=libsize, measured=measured, genes=genes, min_units=min_units
    )
    reasons, threshold, effects = _against_random(own, random_scores, libsize, min_units)
    defined = reasons == ""
    return Scores(
        values=np.where(defined, (own.values > threshold).astype(np.float64), np.nan),
        reasons=reasons,
        labels=own.labels,
        flags=own.flags,
        extras={"correlation": own.values, "threshold": threshold},
        effects=effects,
    )


def _against_random(
    own: Scores, random_scores: RandomScores | None, libsize: ArrayLike, min_units: int
) -> tuple[NDArray[np.str_], Floats, Floats | None]:
    """Return the reasons, the 95th percentile of the random sets (s,), and what their draw moves."""
    reasons = own.reasons.copy()
    threshold = np.full(len(own.values), np.nan)
    effects = np.zeros((len(own.values), RANDOM_SETS))
    # What the data lack comes before what the model did: random sets are looked at for both.
    known = np.flatnonzero((reasons == "") | np.isin(reasons, MODEL_REASONS))
    drawn = _random_correlations(random_scores, known, libsize, min_units)
    for place in known:
        if len(drawn.get(int(place), ())) < MIN_RANDOM:
            reasons[place] = "not_covered"
        elif reasons[place] == "":
            threshold[place] = np.quantile(drawn[int(place)], CHANCE)
            effects[place] = _moved(drawn[int(place)], own.values[place], threshold[place])
    return reasons, threshold, effects if drawn else None


def patient_mean_spearman(
    truth: ArrayLike, prediction: ArrayLike, *, signatures: Names = None, min_patients: int = MIN_PATIENTS
) -> Scores:
    """Spearman correlation of mean scores over patients: whether patients come in the right order.

    Range [-1, 1], higher is better. Between-patient agreement says nothing of places in the tissue:
    read it beside the scores within slides.

    Parameters
    ----------
    truth, prediction
        Shape (patients, s): mean score of each patient.
    signatures
        Names of the columns.
    min_patients
        Fewer patients have no order worth a number.

    Returns
    -------
    Scores
        One value per signature, undefined as in :func:`pytest_stbench.metrics.spearman_gene`
        (``too_few_units``: too few patients).
    """
    return spearman_gene(truth, prediction, genes=signatures, min_units=min_patients)


def _top(values: Floats) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Return which values (n, c) lie above their column's percentile, how many equal it, and of how many."""
    known = ~np.isnan(values)
    threshold = (np.quantile if known.all() else np.nanquantile)(values, TOP, axis=0)
    return (
        np.where(known, values, -np.inf) > threshold,
        (values == threshold).sum(axis=0).astype(np.float64),
        known.sum(axis=0).astype(np.float64),
    )


def _moved(random: Floats, own: float, threshold: float) -> Floats:
    """Return by how much each random set moves whether `own` is above the percentile, (200,).

    The SD of the value is that of a coin: by which chance the percentile of as many sets lies below `own`.
    A set below the percentile moves it down, and the value up.
    """
    n = min(len(random), RANDOM_SETS)
    distance = ((random < own).mean() - CHANCE) / np.sqrt(CHANCE * (1.0 - CHANCE) / n)
    chance = ndtr(distance)
    below = (random[:n] <= threshold).astype(np.float64)
    spread = below.std()
    found = np.zeros(RANDOM_SETS)
    if spread > 0:
        share = RANDOM_SETS / np.sqrt(n)
        found[:n] = np.sqrt(chance * (1.0 - chance)) * share * (below - below.mean()) / spread
    return found


def _random_correlations(
    random_scores: RandomScores | None, scored: NDArray[np.intp], libsize: ArrayLike, min_units: int
) -> dict[int, Floats]:
    """Return for each signature the correlations of its random sets whose truth has one.

    A correlation undefined through the model's fault is 0. Signatures are taken together as far as
    memory allows.
    """
    found: dict[int, Floats] = {}
    if random_scores is None:
        return found
    step = max(1, BLOCK_ELEMENTS // (RANDOM_SETS * max(1, len(np.asarray(libsize)))))
    for start in range(0, len(scored), step):
        truth, prediction, owner = random_scores(scored[start : start + step])
        own = partial_spearman_gene(truth, prediction, libsize=libsize, min_units=min_units)
        fault = np.isin(own.reasons, MODEL_REASONS)
        values = np.where(fault, 0.0, own.values)
        kept = (own.reasons == "") | fault
        found |= {int(place): values[kept & (owner == place)] for place in np.unique(owner)}
    return found
