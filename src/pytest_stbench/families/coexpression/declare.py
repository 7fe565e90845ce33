"""T06, co-expression."""

from __future__ import annotations

from pytest_stbench.extend import family
from pytest_stbench.families.settings import FROM_EXPRESSION
from pytest_stbench.spec.block import Block


@family(
    "T06",
    **FROM_EXPRESSION,
    primary="coexpression_ssim_normalised",
    metrics=(
        "coexpression_ssim_normalised",
        "coexpression_ssim",
        "partial_coexpression_ssim_normalised",
        "partial_coexpression_ssim",
        "coexpression_mantel",
        "partial_coexpression_mantel",
        "coexpression_rv",
        "partial_coexpression_rv",
        "module_ari",
        "coexpression_sign",
    ),
    baselines=("train_mean", "libsize", "shuffled_genes"),
)
class Coexpression(Block):
    """Do genes vary together in the prediction as they do in the tissue?"""
