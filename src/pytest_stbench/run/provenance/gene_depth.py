"""How far genes follow the depth of the unit, on the same genes of a slide at every resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.depth import follows_depth
from pytest_stbench.checks.measured import MIN_DETECTION, NothingToScore
from pytest_stbench.checks.sample import sample_units
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.models.identity import digest_of
from pytest_stbench.run.cells import view_parts
from pytest_stbench.run.statistics_memo import packed, unpacked
from pytest_stbench.spec.defaults import dataset_of, preprocess_of
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.run.cells import Grid
    from pytest_stbench.run.views import Views
    from pytest_stbench.spec.model import TaskSpec
    from pytest_stbench.store.store import Store

KIND = "follows_depth"

BySlide = dict[str, dict[str, float]]
"""Slide -> gene -> absolute Spearman correlation with the total count of the unit."""


class Resolutions:
    """Compares the views of one data set whose units are formed in several ways."""

    def __init__(self, spec: TaskSpec, grid: Grid, views: Views, store: Store) -> None:
        self._spec = spec
        self._grid = grid
        self._views = views
        self._store = store

    def of(self, view: str) -> dict[str, dict[str, float | None]]:
        """Return what each slide of a view adds to its record; nothing where there is one view.

        ``follows_depth`` is the median over the genes that a tenth of the units has. Beside the first
        view, on the ``genes_paired`` that count in both: ``follows_depth_paired`` here,
        ``follows_depth_first`` there. None without such a gene. The view is in memory afterwards.
        """
        views = self._grid.views(view_parts(view)[0])
        if len(views) < 2:
            return {}
        first = self.by_gene(views[0]) if view != views[0] else {}
        own = self.by_gene(view)
        self._views.dataset(view)
        return {slide: _fields(genes, first.get(slide)) for slide, genes in own.items()}

    def by_gene(self, view: str) -> BySlide:
        """Return how each gene follows depth in a view, from the store where it is known."""
        try:
            dataset = self._views.dataset(view)
            name, variant = view_parts(view)
            key = digest_of(
                {
                    "checksum": dataset.checksum,
                    "config": dataset_of(self._spec, name, variant).model_dump(),
                    "slides": list(dataset.slide_ids),
                    "preprocess": preprocess_of(self._spec, variant or None).model_dump(),
                    "code": code_version(),
                }
            )
            known = self._store.recall(KIND, key, _read)
            if known is None:
                kept = self._measure(view)
                self._store.remember(KIND, key, kept)
                known = _read(kept)
        except (DataError, DataMissing, NothingToScore):
            # Data that cannot be read or scored are reported by the items that need them.
            return {}
        return known

    def _measure(self, view: str) -> dict[str, tuple[list[str], str]]:
        measured = self._views.measured(view)
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
