"""Genes called variable that are sparse or everywhere, as maps beside spatially variable ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from pytest_stbench.checks.sparsity import ROUNDING, thresholds_of
from pytest_stbench.preprocess.genes import hvg, svg
from pytest_stbench.preprocess.statistics import slide_statistics
from pytest_stbench.report.figures.figure import (
    BLUE,
    GREEN,
    ORANGE,
    PAGE,
    QUIET,
    RED,
    SMALL,
    Made,
    letter,
    page,
)
from pytest_stbench.report.figures.maps import draw_map
from pytest_stbench.report.figures.resolution import half_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.preprocess.statistics import SlideStatistics
    from pytest_stbench.report.figures.opened import Subject
    from pytest_stbench.report.figures.resolution import Half

NAME = "variable-genes"
TITLE = "Variable is not spatially variable"
N = 50
"""Genes of each list, as the benchmarks of the field take them."""
SVG_DETECTION = 0.1
SHOWN = 2
"""Maps of each kind."""
KINDS = {"HVG, sparse": RED, "HVG, everywhere": ORANGE, "HVG": QUIET, "HVG and SVG": GREEN, "SVG": BLUE}


def variable_genes(subject: Subject) -> Made:
    """Return the figure of the largest slide. Raises ``CannotDraw`` and ``DataError``."""
    slide = subject.largest()
    measured = subject.run.views.measured(subject.name)
    method, scale = measured.normalisation()
    found = slide_statistics(slide, method, scale, 0.0)
    table = gene_table(slide, found)
    shown = shown_genes(table)
    columns = np.searchsorted(slide.genes, shown["gene"].to_numpy().astype(slide.genes.dtype))
    values = measured.values(slide, columns)
    half = half_of(slide)
    maps = pd.DataFrame({"x_um": half.xy_um[:, 0], "y_um": half.xy_um[:, 1]})
    maps = pd.concat([maps, pd.DataFrame(values, columns=shown["gene"].tolist())], axis=1)
    absent = [kind for kind in ("HVG, sparse", "HVG, everywhere") if not (table["kind"] == kind).any()]
    return Made(
        name=NAME,
        title=TITLE,
        caption=_caption(subject.label, slide, table, str(method)),
        tables={"": table, "maps": maps},
        draw=lambda: _draw(table, shown, half, values, slide.meta.slide_id),
        left_out=tuple(f"maps of '{kind}': none of the {N} variable genes is one" for kind in absent),
    )


def gene_table(slide: Slide, found: SlideStatistics) -> pd.DataFrame:
    """Return the genes that are highly or spatially variable on a slide, with what is measured of them.

    `found` are the statistics of the slide without a threshold of detection. Columns: rank among both
    lists (missing where a gene is not in it), share of units with a count, Moran's I, standardised
    variance, and the kind, by the thresholds of the checks ``gene_sparsity`` and
    ``ubiquitous_low_variability``.
    """
    variable = hvg([slide], [found], N, 0.0).columns
    spatial = svg([slide], [found], N, SVG_DETECTION).columns
    columns = np.unique(np.concatenate([variable, spatial]))
    table = pd.DataFrame(
        {
            "gene": slide.genes[columns].astype(str),
            "hvg_rank": _ranks(columns, variable),
            "svg_rank": _ranks(columns, spatial),
            "detection": found.detection[columns],
            "morans_i": found.morans_i[columns],
            "hvg_score": found.hvg_score[columns],
        }
    )
    low, high, moran = thresholds_of(slide)
    is_hvg, is_svg = table["hvg_rank"].notna(), table["svg_rank"].notna()
    sparse = is_hvg & (table["detection"] < low - ROUNDING)
    everywhere = is_hvg & (table["detection"] > high + ROUNDING) & (table["morans_i"] < moran)
    kinds = np.select(
        [sparse, everywhere, is_hvg & is_svg, is_hvg],
        ["HVG, sparse", "HVG, everywhere", "HVG and SVG", "HVG"],
        "SVG",
    )
    return table.assign(kind=kinds)


def shown_genes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes that are drawn as maps: the most variable of each kind, then the most spatial."""
    parts = [
        table[table["kind"] == kind].sort_values("hvg_rank").head(SHOWN)
        for kind in ("HVG, sparse", "HVG, everywhere")
    ]
    rest = 3 * SHOWN - sum(map(len, parts))
    spatial = table[table["svg_rank"].notna()].sort_values("svg_rank").head(rest)
    return pd.concat([*parts, spatial], ignore_index=True)


def _ranks(columns: Any, ordered: Any) -> Any:
    place = {int(column): rank for rank, column in enumerate(ordered, start=1)}
    return np.array([place.get(int(column), np.nan) for column in columns])


def _draw(table: pd.DataFrame, shown: pd.DataFrame, half: Half, values: Any, slide_id: str) -> Figure:
    xy = half.xy_um
    width, height = np.ptp(xy, axis=0)
    tall = float(np.clip(44 * height / max(width, 1.0), 22, 60))
    figure = page(PAGE, 50 + 2 * (tall + 9))
    grid = figure.add_gridspec(3, 3, height_ratios=[50, tall + 9, tall + 9])
    _draw_genes(figure.add_subplot(grid[0, :]), table, shown)
    for place, (_, row) in enumerate(shown.iterrows()):
        ax = figure.add_subplot(grid[1 + place // 3, place % 3])
        draw_map(
            ax, xy, values[:, place], shape=half.shape, size_um=half.size_um,
            label="log-normalised", bar=place == 0,
        )  # fmt: skip
        ax.set_title(
            f"{row['gene']}: {row['kind']}\n"
            f"{100 * row['detection']:.1f}% of units, Moran's I {row['morans_i']:.2f}",
            fontsize=SMALL,
        )  # fmt: skip
    figure.supxlabel(f"slide {slide_id}", fontsize=SMALL)
    return figure


def _draw_genes(ax: Any, table: pd.DataFrame, shown: pd.DataFrame) -> None:
    for kind, colour in KINDS.items():
        own = table[table["kind"] == kind]
        if len(own):
            label = f"{kind} ({len(own)})"
            ax.scatter(own["detection"], own["morans_i"], s=9, color=colour, linewidths=0, label=label)
    named: list[tuple[float, float]] = []
    for _, row in shown.sort_values("morans_i").iterrows():
        at = (float(row["detection"]), float(row["morans_i"]))
        crowded = any(abs(at[0] - x) < 0.12 and abs(at[1] - y) < 0.07 for x, y in named)
        if not crowded:  # the maps tell the others
            ax.annotate(row["gene"], at, xytext=(3, 2), textcoords="offset points", fontsize=SMALL)
            named.append(at)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlim(-0.02, 1.3)
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.set_xlabel("units with a count of the gene")
    ax.set_ylabel("Moran's I")
    ax.axhline(0, color=QUIET, linewidth=0.4)
    ax.legend(frameon=False, loc="upper right")
    letter(ax, "A")


def _caption(name: str, slide: Slide, table: pd.DataFrame, method: str) -> str:
    low, high, moran = thresholds_of(slide)
    is_hvg = table["hvg_rank"].notna()
    number = {kind: int((table["kind"] == kind).sum()) for kind in KINDS}
    return (
        f"(A) The {int(is_hvg.sum())} most variable genes (HVG: standardised variance of the counts, no "
        f"threshold of detection) and the {int(table['svg_rank'].notna().sum())} spatially most variable "
        f"ones (SVG: Moran's I, detected in {SVG_DETECTION:.0%} of the units) of slide {slide.meta.slide_id} "
        f"of {name}, {slide.n_units:,} units, {int(slide.measured.sum()):,} genes measured. Of the HVG "
        f"{number['HVG, sparse']} are sparse (in fewer than {low:.0%} of the units), "
        f"{number['HVG, everywhere']} everywhere without a pattern (in more than {high:.0%}, Moran's I below "
        f"{moran:g}), and {number['HVG and SVG']} are spatially variable too. Below, maps of up to {SHOWN} "
        f"genes of each of these kinds, and of the first SVG, on the scale {method}; each map has colours "
        "of its own, from the 1% to the 99% quantile."
    )
