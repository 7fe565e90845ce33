"""T05, the genes of niches."""

from __future__ import annotations

from pytest_stbench.extend import family
from pytest_stbench.families.settings import FROM_EXPRESSION
from pytest_stbench.spec.block import Block


@family(
    "T05",
    **FROM_EXPRESSION,
    primary="niche_jaccard_normalised",
    metrics=(
        "niche_jaccard_normalised",
        "niche_jaccard",
        "niche_overlap",
        "niche_rbo",
        "niche_logfc_spearman",
        "novel_recall",
        "niche_jaccard_reclustered",
    ),
    baselines=("train_mean", "libsize", "shuffled"),
)
class NicheSignatures(Block):
    """Would a reader of the predicted data list the same genes for each niche?"""
