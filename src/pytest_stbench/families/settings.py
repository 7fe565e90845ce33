"""What the settings of several families share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pytest_stbench.spec.block import Block

if TYPE_CHECKING:
    from pytest_stbench.registry import Family

__all__ = ["Block", "InputBlock", "LabelBlock"]

INPUTS = {"image": ("image",), "expression": ("counts",), "both": ("image", "counts")}
ON_UNITS: dict[str, Any] = {"input_class": "image+expression", "inputs": INPUTS["both"]}
"""What families of labelled units hand out where the task file does not say."""

ON_LABELS: dict[str, Any] = {
    **ON_UNITS,
    "method": "predict_labels",
    "trivial": "majority",
    "simple": ("raw_pca", "pca_ridge", "he_colour"),
    "baselines": ("coords",),
}
FROM_EXPRESSION: dict[str, Any] = {
    "method": "predict_expression",
    "trivial": "train_statistic",
    # Where genes are observed the first, else one that reads the image.
    "simple": ("gene_gene_ridge", "pca_ridge", "he_colour", "coords"),
    "derived": True,
}
"""What families have in common that are read out of predicted expression."""


class InputBlock(Block):
    """``input`` is what models are given beside coordinates; those of one input alone are ranked together."""

    input: Literal["image", "expression", "both"] = "both"

    def asked(self, family: Family) -> Family:
        """Return the family with its inputs."""
        named = "image+expression" if self.input == "both" else self.input
        return replace(family, inputs=INPUTS[self.input], input_class=named)


class LabelBlock(InputBlock):
    """What families of labels share.

    ``map`` renames labels of the data; what it does not name is looked up in the ontology of the family.
    ``trust`` says how the true labels were made: ``gold`` by people or several kinds of evidence, ``silver``
    by an algorithm.
    """

    map: dict[str, str] = Field(default_factory=dict)
    trust: Literal["gold", "silver"] = "gold"

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth."""
        return self.trust == "silver"
