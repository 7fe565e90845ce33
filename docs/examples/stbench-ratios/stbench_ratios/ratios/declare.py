"""What the family is. It is read when task files are collected: nothing heavy is imported here."""

from __future__ import annotations

from pytest_stbench.extend import family
from pytest_stbench.families import Block


@family(
    "E04",
    method="impute",
    primary="spearman_gene",
    metrics=("spearman_gene", "pearson_gene", "rmse"),
    trivial="train_mean",
    simple=("gene_gene_ridge",),
    baselines=("train_median",),
    inputs=("image", "counts"),
    columns="ratios",
    input_class="expression",
)
class Ratios(Block):
    """Is the log ratio of two genes, such as that of two cell states, where it is in the tissue?

    ``pairs`` are the genes of each ratio. Models are given all others.
    """

    pairs: tuple[tuple[str, str], ...]

    def mistakes(self, known):
        """A ratio needs two genes."""
        for index, (one, other) in enumerate(self.pairs):
            if one == other:
                yield ("pairs", index), f"is the ratio of {one} to itself: name two genes"
