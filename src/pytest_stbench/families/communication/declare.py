"""T07, cell-cell communication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import StrictBool

from pytest_stbench.extend import family
from pytest_stbench.families.settings import FROM_EXPRESSION
from pytest_stbench.spec.block import Block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.spec.yaml_lines import Key

BUILTIN, LIANA = "builtin", "liana"
"""Ligand-receptor pairs that are no file."""


@family(
    "T07",
    **FROM_EXPRESSION,
    primary="lr_auprc",
    metrics=("lr_auprc", "lr_spearman", "lr_pathway", "lr_local", "lr_coexpression_ssim"),
    baselines=("train_mean", "libsize", "shuffled_genes"),
)
class Communication(Block):
    """Does the prediction show which ligand-receptor pairs are active in the tissue, and where?

    ``pairs`` are ``builtin``, ``liana`` (the consensus of that package) or the path of a table with the
    columns ``ligand``, ``receptor`` and, if known, ``pathway``. ``undirected`` takes a pair and its mirror
    image as one.
    """

    pairs: str = BUILTIN
    undirected: StrictBool = False

    def gene_sets(self, of_metrics: frozenset[str]) -> frozenset[str]:
        """Return those of the metrics; pairs only where they are those of the package."""
        pairs = {"communication"}
        return of_metrics | pairs if self.pairs == BUILTIN else of_metrics - pairs

    def files(self) -> Iterator[tuple[Key, str]]:
        """Yield the table of pairs."""
        if self.pairs not in (BUILTIN, LIANA):
            yield ("pairs",), self.pairs
