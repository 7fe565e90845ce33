"""T02, signatures that clinics use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.extend import family
from pytest_stbench.families.settings import FROM_EXPRESSION
from pytest_stbench.resources import gene_sets
from pytest_stbench.spec.block import Block
from pytest_stbench.spec.messages import unknown
from pytest_stbench.spec.rules.common import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.spec.rules.common import Known, Mistakes
    from pytest_stbench.spec.yaml_lines import Key


@family(
    "T02",
    **{**FROM_EXPRESSION, "method": "predict_signature", "trivial": "train_mean"},
    primary="partial_spearman_gene",
    metrics=(
        "partial_spearman_gene",
        "signature_specificity",
        "pearson_gene",
        "hotspot_auprc",
        "top_decile_jaccard",
        "map_ssim",
        "calibration_slope",
    ),
    baselines=("oracle_patient_mean", "libsize", "coords", "shuffled"),
    predicts="signatures",
    columns="signatures",
    source="10.1126/science.aad0501; 10.1016/j.csbj.2021.06.043",
)
class Signatures(Block):
    """Place clinical gene programmes: hypoxia, lymphoid structures, cytolytic activity and others.

    ``names`` says which gene sets are scored; without names all that come with the package. ``gmt`` names a
    file of sets, which are scored instead of the built-in ones or, with ``names``, beside them.
    """

    names: tuple[str, ...] | None = None
    gmt: str | None = None

    @property
    def named_signatures(self) -> frozenset[str] | None:
        """The names of the file. Of sets from a file of its own the family counts the members by itself."""
        return None if self.names is None and self.gmt is None else frozenset(self.names or ())

    def gene_sets(self, of_metrics: frozenset[str]) -> frozenset[str]:
        """Return those of the metrics, and signatures."""
        return of_metrics | {"signatures"}

    def files(self) -> Iterator[tuple[Key, str]]:
        """Yield the file of gene sets."""
        if self.gmt is not None:
            yield ("gmt",), self.gmt

    def mistakes(self, known: Known) -> Mistakes:
        """Yield what is wrong with the names."""
        names = self.names
        if names is not None and not names and not known.lacks("names"):
            yield ("names",), "is empty: name a signature, or leave the key out for all"
        for index, name in enumerate(names or ()):
            if self.gmt is None and not known.gone("gmt") and name not in gene_sets():
                yield ("names", index), unknown("signature", name, gene_sets())
        for index, name in repeated(names or ()):
            yield ("names", index), f"signature {name!r} is listed twice"
