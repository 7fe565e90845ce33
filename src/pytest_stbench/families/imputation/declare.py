"""T11, panel extension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pytest_stbench.extend import family
from pytest_stbench.families.settings import INPUTS
from pytest_stbench.spec.block import Block
from pytest_stbench.spec.model import GeneListSpec
from pytest_stbench.spec.part import Integer, Part
from pytest_stbench.spec.rules.common import names_or_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.spec.rules.common import Known, Mistakes
    from pytest_stbench.spec.yaml_lines import Key


class HideSpec(Part):
    """Hide one of `folds` random groups of genes, the same one in every fold of a split."""

    folds: Integer = Field(default=5, ge=2)
    fold: Integer = Field(default=0, ge=0)


@family(
    "T11",
    method="impute",
    primary="spearman_gene",
    metrics=(
        "spearman_gene",
        "pearson_gene",
        "partial_spearman_gene",
        "partial_pearson_gene",
        "rmse",
        "r2",
        "cosine_gene",
        "concordance",
    ),
    trivial="train_mean",
    simple=("gene_gene_ridge",),
    baselines=("libsize", "coords", "smooth", "shuffled"),
    input_class="expression",
    inputs=INPUTS["both"],
)
class Imputation(Block):
    """Predict held-out genes from observed genes: panel extension.

    The observed genes are listed, or a random part is hidden. Families that are read out of expression take
    these settings as well: their models are then asked to impute.
    """

    missing = "give `observed:` (the measured genes) or `hide:` (a random part)"
    observed: GeneListSpec | None = None
    hide: HideSpec | None = None

    def files(self) -> Iterator[tuple[Key, str]]:
        """Yield the list of observed genes."""
        if self.observed is not None and self.observed.file is not None:
            yield ("observed", "file"), self.observed.file

    def mistakes(self, known: Known) -> Mistakes:
        """Yield where it is not said which genes are observed."""
        if known.gone("observed") or known.gone("hide"):
            return
        if (self.observed is None) == (self.hide is None):
            yield (), "give exactly one of observed (the measured genes) and hide (a random part)"
        elif self.observed is not None:
            yield from names_or_file(("observed",), self.observed, known)
        elif self.hide is not None and self.hide.fold >= self.hide.folds and not known.gone("hide", "folds"):
            allowed = f"0 to {self.hide.folds - 1} (folds - 1)"
            yield ("hide", "fold"), f"found {self.hide.fold}; allowed: {allowed}"
