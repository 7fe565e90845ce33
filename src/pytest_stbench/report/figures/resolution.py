"""One section as cells and as spots, coloured by library size; spots alone beside coarser bins of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pytest_stbench.data.binning.units import bin_cells
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.kernels.lattice import DISC_UM
from pytest_stbench.report.figures.figure import BLUE, ORANGE, PAGE, SMALL, CannotDraw, Made, letter, page
from pytest_stbench.report.figures.maps import draw_map, spacing
from pytest_stbench.report.figures.opened import CELLS, FORMS_UNITS
from pytest_stbench.run.cells import view_parts
from pytest_stbench.spec.model import BinSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.report.figures.opened import Subject
    from pytest_stbench.run.task_run import TaskRun

NAME = "resolution"
TITLE = "The same section at two resolutions"
FACTOR = 2
"""Pitches of a lattice of spots that the side of a coarser bin has."""
LEGACY_SPOT = 0.5
"""Diameter of a spot by its pitch: 100 of 200 um in legacy ST, 55 of 100 um in Visium."""


class Half:
    """One kind of unit on the section."""

    def __init__(self, units: str, slide: Any, xy_um: Any, counts: Any, shape: str, size_um: float) -> None:
        self.units = units
        self.slide = slide
        self.xy_um = np.asarray(xy_um, np.float64)
        self.counts = np.asarray(counts, np.float64)
        self.shape = shape
        self.size_um = size_um

    def table(self) -> pd.DataFrame:
        """Return a row a unit."""
        return pd.DataFrame(
            {"units": self.units, "x_um": self.xy_um[:, 0], "y_um": self.xy_um[:, 1], "counts": self.counts}
        )


def resolution(subject: Subject) -> Made:
    """Return the figure of the largest slide. Raises ``CannotDraw`` and ``DataError``."""
    main = subject.largest()
    slide_id = main.meta.slide_id
    follows: dict[str, dict[str, float]] = {}
    left_out: tuple[str, ...] = ()
    if subject.other:
        views = [subject.name, subject.other]
        if view_parts(subject.other)[1] == CELLS:
            views.reverse()
        halves = []
        for view in views:
            slide = _slide(subject.run, view, slide_id)
            halves.append(half_of(slide))
            follows[halves[-1].units] = subject.run.resolutions.by_gene(view).get(slide_id, {})
    else:
        halves = [half_of(main), coarser(main)]
        told = (
            f"cells: the slides have units of resolution {main.meta.resolution!r}, which cannot be divided "
            "into cells; coarser bins of the same units stand in their place"
        )
        left_out = (told,)
    units = pd.concat([half.table() for half in halves], ignore_index=True)
    genes = depth_table(follows)
    summary = pd.DataFrame([_summary(half, genes) for half in halves])
    tables = {"": units, "summary": summary, **({"genes": genes} if len(genes) else {})}
    return Made(
        name=NAME,
        title=TITLE,
        caption=_caption(subject.label, slide_id, main, halves, summary),
        tables=tables,
        draw=lambda: _draw(halves, genes, slide_id),
        left_out=left_out,
    )


def half_of(slide: Slide) -> Half:
    """Return the units of a slide with the shape that they have on the tissue."""
    meta = slide.meta
    resolution = meta.resolution or "unit"
    if resolution in FORMS_UNITS:
        return Half("cells", slide, slide.xy_um, slide.libsize, "circle", spacing(slide.xy_um))
    if resolution == "xisium":
        tiled = meta.pitch_um is not None and meta.pitch_um <= DISC_UM
        shape, size = ("hexagon", float(meta.pitch_um or DISC_UM)) if tiled else ("circle", DISC_UM)
        return Half("Xisium spots", slide, slide.xy_um, slide.libsize, shape, size)
    lattice = lattice_of(meta.technology, meta.resolution, meta.pitch_um)
    pitch = lattice.pitch_um if lattice else meta.pitch_um or spacing(slide.xy_um)
    if resolution == "bin":
        return Half("bins", slide, slide.xy_um, slide.libsize, "square", pitch)
    share = DISC_UM / 100 if lattice is not None and lattice.kind == "hex" else LEGACY_SPOT
    return Half(f"{resolution}s", slide, slide.xy_um, slide.libsize, "circle", pitch * share)


def coarser(slide: Slide) -> Half:
    """Return square bins of a slide's units, two pitches wide. Raises ``DataError``."""
    from scipy.sparse import csr_matrix

    side = FACTOR * spacing(slide.xy_um)
    # The total of each unit is all that is shown: it is summed as counts of cells are.
    totals = csr_matrix(slide.libsize[:, None])
    spec = BinSpec(geometry="square", size_um=side, min_tissue=0)
    binned = bin_cells(slide.xy_um, totals, spec, what=f"slide {slide.meta.slide_id}")
    counts = binned.counts.toarray()[:, 0]
    held = counts > 0
    return Half(f"bins of {side:,.0f} µm", None, binned.units.xy_um[held], counts[held], "square", side)


def depth_table(follows: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return |Spearman| of each gene with the total count of the unit, on genes that all halves count."""
    shared = sorted(set.intersection(*map(set, follows.values()))) if follows else []
    return pd.DataFrame({"gene": shared, **{name: [own[g] for g in shared] for name, own in follows.items()}})


def _slide(run: TaskRun, view: str, slide_id: str) -> Slide:
    for slide in run.views.measured(view).slides():
        if slide.meta.slide_id == slide_id:
            return slide
    why = f"no unit of slide {slide_id} is left in the view {view}"
    raise CannotDraw(why, "lower `preprocess.filter`, or `bin.min_tissue`")


def _summary(half: Half, genes: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {
        "units": half.units,
        "n": len(half.counts),
        "counts_median": float(np.median(half.counts)),
        "counts_total": float(half.counts.sum()),
        "size_um": half.size_um,
    }
    if half.units in genes:
        found |= {"genes_paired": len(genes), "follows_depth_paired": float(genes[half.units].median())}
    return found


def _draw(halves: list[Half], genes: pd.DataFrame, slide_id: str) -> Figure:
    xy = halves[0].xy_um[np.isfinite(halves[0].xy_um).all(axis=1)]
    width, height = np.ptp(xy, axis=0)
    panel = PAGE / 2 - 16
    tall = float(np.clip(panel * height / max(width, 1.0), 22, 90))
    figure = page(PAGE, tall + 12 + (42 if len(genes) else 0))
    rows = [tall + 12, 42] if len(genes) else [1]
    grid = figure.add_gridspec(len(rows), 2, height_ratios=rows)
    for place, half in enumerate(halves):
        ax = figure.add_subplot(grid[0, place])
        one = half.units.rstrip("s") if not half.units.startswith("bins") else "bin"
        draw_map(
            ax, half.xy_um, half.counts, shape=half.shape, size_um=half.size_um, label=f"counts per {one}",
            around=np.vstack([other.xy_um for other in halves]),
        )  # fmt: skip
        letter(ax, "AB"[place])
        ax.set_title(f"{slide_id}: {len(half.counts):,} {half.units}", fontsize=SMALL + 1)
    if len(genes):
        _draw_depth(figure.add_subplot(grid[1, :]), genes)
    return figure


def _draw_depth(ax: Any, genes: pd.DataFrame) -> None:
    most = min(1.0, float(np.ceil(20 * genes.iloc[:, 1:].max().max()) / 20) + 0.05)
    bins = np.linspace(0, most, 41)
    for (name, values), colour in zip(genes.iloc[:, 1:].items(), (BLUE, ORANGE), strict=True):
        ax.hist(values, bins=bins, histtype="stepfilled", alpha=0.45, color=colour)
        ax.hist(values, bins=bins, histtype="step", color=colour, linewidth=0.8, label=str(name))
        ax.axvline(values.median(), color=colour, linestyle="--", linewidth=0.9)
    ax.set_xlim(0, most)
    ax.set_xlabel("|Spearman correlation| of a gene with the total count of the unit (dashed: median)")
    ax.set_ylabel("genes")
    ax.legend(frameon=False)
    letter(ax, "C")


def _caption(name: str, slide_id: str, main: Slide, halves: list[Half], summary: pd.DataFrame) -> str:
    parts = []
    for letter_, half, (_, row) in zip("AB", halves, summary.iterrows(), strict=True):
        size = f"{half.shape}s of {half.size_um:,.0f} µm"
        parts.append(
            f"({letter_}) {row['n']:,} {half.units}, drawn as {size}, "
            f"median {row['counts_median']:,.0f} counts"
        )
    told = (
        f"Library size (total count over all genes measured) on slide {slide_id} of {name}"
        f"{f' ({main.meta.technology})' if main.meta.technology else ''}. {'; '.join(parts)}. "
        "Each map has colours of its own, from the 1% to the 99% quantile of its units. Units that the "
        "filter of the task leaves out are not drawn."
    )
    share = summary["counts_total"].iloc[1] / summary["counts_total"].iloc[0]
    told += f" The units of (B) hold {share:.0%} of the counts of those of (A)"
    told += ": the rest lies where too little of a unit is tissue." if share < 1 else "."
    if "genes_paired" in summary and summary["genes_paired"].notna().all():
        medians = " and ".join(
            f"{r['follows_depth_paired']:.2f} ({r['units']})" for _, r in summary.iterrows()
        )
        told += (
            f" (C) How far {int(summary['genes_paired'].iloc[0]):,} genes, each counted in a tenth of the "
            f"units of both, follow library size: absolute Spearman correlation on the scale of the task, "
            f"median {medians}; where units are many, of a sample of them."
        )
    return told
