"""How deep the units of a slide were measured, and how far genes follow it, at every resolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.depth import follows_depth
from pytest_stbench.checks.measured import MIN_DETECTION, NothingToScore
from pytest_stbench.checks.sample import sample_units
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.run.cells import view_parts
from pytest_stbench.run.dataset_memos import packed, unpacked
from pytest_stbench.spec.defaults import dataset_of, preprocess_of
from pytest_stbench.store.memo import memo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.run.task_run import TaskRun
    from pytest_stbench.store.store import Store

QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}
MAP_TILES = 32
MAP_STEP_UM = 100.0
AREA_TILE_UM = 50.0
UM2_PER_MM2 = 1e6
KIND = "follows_depth"

BySlide = dict[str, dict[str, float]]
"""Slide -> gene -> absolute Spearman correlation with the total count of the unit."""


def depth_of(slide: Slide) -> dict[str, float | None]:
    """Return what the units that passed the filter hold.

    ``units`` and the ``area_mm2`` they stand for; 5 %, 50 % and 95 % quantile of ``libsize`` (counts
    over all measured genes) and of ``genes`` (detected); ``zero_share`` over units and measured genes
    of the data set; the median of every further measure (``cells``, ``transcripts``,
    ``tissue_share`` ...). None without units.
    """
    found: dict[str, float | None] = {"units": float(slide.n_units), "area_mm2": area_mm2(slide)}
    for name, values in {"libsize": slide.libsize, "genes": slide.n_detected.astype(np.float64)}.items():
        found |= {f"{name}_{label}": _quantile(values, q) for label, q in QUANTILES.items()}
    places = slide.n_units * int(slide.measured.sum())
    positive = int((slide.counts.data > 0).sum())
    found["zero_share"] = 1 - positive / places if places else None
    found |= {f"{name}_median": _quantile(values, 0.5) for name, values in slide.measures.items()}
    return found


def area_mm2(slide: Slide) -> float | None:
    """Return the area that the units of a slide stand for, in mm2; None where no unit has a place.

    Units of a lattice stand for their cell of it, gaps between spots included; other units for the
    squares of 50 um in which at least one lies.
    """
    places = slide.xy_um[np.isfinite(slide.xy_um).all(axis=1)]
    if not len(places):
        return None
    meta = slide.meta
    lattice = lattice_of(meta.technology, meta.resolution, meta.pitch_um)
    if lattice is not None:
        row_step = lattice.pitch_um * (math.sqrt(0.75) if lattice.kind == "hex" else 1.0)
        return len(places) * lattice.pitch_um * row_step / UM2_PER_MM2
    tiles = np.unique(
        np.floor(places / AREA_TILE_UM).view(np.complex128)
    )  # pairs, ten times faster than rows
    return len(tiles) * AREA_TILE_UM**2 / UM2_PER_MM2


def libsize_map(slide: Slide) -> dict[str, object] | None:
    """Return the counts per square tile of the slide; None where no unit has a place.

    ``step_um`` is the side of a tile, a multiple of 100 um that gives at most 32 tiles along the
    longer axis; ``x_um`` and ``y_um`` are the lower corner, a multiple of the step, so that maps of
    one sample at several resolutions lie on each other; ``counts`` holds rows of y.
    """
    finite = np.isfinite(slide.xy_um).all(axis=1)
    if not finite.any():
        return None
    xy = slide.xy_um[finite]
    low, high = xy.min(axis=0), xy.max(axis=0)
    step = MAP_STEP_UM * max(1, math.ceil(float((high - low).max()) / MAP_TILES / MAP_STEP_UM))
    corner = np.floor(low / step)
    shape = np.floor(high / step) - corner + 1
    columns, rows = (np.floor(xy / step) - corner).astype(np.intp).T
    width, height = (int(size) for size in shape)
    sums = np.bincount(rows * width + columns, weights=slide.libsize[finite], minlength=width * height)
    return {
        "x_um": float(corner[0] * step),
        "y_um": float(corner[1] * step),
        "step_um": step,
        "counts": np.rint(sums).reshape(height, width).astype(int).tolist(),
    }


def _quantile(values: NDArray[np.float64], q: float) -> float | None:
    defined = values[np.isfinite(values)]
    return float(np.quantile(defined, q)) if len(defined) else None


class GeneDepths:
    """Compares the views of one data set whose units are formed in several ways."""

    def __init__(self, run: TaskRun, store: Store) -> None:
        self._run = run
        self._store = store

    def of(self, view: str) -> dict[str, dict[str, float | None]]:
        """Return what each slide of a view adds to its record; nothing where there is one view.

        ``follows_depth`` is the median over the genes that a tenth of the units has. Beside the first
        view, on the ``genes_paired`` that count in both: ``follows_depth_paired`` here,
        ``follows_depth_first`` there. None without such a gene. The view is in memory afterwards.
        """
        views = self._run.grid.views(view_parts(view)[0])
        if len(views) < 2:
            return {}
        first = self.by_gene(views[0]) if view != views[0] else {}
        own = self.by_gene(view)
        self._run.views.dataset(view)
        return {slide: _fields(genes, first.get(slide)) for slide, genes in own.items()}

    def by_gene(self, view: str) -> BySlide:
        """Return how each gene follows depth in a view, from the store where it is known."""
        spec = self._run.spec
        try:
            dataset = self._run.views.dataset(view)
            name, variant = view_parts(view)
            parts = {
                "checksum": dataset.checksum,
                "config": dataset_of(spec, name, variant).model_dump(),
                "slides": list(dataset.slide_ids),
                "preprocess": preprocess_of(spec, variant or None).model_dump(),
            }
            return memo(self._store, KIND, parts, lambda: self._measure(view), _read)
        except (DataError, DataMissing, NothingToScore):
            # Data that cannot be read or scored are reported by the items that need them.
            return {}

    def _measure(self, view: str) -> dict[str, tuple[list[str], str]]:
        measured = self._run.views.measured(view)
        found = {}
        for slide in measured.slides():
            columns = np.flatnonzero(measured.detection(slide) >= MIN_DETECTION)
            strength = follows_depth(measured, sample_units(slide), columns)
            defined = np.isfinite(strength)
            names = np.asarray(slide.genes)[columns[defined]].astype(str).tolist()
            found[slide.meta.slide_id] = (names, packed(strength[defined]))
        return found


def _read(kept: dict[str, tuple[list[str], str]]) -> BySlide:
    return {
        slide: dict(zip(names, unpacked(values).tolist(), strict=True))
        for slide, (names, values) in kept.items()
    }


def _fields(genes: dict[str, float], first: dict[str, float] | None) -> dict[str, float | None]:
    found = {"follows_depth": _median(list(genes.values()))}
    if first is None:
        return found
    shared = sorted(genes.keys() & first.keys())
    return found | {
        "genes_paired": float(len(shared)),
        "follows_depth_paired": _median([genes[gene] for gene in shared]),
        "follows_depth_first": _median([first[gene] for gene in shared]),
    }


def _median(values: list[float] | NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if len(values) else None
