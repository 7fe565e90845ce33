"""T03, niches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, StrictBool

from pytest_stbench.extend import family
from pytest_stbench.families.settings import ON_LABELS, LabelBlock
from pytest_stbench.spec.part import Integer

if TYPE_CHECKING:
    from pytest_stbench.registry import Family
    from pytest_stbench.spec.rules.common import Known, Mistakes


@family(
    "T03",
    **ON_LABELS,
    primary="macro_f1",
    metrics=("macro_f1", "balanced_accuracy", "kappa", "ari", "ami", "ece", "brier"),
    modes={"unsupervised": ("ari", "ami", "nmi", "pas", "chaos", "spatial_coherence")},
    predicts="labels",
    columns="classes",
)
class Niches(LabelBlock):
    """Name or find tissue compartments: are they recognised consistently across patients?

    Classes are named by the model, or are clusters: its own, or those of its embedding, which are made by the
    suite: as many as the slide has true niches, by k-means from ten seeds, Ward's method or Leiden.
    ``truth: expression`` has ``domains`` clusters of each slide's expression in the place of labels.
    """

    later: ClassVar[frozenset[str]] = frozenset({"truth", "domains"})

    mode: Literal["supervised", "unsupervised"] = "supervised"
    clustering: Literal["kmeans", "ward", "leiden"] = "kmeans"
    ontology: StrictBool = True
    truth: Literal["labels", "expression"] = "labels"
    domains: Integer = Field(default=4, ge=2, le=100)

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth: domains of expression always are."""
        return super().silver or self.truth == "expression"

    @property
    def regions(self) -> str:
        """The label of the data with the niches, where they are the truth."""
        return "" if self.domains_of_expression else "niche"

    @property
    def domains_of_expression(self) -> int:
        """How many clusters of a slide's expression stand in the place of labels."""
        return self.domains if self.truth == "expression" else 0

    def asked(self, family: Family) -> Family:
        """Return the family; where clusters are scored with what that asks and is scored by."""
        family = super().asked(family)
        if self.mode == "supervised":
            return family
        metrics = family.modes[self.mode]
        return replace(
            family,
            method="embed", instead=("cluster",), predicts="clusters", primary=metrics[0], metrics=metrics,
        )  # fmt: skip

    def mistakes(self, known: Known) -> Mistakes:
        """Yield a truth of expression that models are given, or that would be named."""
        if self.truth != "expression" or known.gone("truth"):
            return
        if self.mode != "unsupervised" and not known.gone("mode"):
            yield ("truth",), "domains of expression have no names: write `mode: unsupervised`"
        if self.input != "image" and not known.gone("input"):
            what = "is made of the expression that models are given, and would be found by whoever looks"
            yield ("truth",), f"{what}: write `input: image`"
