"""Ligand-receptor pairs of a slide and their spatial association, in truth and in the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.bivariate import Standardised, matched_thresholds, standardise
from pytest_stbench.metrics.comparison import known_genes, labels_of, matrices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix

    Floats = NDArray[np.float64]
    Genes = Sequence[str] | NDArray[np.str_]
    Pairs = Sequence[tuple[str, str]] | NDArray[np.str_]

MIN_UNITS = 20
MIN_DETECTION = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairAssociations:
    """Predicted association of each pair (p,), instead of predicted expression.

    Ranks the pairs by itself; there is no map of where a pair is active. nan, where nothing is
    known of a pair, counts as no association.
    """

    values: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairArms:
    """What both arms say of each ligand-receptor pair.

    ``reasons`` (p,) is empty where the pair is usable; ``ligand`` and ``receptor`` (u,) are columns
    of ``truth`` and ``prediction`` for the u usable pairs; ``l_truth`` and ``l_prediction`` (u,)
    are their associations. ``prediction`` is None where associations were given.
    """

    labels: NDArray[np.str_]
    reasons: NDArray[np.str_]
    ligand: NDArray[np.intp]
    receptor: NDArray[np.intp]
    truth: Standardised
    prediction: Standardised | None
    l_truth: Floats
    l_prediction: Floats

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which pairs are usable, (p,)."""
        usable: NDArray[np.bool_] = self.reasons == ""
        return usable

    @property
    def n_units(self) -> int:
        """Number of units with neighbours."""
        return len(self.truth.z)

    def counts(self) -> dict[str, float]:
        """Return how many pairs were given, are usable, lack a gene and are detected too rarely."""
        return {
            "n_pairs": len(self.reasons),
            "n_usable": int(self.usable.sum()),
            "n_missing": int((self.reasons == "gene_missing").sum()),
            "n_rare": int((self.reasons == "not_covered").sum()),
        }


def compare_pairs(
    truth: ArrayLike,
    prediction: ArrayLike | PairAssociations,
    *,
    pairs: Pairs,
    graph: csr_matrix,
    libsize: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None,
) -> PairArms:
    """Compute the association of each usable pair in both arms; ValueError on bad input.

    A pair is usable if both genes are measured (else ``gene_missing``) and detected in at least
    10% of the units in truth (else ``not_covered``).
    """
    true, predicted = matrices(truth, truth if isinstance(prediction, PairAssociations) else prediction)
    depth = _log_depth(libsize, graph, len(true))
    symbols = labels_of(genes, true.shape[1], "genes")
    names, ligand, receptor = _columns(pairs, symbols)
    known = known_genes(measured, true.shape[1]) & np.isfinite(true).all(axis=0)
    found = (ligand >= 0) & (receptor >= 0)
    found[found] = known[ligand[found]] & known[receptor[found]]
    # The last place, which the index -1 of a gene that is not there leads to, is never detected.
    detection = np.append((true > 0).sum(axis=0) / max(len(true), 1), 0.0)
    often = np.minimum(detection[ligand], detection[receptor]) >= MIN_DETECTION
    reasons = np.where(found, np.where(often, "", "not_covered"), "gene_missing").astype("U32")
    usable = reasons == ""
    needed, place = np.unique(np.concatenate([ligand[usable], receptor[usable]]), return_inverse=True)
    left, right = place[: usable.sum()], place[usable.sum() :]
    reference = standardise(true[:, needed], graph, depth)
    l_truth = reference.association(left, right)
    other: Standardised | None = None
    if isinstance(prediction, PairAssociations):
        l_prediction = _stated(prediction, len(names))[usable]
    else:
        if not np.isfinite(predicted).all():
            raise ValueError(
                "the prediction is not finite: a model must return a finite number for every unit and gene"
            )
        other = standardise(predicted[:, needed], graph, depth)
        l_prediction = other.association(left, right)
    return PairArms(
        labels=names, reasons=reasons, ligand=left, receptor=right, truth=reference,
        prediction=other, l_truth=l_truth, l_prediction=l_prediction,
    )  # fmt: skip


def pair_associations(
    values: ArrayLike,
    *,
    pairs: Pairs,
    graph: csr_matrix,
    libsize: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None = None,
) -> PairAssociations:
    """Return the association of each ligand-receptor pair of a slide; nan where it is not usable.

    Parameters and errors as in :func:`pytest_stbench.metrics.lr_auprc`, of one matrix.
    """
    arms = compare_pairs(
        values, _nothing(pairs), pairs=pairs, graph=graph, libsize=libsize, genes=genes, measured=measured
    )
    found = np.full(len(arms.labels), np.nan)
    found[arms.usable] = arms.l_truth
    return PairAssociations(values=found)


pair_metric = partial(
    metric,
    better="up",
    over="slide",
    genes="communication",
    group="communication",
    statistic=pair_associations,
)


def lr_thresholds(
    values: ArrayLike,
    *,
    pairs: Pairs,
    graph: csr_matrix,
    libsize: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None = None,
) -> Floats:
    """Return the association each ligand-receptor pair must exceed to count as active on a slide.

    The 95th percentile of all gene pairs of the same slide that are no ligand-receptor pair and whose
    genes are in the same deciles of detection. They share the tissue's autocorrelation, which
    permutations on irregular tissue cannot keep.

    Parameters
    ----------
    values
        Shape (n, g): true log-normalised expression of all genes of the slide, not only of the
        ligands and receptors. Genes detected in fewer than 10% of units take no part.
    pairs
        Shape (p, 2): symbols of ligand and receptor.
    graph
        Shape (n, n): binary, symmetric neighbours.
    libsize
        Shape (n,): total count of each unit over all genes measured.
    genes
        Shape (g,): gene symbols.
    measured
        Shape (g,), True where the slide measured the gene; all by default.

    Returns
    -------
    NDArray
        Shape (p,), the input ``lr_threshold`` of :func:`pytest_stbench.metrics.lr_auprc`; nan
        where the pair is not usable or fewer than 20 matched pairs exist.
    """
    arms = compare_pairs(
        values, _nothing(pairs), pairs=pairs, graph=graph, libsize=libsize, genes=genes, measured=measured
    )
    result = np.full(len(arms.labels), np.nan)
    true, _ = matrices(values, values)
    symbols = labels_of(genes, true.shape[1], "genes")
    known = known_genes(measured, true.shape[1]) & np.isfinite(true).all(axis=0)
    if not arms.usable.any():
        return result
    detection = (true > 0).mean(axis=0)
    pool = np.flatnonzero(known & (detection >= MIN_DETECTION))
    place = np.full(len(symbols), -1)
    place[pool] = np.arange(len(pool))
    _, ligand, receptor = _columns(pairs, symbols)
    candidates = standardise(true[:, pool], graph, _log_depth(libsize, graph, len(true)))
    usable = arms.usable
    result[usable] = matched_thresholds(
        candidates, detection[pool], place[ligand[usable]], place[receptor[usable]]
    )
    return result


def _columns(
    pairs: Pairs, symbols: NDArray[np.str_]
) -> tuple[NDArray[np.str_], NDArray[np.intp], NDArray[np.intp]]:
    """Return a name for each pair and the columns of its genes, -1 where there is none."""
    array = np.asarray(pairs, dtype=np.str_) if len(pairs) else np.zeros((0, 2), dtype=np.str_)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"pairs have shape {array.shape}: give a ligand and a receptor each")
    place = {str(symbol): column for column, symbol in enumerate(symbols)}
    columns = np.array([[place.get(str(gene), -1) for gene in pair] for pair in array], np.intp).reshape(
        -1, 2
    )
    names = np.array([f"{ligand}_{receptor}" for ligand, receptor in array], dtype=np.str_)
    return names, columns[:, 0], columns[:, 1]


def _log_depth(libsize: ArrayLike, graph: csr_matrix, n_units: int) -> Floats:
    counts = np.asarray(libsize, np.float64)
    if counts.shape != (n_units,) or graph.shape != (n_units, n_units):
        raise ValueError(
            f"libsize has shape {counts.shape} and the graph {graph.shape}: "
            f"both must be of the {n_units} units of truth"
        )
    if not (np.isfinite(counts) & (counts > 0)).all():
        message = "libsize holds totals that are not positive: leave out units without counts before scoring"
        raise ValueError(message)
    depth: Floats = np.log(counts)
    return depth


def _stated(prediction: PairAssociations, n_pairs: int) -> Floats:
    values = np.asarray(prediction.values, np.float64)
    if values.shape != (n_pairs,) or np.isinf(values).any():
        message = f"associations have shape {values.shape}: give a finite one for each of the {n_pairs} pairs"
        raise ValueError(message)
    return np.nan_to_num(values, nan=0.0)


def _nothing(pairs: Pairs) -> PairAssociations:
    """Return the prediction of no association: what is said of one matrix takes none."""
    return PairAssociations(values=np.zeros(len(pairs)))
