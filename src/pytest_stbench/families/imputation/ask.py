"""T11, panel extension: the model sees the counts of observed genes and predicts hidden ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.build import build_input
from pytest_stbench.errors import DataError
from pytest_stbench.families.predicted_expression import PredictedExpression
from pytest_stbench.families.question import Plan
from pytest_stbench.kernels.streams import stream
from pytest_stbench.preprocess.gene_families import share_stem, stem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Request

SEED = 0


class ImputationQuestion(PredictedExpression):
    """Predict genes that a panel did not measure from those it did.

    A model gets counts of the observed genes, coordinates and, where there is one, the image.
    Genes that share a symbol stem with an observed gene are never targets: KRT19 says little
    that KRT7 has not said.
    """

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Take the observed genes from the file, or hide one of several random groups."""
        if self.settings.observed is not None:
            return _listed(train[0].genes, self.settings.observed)
        return _hidden_group(train[0].genes, self.settings.hide_folds, self.settings.hide_fold)

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return observed counts, coordinates and image of `slide`."""
        return build_input(slide, observed=fold.observed, with_image=True, with_embedding=True)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``impute(slide, observed_genes, target_genes)``."""
        del request
        return model.impute(given, list(task.observed_genes), list(task.genes))


def _listed(genes: NDArray[np.str_], names: Sequence[str]) -> Plan:
    wanted = set(names)
    is_observed = np.isin(genes, list(wanted))
    if not is_observed.any():
        raise DataError(
            f"none of the {len(wanted)} observed genes of the task file is measured in the data "
            f"(it has {len(genes)}, such as {', '.join(genes[:3])}): check `imputation.observed`"
        )
    related = np.zeros(len(genes), bool)
    others = np.flatnonzero(~is_observed)
    related[others] = share_stem(genes[others].tolist(), genes[is_observed].tolist())
    candidates = np.flatnonzero(~is_observed & ~related)
    if not len(candidates):
        raise DataError(
            f"no gene is left to predict: of {len(genes)} genes {int(is_observed.sum())} are observed and "
            f"{int(related.sum())} share a symbol stem with one of those: observe fewer genes"
        )
    return Plan(
        candidates=candidates,
        observed=np.flatnonzero(is_observed),
        counted={
            "observed_genes_not_measured": len(wanted) - int(is_observed.sum()),
            "genes_left_out_as_relatives_of_observed": int(related.sum()),
        },
    )


def _hidden_group(genes: NDArray[np.str_], folds: int, fold: int) -> Plan:
    """Hide group `fold` of `folds`: whole gene families, drawn by their names alone.

    So every fold and every patient is asked for the same genes, and no count decides which.
    """
    stems, family = np.unique([stem(str(gene)) for gene in genes], return_inverse=True)
    hidden = (stream(SEED, "hidden genes").permutation(len(stems)) % folds)[family] == fold
    return Plan(candidates=np.flatnonzero(hidden), observed=np.flatnonzero(~hidden), counted={})
