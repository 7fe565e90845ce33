"""Marker genes of each niche in truth and prediction, with their Jaccard index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from pytest_stbench.metrics.niche_arms import MIN_UNITS, N_TOP, compare_niches, jaccard, score_lists
from pytest_stbench.report.figures.figure import (
    BLUE,
    INK,
    ORANGE,
    PAGE,
    QUIET,
    SMALL,
    CannotDraw,
    Made,
    letter,
    page,
)
from pytest_stbench.report.figures.pairs import niches_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.metrics.niche_arms import Arms
    from pytest_stbench.metrics.scores import Scores
    from pytest_stbench.report.figures.pairs import Pair

NAME = "niche-signatures"
TITLE = "Marker genes of niches in truth and prediction"
SET = "markers"
WORDS = {
    "empty_niche": f"fewer than {MIN_UNITS} units in or outside",
    "too_few_genes": "too few genes are detected in it",
    "empty_signature": "no gene marks it in truth",
    "empty_pred": "no gene marks it in the prediction",
}
SHOWN, NICHES = 12, 6
"""Genes of a niche and niches that are drawn; the table has all."""
LONG = 22
"""Letters of a niche above its column."""
BOTH, MISSED, ADDED = "both", "truth only", "prediction only"
COLOURS = {BOTH: BLUE, MISSED: QUIET, ADDED: ORANGE}


def has_niches(slide: Slide) -> bool:
    """Tell whether two niches of a slide have enough units to be compared."""
    return enough(slide.labels.get("niche", ()))


def enough(labels: Any) -> bool:
    """Tell whether one niche, and what is outside it, have enough units to be compared."""
    sizes = niches_of(labels).values()
    return any(min(size, sum(sizes) - size) >= MIN_UNITS for size in sizes)


def niche_signatures(pair: Pair, name: str) -> Made:
    """Return the figure of a pair. Raises ``CannotDraw`` where no niche has a value."""
    arms, score = compared(pair)
    if not np.isfinite(score.values).any():
        reasons = sorted({WORDS.get(str(reason), str(reason)) for reason in score.reasons}) or ["no labels"]
        why = f"no niche of slide {pair.slide} has a Jaccard index ({'; '.join(reasons)})"
        raise CannotDraw(why, "label more units, or join small niches")
    table, genes = niche_table(arms, score, pair), gene_table(arms)
    undefined = tuple(
        f"niche {niche}: {WORDS.get(str(reason), str(reason))}"
        for niche, reason in zip(score.labels, score.reasons, strict=True)
        if reason
    )
    more = int(np.isfinite(score.values).sum()) - NICHES
    return Made(
        name=NAME,
        title=TITLE,
        caption=_caption(pair, name, table),
        tables={"": table, "genes": genes},
        draw=lambda: _draw(table, genes, pair),
        left_out=(
            *pair.left_out,
            *undefined,
            *((f"genes of {more} smaller niches are in the table, and not drawn",) if more > 0 else ()),
        ),
    )


def compared(pair: Pair) -> tuple[Arms, Scores]:
    """Return the statistics of both arms and their ``niche_jaccard``."""
    truth, prediction, about = pair.of(SET)
    arms = compare_niches(truth, prediction, niches=pair.niches, min_units=MIN_UNITS, **about)
    return arms, score_lists(arms, N_TOP, jaccard)


def niche_table(arms: Arms, score: Scores, pair: Pair) -> pd.DataFrame:
    """Return a row a niche: units, lengths of both lists, common genes, Jaccard index, chance, reason."""
    sizes = niches_of(pair.niches)
    true, guess = (arms.lists(N_TOP, predicted=predicted)[0] for predicted in (False, True))
    return pd.DataFrame(
        {
            "niche": score.labels.astype(str),
            "units": [sizes[str(niche)] for niche in score.labels],
            "candidates": score.extras["n_candidates"].astype(int),
            "truth": [len(found) for found in true],
            "prediction": [len(found) for found in guess],
            "both": [len(np.intersect1d(a, b)) for a, b in zip(true, guess, strict=True)],
            "niche_jaccard": score.values,
            "expected_by_chance": score.extras["expected"],
            "undefined": score.reasons.astype(str),
        }
    )


def gene_table(arms: Arms) -> pd.DataFrame:
    """Return the marker genes of each niche: place in both lists, log2 fold changes, and which has it."""
    rows = []
    lists = zip(arms.lists(N_TOP, predicted=False)[0], arms.lists(N_TOP, predicted=True)[0], strict=True)
    for row, (true, guess) in enumerate(lists):
        for gene in [*true, *(gene for gene in guess if gene not in set(true.tolist()))]:
            in_truth, in_guess = np.flatnonzero(true == gene), np.flatnonzero(guess == gene)
            kind = BOTH if len(in_truth) and len(in_guess) else MISSED if len(in_truth) else ADDED
            rows.append(
                {
                    "niche": str(arms.niches[row]),
                    "gene": str(arms.genes[gene]),
                    "rank_truth": int(in_truth[0]) + 1 if len(in_truth) else None,
                    "rank_prediction": int(in_guess[0]) + 1 if len(in_guess) else None,
                    "log2_fold_change_truth": float(arms.change_truth[row, gene]),
                    "log2_fold_change_prediction": float(arms.change_prediction[row, gene]),
                    "in": kind,
                }
            )
    return pd.DataFrame(rows).astype({"rank_truth": "Int64", "rank_prediction": "Int64"})


def _draw(table: pd.DataFrame, genes: pd.DataFrame, pair: Pair) -> Figure:
    defined = table[table["niche_jaccard"].notna()].sort_values("units", ascending=False)
    drawn = defined.head(NICHES)
    columns = [_shown(genes, niche) for niche in drawn["niche"]]
    lines = max(len(true) + len(added) for true, added in columns) + 1
    bars, names = max(5.0 * len(defined), 14) + 9, 3.6 * lines + 6
    figure = page(PAGE, bars + names + 6)
    grid = figure.add_gridspec(2, max(len(drawn), 3), height_ratios=[bars, names])
    ax = figure.add_subplot(grid[0, :])
    places = np.arange(len(defined))[::-1]
    ax.barh(places, defined["niche_jaccard"], height=0.6, color=BLUE)
    ax.plot(defined["expected_by_chance"], places, "|", color=INK, markersize=9, label="expected by chance")
    ax.set_yticks(places, [f"{r['niche']} ({r['units']:,} units)" for _, r in defined.iterrows()])
    for place, value in zip(places, defined["niche_jaccard"], strict=True):
        ax.text(value + 0.01, place, f"{value:.2f}", va="center", fontsize=SMALL)
    ax.set_xlim(0, 1)
    ax.set_xlabel(f"Jaccard index of marker genes, truth and prediction ({pair.who})")
    ax.legend(frameon=False, loc="center right")
    letter(ax, "A")
    for number, (niche, (true, added)) in enumerate(zip(drawn["niche"], columns, strict=True)):
        below = figure.add_subplot(grid[1, number])
        _draw_genes(below, true, added, lines)
        below.set_title(niche if len(niche) < LONG else f"{niche[: LONG - 2]}...", fontsize=SMALL + 0.5)
        if number == 0:
            letter(below, "B")
    marks = [
        Line2D(
            [], [], linestyle="", marker="o", markersize=4, color=colour, label=kind,
            markerfacecolor=colour if kind != MISSED else "white",
        )
        for kind, colour in COLOURS.items()
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _shown(genes: pd.DataFrame, niche: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the first genes of the true list of a niche, and of those in the predicted list alone."""
    own = genes[genes["niche"] == niche]
    true = own[own["rank_truth"].notna()].sort_values("rank_truth").head(SHOWN)
    return true, own[own["in"] == ADDED].sort_values("rank_prediction").head(SHOWN // 3)


def _draw_genes(ax: Any, true: pd.DataFrame, added: pd.DataFrame, lines: int) -> None:
    rows = [*true.iterrows(), *added.iterrows()]
    for place, (_, row) in enumerate(rows):
        y = place + (0.5 if place >= len(true) else 0)
        kind = row["in"]
        ax.plot(
            [0.05], [y], "o", markersize=4, markeredgewidth=0.8, color=COLOURS[kind],
            markerfacecolor=COLOURS[kind] if kind != MISSED else "white",
        )  # fmt: skip
        ax.text(0.13, y, row["gene"], va="center", fontsize=SMALL, fontstyle="italic")
    ax.set_xlim(0, 1)
    ax.set_ylim(lines, -0.8)
    ax.set_axis_off()


def _caption(pair: Pair, name: str, table: pd.DataFrame) -> str:
    named = ", ".join(
        f"{row['niche']} {row['niche_jaccard']:.2f} ({row['both']} of {row['truth']} and {row['prediction']})"
        for _, row in table[table["niche_jaccard"].notna()].iterrows()
    )
    told = (
        f"Marker genes of niches on slide {pair.slide} of {name}, {int(table['units'].sum()):,} labelled "
        f"units of {len(pair.truth):,}: niche against all other labelled units (Wilcoxon rank-sum; up to "
        f"{N_TOP} genes, at most a quarter of those detected in it). {pair.how}. (A) Jaccard index "
        "(niche_jaccard) of the lists of truth and prediction, with what random lists of these lengths "
        f"reach: {named} (common genes of the lengths of both lists). (B) The first {SHOWN} genes of the "
        "true list: filled, in both lists; open, in the truth only; below, in orange, the first "
        f"{SHOWN // 3} of the predicted list only."
    )
    if "niche_jaccard" in pair.scores:
        told += f" The results file says {pair.scores['niche_jaccard']:.3f} over all genes of the task."
    return told
