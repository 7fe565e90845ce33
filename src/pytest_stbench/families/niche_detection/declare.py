"""T04, rare structures of the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pytest_stbench.extend import family
from pytest_stbench.families.settings import ON_LABELS, LabelBlock
from pytest_stbench.spec.part import Number

if TYPE_CHECKING:
    from pytest_stbench.spec.rules.common import Known, Mistakes


@family(
    "T04",
    **ON_LABELS,
    primary="auprc",
    metrics=("auprc", "auroc", "detection_f1", "false_positives_per_mm2", "brier", "ece"),
    predicts="detection",
    columns="classes",
)
class NicheDetection(LabelBlock):
    """Find a rare structure of the tissue: lymphoid structures, inflamed regions, tumour.

    With ``positive`` the labels ``label`` of the data are the truth; without it a unit is positive by the
    rule of ``target``.
    """

    target: Literal["tls", "hot_cold", "tumour"] = "tls"
    label: str = "niche"
    positive: tuple[str, ...] = ()
    min_overlap: Number = Field(default=0.3, gt=0, le=1)
    window_um: Number = Field(default=500.0, gt=0)

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth: a rule always does."""
        return super().silver or not self.positive

    @property
    def regions(self) -> str:
        """The label of the data whose classes hold the structure; empty where a rule finds it."""
        return self.label if self.positive else ""

    def mistakes(self, known: Known) -> Mistakes:
        """Yield that no rule finds tumour."""
        unread = known.lacks("positive") or known.gone("target")
        if self.target == "tumour" and not self.positive and not unread:
            found = "is missing: no rule finds tumour in expression"
            yield ("positive",), f"{found}; name the labels of tumour, `positive: [...]`"
