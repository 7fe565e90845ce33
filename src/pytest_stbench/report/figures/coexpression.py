"""Co-expression of truth and prediction side by side, with the structural similarity of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pytest_stbench.metrics.coexpression import MIN_GENES, leaf_order, score_ssim
from pytest_stbench.metrics.coexpression_arms import MIN_UNITS, compare_coexpression
from pytest_stbench.report.figures.figure import PAGE, SMALL, CannotDraw, Made, letter, page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pytest_stbench.metrics.coexpression_arms import CoexpressionArms
    from pytest_stbench.metrics.scores import Scores
    from pytest_stbench.report.figures.pairs import Pair

NAME = "coexpression"
TITLE = "Gene-gene co-expression of truth and prediction"
SET = "coexpressed"
METRIC = "coexpression_ssim"
WORDS = {
    "too_few_units": f"slides need {MIN_UNITS} units",
    "too_few_genes": f"{MIN_GENES} genes that vary are needed",
}
LABELS = 28
"""Names that fit beside a matrix in letters that can be read."""


def coexpression(pair: Pair, name: str) -> Made:
    """Return the figure of a pair. Raises ``CannotDraw`` where the metric is undefined."""
    arms, score = compared(pair)
    if score.reasons[0]:
        why = (
            f"{METRIC} is undefined on slide {pair.slide}: "
            f"{WORDS.get(str(score.reasons[0]), score.reasons[0])}"
        )
        raise CannotDraw(why, "take a larger slide, or a panel with more genes")
    table = matrix_table(arms)
    summary = _summary(pair, score)
    return Made(
        name=NAME,
        title=TITLE,
        caption=_caption(pair, name, arms, score),
        tables={"": table, "summary": summary},
        draw=lambda: _draw(arms, pair, score),
        left_out=pair.left_out,
    )


def compared(pair: Pair) -> tuple[CoexpressionArms, Scores]:
    """Return the correlations of both arms and their ``coexpression_ssim``."""
    truth, prediction, about = pair.of(SET)
    arms = compare_coexpression(truth, prediction, libsize=None, min_units=MIN_UNITS, **about)
    return arms, score_ssim(arms, MIN_GENES)


def matrix_table(arms: CoexpressionArms) -> pd.DataFrame:
    """Return a row for each pair of genes in the order of the picture, the diagonal included."""
    order = leaf_order(arms.truth)
    genes = arms.genes[order].tolist()
    n = len(genes)
    return pd.DataFrame(
        {
            "gene": np.repeat(genes, n),
            "other": genes * n,
            "truth": arms.truth[np.ix_(order, order)].ravel(),
            "prediction": arms.prediction[np.ix_(order, order)].ravel(),
        }
    )


def _summary(pair: Pair, score: Scores) -> pd.DataFrame:
    found: dict[str, Any] = {"slide": pair.slide, "model": pair.who, "units": len(pair.truth)}
    found |= {METRIC: float(score.values[0])}
    found |= {name: float(values[0]) for name, values in score.extras.items()}
    if METRIC in pair.scores:
        found["results_file"] = pair.scores[METRIC]
    return pd.DataFrame([found])


def _draw(arms: CoexpressionArms, pair: Pair, score: Scores) -> Figure:
    order = leaf_order(arms.truth)
    genes = arms.genes[order]
    figure = page(PAGE, 88)
    axes = figure.subplots(1, 2)
    step = max(1, int(np.ceil(len(genes) / LABELS)))
    image: Any = None
    titles = ("truth", f"prediction: {pair.who}, SSIM {score.values[0]:.3f}")
    for ax, matrix, place, title in zip(axes, (arms.truth, arms.prediction), "AB", titles, strict=True):
        image = ax.imshow(matrix[np.ix_(order, order)], vmin=-1, vmax=1, cmap="PuOr_r", rasterized=True)
        ax.set_yticks(range(0, len(genes), step), genes[::step].tolist())
        ax.set_xticks(range(0, len(genes), step), genes[::step].tolist(), rotation=90)
        ax.set_title(title)
        letter(ax, place)
    scale = figure.colorbar(image, ax=axes, fraction=0.025, pad=0.01)
    scale.set_label("Pearson correlation over units", fontsize=SMALL)
    return figure


def _caption(pair: Pair, name: str, arms: CoexpressionArms, score: Scores) -> str:
    told = (
        f"Correlation of {len(arms.genes)} genes over {len(pair.truth):,} units of slide {pair.slide} of "
        f"{name}, genes in the order of a tree (average linkage) of the truth, diagonal 0 in both. "
        f"{pair.how}. Structural similarity ({METRIC}) {score.values[0]:.3f}; a matrix of zeros reaches "
        f"{score.extras['zero_matrix'][0]:.3f}. Genes left out: {int(score.extras['n_missing'][0])} not "
        f"measured, {int(score.extras['n_constant'][0])} that do not vary."
    )
    if METRIC in pair.scores:
        told += (
            f" The results file says {pair.scores[METRIC]:.3f} over all genes of the task; here are the "
            "genes that were kept."
        )
    if "rank_one" in arms.flags:
        told += " One axis holds more than 0.9 of the predicted variance."
    return told
