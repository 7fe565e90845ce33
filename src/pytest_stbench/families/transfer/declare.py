"""T13, transfer across technologies."""

from __future__ import annotations

from typing import Literal

from pytest_stbench.extend import family
from pytest_stbench.spec.block import Block


@family(
    "T13",
    method="",
    primary="transfer_score",
    metrics=("transfer_score", "transfer_gap"),
    trivial="train_mean",
    simple=(),
    baselines=(),
    predicts="transfer",
)
class Transfer(Block):
    """Ask the wrapped family across technologies: what is lost on the way?

    ``wraps`` names the family whose answers are compared across the sides of the split.
    """

    wraps: Literal["expression", "imputation", "niches", "cell_types"] = "expression"
