"""Signatures of a fold: which can be scored, with what controls, and the scores themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.kernels.control_genes import (
    SEED,
    draw_controls,
    enough,
    expression_bins,
    matched_shares,
    membership,
    nearest_bin,
    set_shares,
    usable_controls,
)
from pytest_stbench.kernels.signature_scores import scores_of_ranks, unit_ranks
from pytest_stbench.kernels.streams import stream
from pytest_stbench.preprocess.normalise import TARGET_SUM, WHOLE_TRANSCRIPTOME, patient_means
from pytest_stbench.preprocess.statistics import detection_counts, is_detected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

    from pytest_stbench.data.slide import Slide

    Columns = NDArray[np.intp]
    Floats = NDArray[np.float64]
    Scorer = Callable[[csc_matrix], Floats]

MIN_DETECTION = 0.02
N_RANDOM = 200

Rule = Literal["mean", "rank"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SignatureSets:
    """Evaluable signatures on the genes of a fold; the same for truth and prediction.

    ``members`` (g, s) says which genes belong to which signature, ``sizes`` (s,) how many genes
    the full lists have, ``bins`` (g,) the expression bin of each gene (-1: not detected) and
    ``controls`` (g,) which genes serve as controls. ``rule`` is ``mean`` (members minus controls)
    or ``rank`` (panels below 1000 genes). ``not_covered`` names the signatures that cannot be
    scored, with the number of usable members and of all.
    """

    names: tuple[str, ...]
    genes: NDArray[np.str_]
    members: csc_matrix
    sizes: NDArray[np.intp]
    bins: Columns
    controls: NDArray[np.bool_]
    rule: Rule
    not_covered: Mapping[str, tuple[int, int]]

    @cached_property
    def _drawn(self) -> dict[str, tuple[csc_matrix, ...]]:
        return {}

    def random_sets(self, slide: str) -> tuple[csc_matrix, ...]:
        """Return the random sets of every signature for a slide, see :meth:`random_members`; made once."""
        if slide not in self._drawn:
            self._drawn[slide] = tuple(self.random_members(place, slide) for place in range(len(self.names)))
        return self._drawn[slide]

    @property
    def needed(self) -> Columns:
        """Genes that must be predicted: members and controls, all detected ones for ranks."""
        if self.rule == "rank":
            return np.flatnonzero(self.bins >= 0)
        used = np.asarray(self.members.sum(axis=1)).ravel() > 0
        return np.flatnonzero(used | self.controls)

    def select(self, places: Columns) -> SignatureSets:
        """Return the signatures on some of the genes, in that order."""
        return replace(
            self,
            genes=self.genes[places],
            members=self.members[places].tocsc(),
            bins=self.bins[places],
            controls=self.controls[places],
        )

    def covered(self, measured: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which signatures have enough members among the genes a slide measured, (s,)."""
        return enough(np.asarray(self.members[measured].sum(axis=0)).ravel(), self.sizes)

    def score(
        self, values: Floats, measured: NDArray[np.bool_] | None = None, members: csc_matrix | None = None
    ) -> Floats:
        """Return the scores of a slide, (n, s).

        Parameters
        ----------
        values
            Shape (n, g), true or predicted, on the scale of the task.
        measured
            Shape (g,): genes the slide measured. The others count neither as members nor as
            controls, in the truth or in the prediction.
        members
            Other sets on the same genes instead of the signatures, (g, s).
        """
        return self.scorer(values, measured)(self.members if members is None else members)

    def scorer(self, values: Floats, measured: NDArray[np.bool_] | None = None) -> Scorer:
        """Return a function that scores sets (g, s) on `values`; what they share is computed once."""
        known = np.ones(len(self.genes), bool) if measured is None else measured
        if self.rule == "rank":
            ranked = known & (self.bins >= 0)
            ranks = unit_ranks(values[:, ranked])
            return lambda members: scores_of_ranks(ranks, members[ranked].tocsc())
        true = np.asarray(values[:, known], dtype=np.float64).T
        bins = self.bins[known]
        usable, filled = usable_controls(bins, self.controls[known])
        means = (
            np.stack([true[usable & (bins == number)].mean(axis=0) for number in filled])
            if len(filled)
            else np.zeros((0, true.shape[1]))
        )

        def score(members: csc_matrix) -> Floats:
            own = members[known].tocsc()
            scores: Floats = (set_shares(own).T @ true).T
            return scores - means.T @ matched_shares(own, bins, filled) if len(filled) else scores

        return score

    def random_members(self, place: int, slide: str = "", n: int = N_RANDOM) -> csc_matrix:
        """Return up to `n` random sets matched with one signature on size and expression, (g, n).

        As many genes of each bin as the signature has there are drawn from the controls of that
        bin (of the nearest bin with controls), without repeats: genes outside all signatures that
        are predicted anyway. A bin with fewer controls than members gives all it has; of equal sets
        one is kept. The draws depend on the seed 0, the name of the signature, the slide and the
        controls alone: every model is held to the same ones, every slide to its own.
        """
        own = self.members[:, [place]].indices
        candidates = np.flatnonzero(self.controls)
        if not len(candidates) or not len(own):
            return membership([], len(self.genes))
        filled, of_candidate = np.unique(self.bins[candidates], return_inverse=True)
        wanted = np.bincount(nearest_bin(self.bins[own], filled), minlength=len(filled))
        rng = stream(SEED, "random signatures", self.names[place], slide)
        drawn = []
        for number in np.flatnonzero(wanted):
            pool = candidates[of_candidate == number]
            drawn.append(pool[rng.permutations(n, len(pool))[:, : wanted[number]]])
        distinct = np.unique(np.sort(np.concatenate(drawn, axis=1), axis=1), axis=0)
        return membership(list(distinct), len(self.genes))


def choose_signatures(
    slides: Sequence[Slide],
    sets: Mapping[str, Iterable[str]],
    *,
    candidates: Columns | None = None,
    reserved: Iterable[str] = (),
) -> SignatureSets:
    """Choose evaluable signatures and their controls on the training slides of a fold.

    A member counts where it is one of the `candidates`, measured and detected in at least 2 % of
    units (mean over patients). A signature needs half of its genes and three of them, or all where
    it has three or fewer. Detected genes are put into 25 bins of equal size by their training mean
    of ``log1p(counts / library size * 10,000)``, whatever the scale of the task; each bin that
    holds a member gives 50 controls, drawn with seed 0 from genes outside all `sets` and outside
    `reserved`, the same for all signatures and for truth and prediction.

    Parameters
    ----------
    slides
        Filtered training slides of one data set.
    sets
        Gene symbols of each signature.
    candidates
        Columns that may be asked of a model; None for all.
    reserved
        Further genes that are never controls.

    Returns
    -------
    SignatureSets
        On all genes of the data set. The rule is ``rank`` where the data set has fewer than 1000.
    """
    genes = slides[0].genes
    allowed = np.zeros(len(genes), bool)
    allowed[np.arange(len(genes)) if candidates is None else candidates] = True
    detected = allowed & is_detected(patient_means(slides, detection_counts), MIN_DETECTION)
    bins = expression_bins(patient_means(slides, _level), detected, genes)
    column_of = {str(genes[column]): int(column) for column in np.flatnonzero(detected)}
    chosen: dict[str, Columns] = {}
    not_covered = {}
    for name, symbols in sets.items():
        listed = set(symbols)
        own = np.array(sorted(column_of[gene] for gene in listed if gene in column_of), dtype=np.intp)
        if enough(np.array([len(own)]), np.array([len(listed)]))[0]:
            chosen[name] = own
        else:
            not_covered[name] = (len(own), len(listed))
    matrix = membership(list(chosen.values()), len(genes))
    taken = {gene for symbols in sets.values() for gene in symbols}.union(reserved)
    free = detected & ~np.isin(genes, list(taken))
    return SignatureSets(
        names=tuple(chosen),
        genes=genes,
        members=matrix,
        sizes=np.array([len(set(sets[name])) for name in chosen], dtype=np.intp),
        bins=bins,
        controls=draw_controls(matrix, bins, free, genes),
        rule="rank" if len(genes) < WHOLE_TRANSCRIPTOME else "mean",
        not_covered=not_covered,
    )


def _level(slide: Slide) -> Floats:
    """Return the sum over units of the log-normalised values of each gene, (G,)."""
    counts = slide.counts.tocsr()
    total = np.repeat(slide.libsize, np.diff(counts.indptr))
    share = np.divide(counts.data, total, out=np.zeros(len(total)), where=total > 0)
    values = np.log1p(share * TARGET_SUM)
    return np.bincount(counts.indices, values, len(slide.genes)).astype(np.float64)
