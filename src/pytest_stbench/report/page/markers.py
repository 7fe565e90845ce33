"""Markers of niches: which of them a prediction found, missed or named wrongly, from what a run kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.results.single_scores import PREDICTED_MARKERS, TRUE_MARKERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from pytest_stbench.report.page.boards import Board
    from pytest_stbench.report.page.render import Number

METRICS = (TRUE_MARKERS, PREDICTED_MARKERS)
INDEX = "niche_jaccard"
"""The metric that the lists stand for."""


@dataclass(frozen=True, slots=True)
class NicheMarkers:
    """Markers of one niche, best first: true and predicted, true alone, predicted alone."""

    niche: str
    found: tuple[str, ...]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def all(self) -> int:
        """Number of genes in either list."""
        return len(self.found) + len(self.missed) + len(self.wrong)

    @property
    def jaccard(self) -> float:
        """Genes in both lists over genes in either."""
        return len(self.found) / self.all

    @property
    def shares(self) -> tuple[tuple[str, str], ...]:
        """The three parts of all genes, in percent, by name."""
        parts = {"found": self.found, "missed": self.missed, "wrong": self.wrong}
        return tuple((name, f"{100 * len(genes) / self.all:.1f}") for name, genes in parts.items())


@dataclass(frozen=True, slots=True)
class Signatures:
    """The niches of one slide as one model marks them, and the mean over them in the results file.

    There is no mean where the slide was predicted in several folds or by several seeds: the lists are of the
    first.
    """

    model: str
    slide: str
    niches: tuple[NicheMarkers, ...]
    mean: Number | None
    further: int


def signatures_of(
    board: Board, tables: Mapping[int, pd.DataFrame], *, every: bool = False
) -> Iterator[Signatures]:
    """Yield of each model the slide whose value is the median one, or with `every` all slides."""
    for entry in board.head():
        table = tables.get(entry.source.number)
        if entry.score.role != "model" or table is None:
            continue
        score = entry.score
        index = next((e for e in board.of(board.variants[0], INDEX) if e.label == entry.label), None)
        own = table[
            (table["task"] == board.name) & (table["dataset"] == board.dataset)
            & (table["split"] == board.split) & (table["role"] == "model") & (table["model"] == score.model)
        ]  # fmt: skip
        slides = list(dict.fromkeys(own["slide"]))
        for slide in slides if every else entry.typical(slides):
            part = own[own["slide"] == slide]
            first = part.iloc[0]
            cell = (part["fold"] == first["fold"]) & _same_seed(part["seed"], first["seed"])
            whole, part = bool(cell.all()), part[cell]
            yield Signatures(
                entry.label,
                str(slide),
                tuple(_niches(part)),
                index.slide(str(slide)) if whole and index is not None else None,
                0 if every else len(slides) - 1,
            )


def _same_seed(seeds: pd.Series, seed: float) -> pd.Series:
    return seeds.isna() if seed != seed else seeds == seed


def _niches(part: pd.DataFrame) -> Iterator[NicheMarkers]:
    for niche, own in part.groupby("niche", observed=True, sort=False):
        true, predicted = (
            own[own["metric"] == metric].sort_values("value")["name"].astype(str).tolist()
            for metric in METRICS
        )
        yield NicheMarkers(
            str(niche),
            tuple(gene for gene in true if gene in set(predicted)),
            tuple(gene for gene in true if gene not in set(predicted)),
            tuple(gene for gene in predicted if gene not in set(true)),
        )
