"""T03, niches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import StrictBool

from pytest_stbench.extend import family
from pytest_stbench.families.settings import ON_LABELS, LabelBlock

if TYPE_CHECKING:
    from pytest_stbench.registry import Family


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

    Classes are named by the model, or are clusters of its embedding, which are made by the suite: as many as
    the slide has true niches, by k-means from ten seeds or by Ward's method.
    """

    mode: Literal["supervised", "unsupervised"] = "supervised"
    clustering: Literal["kmeans", "ward"] = "kmeans"
    ontology: StrictBool = True

    def asked(self, family: Family) -> Family:
        """Return the family; where clusters are scored with what that asks and is scored by."""
        family = super().asked(family)
        if self.mode == "supervised":
            return family
        metrics = family.modes[self.mode]
        return replace(family, method="embed", predicts="clusters", primary=metrics[0], metrics=metrics)
