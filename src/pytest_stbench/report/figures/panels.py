"""Which genes panels share, and one gene as two panels see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pytest_stbench.checks.panel import shared_part
from pytest_stbench.checks.subject import is_whole_transcriptome, panel_of
from pytest_stbench.errors import DataError
from pytest_stbench.report.figures.figure import PAGE, SMALL, CannotDraw, Made, letter, page
from pytest_stbench.report.figures.maps import draw_map
from pytest_stbench.report.figures.resolution import half_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.report.figures.opened import Subject
    from pytest_stbench.report.figures.resolution import Half

NAME = "panels"
TITLE = "What panels have in common"
MIN_DETECTION = 0.1
MOST = 30
"""Panels that a matrix can show with names that are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Slides that measured the same genes; ``profile`` is its largest slide, where there is one."""

    label: str
    slides: tuple[str, ...]
    genes: frozenset[str]
    profile: Profile | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One slide of a panel: its units, and of each gene detection, Moran's I and values."""

    slide: str
    half: Half
    genes: dict[str, int]
    detection: Any
    morans_i: Any
    values: Any


def panels_of(subject: Subject) -> list[Panel]:
    """Return the panels of one data set, each with its largest slide. Raises ``DataError``."""
    data = subject.run.views.dataset(subject.name)
    found = []
    for name, slides, genes in grouped(data):
        label = subject.label if name == subject.name else f"{subject.label}: {name}"
        found.append(Panel(label, slides, genes, _profile(subject, slides)))
    return found


def grouped(data: Dataset) -> list[tuple[str, tuple[str, ...], frozenset[str]]]:
    """Return name, slides and genes of each panel of a data set.

    Slides of one panel list the same genes. Slides of a whole transcriptome whose absent genes count as
    zero are one panel, whatever each lists.
    """
    groups: dict[tuple[str, frozenset[str]], list[str]] = {}
    whole: dict[str, list[str]] = {}
    for slide, listed in data.panels.items():
        genes = frozenset(map(str, listed))
        name = panel_of(data, slide) or ""
        if data.config.absent_gene == "zero" and is_whole_transcriptome(name, len(genes)):
            whole.setdefault(name, []).append(slide)
        else:
            groups.setdefault((name, genes), []).append(slide)
    found = [(name, tuple(slides), genes) for (name, genes), slides in groups.items()]
    found += [
        (name, tuple(slides), frozenset().union(*(map(str, data.panels[slide]) for slide in slides)))
        for name, slides in whole.items()
    ]
    once = {name for name, _, _ in found if [n for n, _, _ in found].count(name) == 1}
    if len(found) == 1:
        return [(found[0][0] or data.name, *found[0][1:])]
    return [
        (name if name in once and name else f"{name} {slides[0]}".strip(), slides, genes)
        for name, slides, genes in found
    ]


def _profile(subject: Subject, slides: Sequence[str]) -> Profile | None:
    try:
        slide = subject.largest(among=slides)
    except (CannotDraw, DataError):
        # How panels overlap is known without a slide that can be scored.
        return None
    measured = subject.run.views.measured(subject.name)
    return Profile(
        slide=slide.meta.slide_id,
        half=half_of(slide),
        genes={gene: place for place, gene in enumerate(slide.genes.tolist()) if slide.measured[place]},
        detection=measured.detection(slide),
        morans_i=measured.morans_i(slide),
        values=lambda column: measured.values(slide, np.array([column]))[:, 0],
    )


def panels(found: Sequence[Panel]) -> Made:
    """Return the figure of the panels of all data sets. Raises ``CannotDraw`` where there is one alone."""
    if len(found) < 2:
        one = (
            f"all slides measured one panel ({len(found[0].genes):,} genes)" if found else "no panel was read"
        )
        raise CannotDraw(one, "give a second data set of another panel: stbench figures DATA OTHER OUT")
    left_out: tuple[str, ...] = ()
    if len(found) > MOST:
        left_out = (f"{len(found) - MOST} of {len(found)} panels: a matrix of more than {MOST} is not read",)
        found = sorted(found, key=lambda panel: -len(panel.slides))[:MOST]
    overlap = overlap_table(found)
    chosen = shared_gene(found)
    tables = {"": overlap}
    genes, maps = pd.DataFrame(), pd.DataFrame()
    if chosen is None:
        why = (
            "maps of one gene under two panels: no gene is detected in a tenth of the units of two panels, "
            "or their slides have no coordinates"
        )
        left_out += (why,)
    else:
        first, second, gene, genes = chosen
        tables["genes"] = genes
        maps = pd.concat([_map_table(panel, gene) for panel in (first, second)], ignore_index=True)
        tables["maps"] = maps
    return Made(
        name=NAME,
        title=TITLE,
        caption=_caption(found, chosen),
        tables=tables,
        draw=lambda: _draw(found, overlap, chosen, maps),
        left_out=left_out,
    )


def overlap_table(found: Sequence[Panel]) -> pd.DataFrame:
    """Return for each pair the genes of both and their share of the smaller panel, as ``panel_mismatch``."""
    rows = []
    for a in found:
        for b in found:
            shared, _, share = shared_part({"a": a.genes, "b": b.genes})
            size = (len(a.genes), len(b.genes))
            rows.append((a.label, b.label, *size, len(shared), share))
    names = ["panel", "other", "genes", "genes_other", "shared", "share_of_smaller"]
    return pd.DataFrame(rows, columns=names)


def shared_gene(found: Sequence[Panel]) -> tuple[Panel, Panel, str, pd.DataFrame] | None:
    """Return the two panels, and the gene of both, whose lower Moran's I is the highest.

    With a table of all genes that count in both: detection and Moran's I under each.
    """
    best: tuple[float, Panel, Panel, str, pd.DataFrame] | None = None
    for place, a in enumerate(found):
        for b in found[place + 1 :]:
            if a.profile is None or b.profile is None:
                continue
            genes = sorted(a.profile.genes.keys() & b.profile.genes.keys())
            table = pd.DataFrame({"gene": genes})
            for number, profile in enumerate((a.profile, b.profile), start=1):
                at = [profile.genes[gene] for gene in genes]
                table[f"detection_{number}"] = profile.detection[at]
                table[f"morans_i_{number}"] = profile.morans_i[at]
            lower = table[["morans_i_1", "morans_i_2"]].min(axis=1, skipna=False)
            if not lower.notna().any():
                continue
            top = float(lower.max())
            if best is None or top > best[0]:
                best = top, a, b, genes[int(np.nanargmax(lower.to_numpy()))], table
    return None if best is None else best[1:]


def _map_table(panel: Panel, gene: str) -> pd.DataFrame:
    assert panel.profile is not None  # it was chosen by its profile
    half, profile = panel.profile.half, panel.profile
    return pd.DataFrame(
        {
            "panel": panel.label,
            "slide": profile.slide,
            "x_um": half.xy_um[:, 0],
            "y_um": half.xy_um[:, 1],
            gene: profile.values(profile.genes[gene]),
        }
    )


def _draw(found: Sequence[Panel], overlap: pd.DataFrame, chosen: Any, maps: pd.DataFrame) -> Figure:
    n = len(found)
    side = float(np.clip(9.0 * n, 34, 95))
    figure = page(PAGE, max(side + 14, 60) + (0 if chosen is None else 72))
    grid = figure.add_gridspec(
        1 if chosen is None else 2, 2, height_ratios=[1] if chosen is None else [max(side + 14, 60), 72]
    )
    _draw_overlap(figure.add_subplot(grid[0, :]), found, overlap)
    if chosen is None:
        return figure
    first, second, gene, genes = chosen
    row = genes.set_index("gene").loc[gene]
    for place, panel in enumerate((first, second)):
        ax = figure.add_subplot(grid[1, place])
        half = panel.profile.half
        values = maps.loc[(maps["panel"] == panel.label), gene].to_numpy()
        draw_map(
            ax, half.xy_um, values, shape=half.shape, size_um=half.size_um, label=f"{gene} (log-normalised)"
        )
        detection, moran = row[f"detection_{place + 1}"], row[f"morans_i_{place + 1}"]
        ax.set_title(
            f"{panel.label}\n{gene}: {100 * detection:.0f}% of {len(values):,} {half.units}, "
            f"Moran's I {moran:.2f}",
            fontsize=SMALL,
        )
        letter(ax, "BC"[place], outside=True)
    return figure


def _draw_overlap(ax: Any, found: Sequence[Panel], overlap: pd.DataFrame) -> None:
    n = len(found)
    share = overlap["share_of_smaller"].to_numpy().reshape(n, n)
    counts = overlap["shared"].to_numpy().reshape(n, n)
    image = ax.imshow(share, vmin=0, vmax=1, cmap="cividis")
    labels = [f"{panel.label} ({len(panel.genes):,})  {number}" for number, panel in enumerate(found, 1)]
    ax.set_yticks(range(n), labels)
    ax.set_xticks(range(n), [str(number) for number in range(1, n + 1)])
    if n <= 14:
        for row in range(n):
            for column in range(n):
                colour = "black" if share[row, column] > 0.55 else "white"
                ax.text(
                    column,
                    row,
                    f"{counts[row, column]:,}",
                    ha="center",
                    va="center",
                    fontsize=SMALL,
                    color=colour,
                )
    scale = ax.figure.colorbar(image, ax=ax, fraction=0.045, pad=0.02)
    scale.set_label("shared genes / genes of the smaller panel", fontsize=SMALL)
    letter(ax, "A")


def _caption(found: Sequence[Panel], chosen: Any) -> str:
    everywhere, smallest, share = shared_part({panel.label: panel.genes for panel in found})
    told = (
        f"(A) Genes that {len(found)} panels share (number in the cell, and by colour as a share of the "
        "smaller panel, as the check panel_mismatch counts it); in brackets the genes of the panel. All of "
        f"them have {len(everywhere):,} genes in common, {share:.0%} of the smallest ({smallest})."
    )
    if chosen is not None:
        first, second, gene, genes = chosen
        told += (
            f" (B, C) {gene} on slide {first.profile.slide} of {first.label} and on slide "
            f"{second.profile.slide} of {second.label}, each on the scale of its own data set and in colours "
            f"of its own (1% to 99% quantile). Of {len(genes):,} genes of both it is the one whose lower "
            "Moran's I is the highest. The slides are of different sections unless the labels say otherwise: "
            "what differs is panel, tissue and patient together."
        )
    return told
