"""The views of a task's data sets: opened, filtered, as checks see them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.run.cells import view_parts
from pytest_stbench.run.quality.scored_view import MeasuredSlides
from pytest_stbench.spec.defaults import dataset_of, preprocess_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.run.folding import Folding
    from pytest_stbench.run.open_dataset import OpenDataset
    from pytest_stbench.run.task_run import TaskRun

RAW_KEYS = ("raw", "counts", "X")
"""Where h5ad files keep raw counts beside other values."""
_TOLERANCE = 1e-3
_MAX_FRACTIONAL = 0.01


class Views:
    """Opens the views of one task; one of them is in memory."""

    def __init__(self, run: TaskRun, opened: OpenDataset, folding: Folding) -> None:
        self._run = run
        self._opened = opened
        self._folding = folding
        self._offers: dict[str, frozenset[str]] = {}
        self._measured: tuple[Dataset, MeasuredSlides] | None = None

    def dataset(self, view: str) -> Dataset:
        """Return an open view of a data set. Raises ``DataMissing`` and ``DataError``."""
        name, variant = view_parts(view)
        if name in self._run.grid.missing:
            raise DataMissing(self._run.grid.missing[name])
        config = dataset_of(self._run.spec, name, variant)
        return self._opened.open(view, config, self._run.grid.samples[name], self._run.roots)

    def raw(self, view: str) -> Dataset | None:
        """Return a view of a data set with the raw counts its files hold beside other values, if any.

        It is not the one in memory: it is read for one check and forgotten.
        """
        name, variant = view_parts(view)
        config = dataset_of(self._run.spec, name, variant)
        for key in RAW_KEYS if config.source == "h5ad" else ():
            if key == config.keys.counts:
                continue
            keys = config.keys.model_copy(update={"counts": key})
            raw = Dataset(
                name, config.model_copy(update={"keys": keys}), self._run.grid.samples[name], self._run.roots,
                readers=self._run.registry.readers,
            )  # fmt: skip
            with contextlib.suppress(DataError):
                if all(_holds_counts(slide) for slide in raw.slides()):
                    return raw
        return None

    def filtered_slides(self, view: str) -> Iterator[tuple[Slide, int]]:
        """Yield each slide of a view with the units that pass the filter, and how many do not."""
        dataset = self.dataset(view)
        unit_filter = preprocess_of(self._run.spec, view_parts(view)[1]).filter
        for slide in dataset.slides():
            kept = self._opened.filtered(dataset, slide.meta.slide_id, unit_filter)
            yield kept, slide.n_units - kept.n_units

    def measured(self, view: str) -> MeasuredSlides:
        """Return a view as checks of expression see it. Raises ``DataMissing`` and ``DataError``."""
        dataset = self.dataset(view)
        if self._measured is None or self._measured[0] is not dataset:
            name, variant = view_parts(view)
            pool = next(pool for pool in self._run.grid.of(name) if pool.view == view)
            made = MeasuredSlides(
                self._run.spec, variant, dataset, pool.folds,
                folding=self._folding, opened=self._opened, roots=self._run.roots,
            )  # fmt: skip
            self._measured = dataset, made
        return self._measured[1]

    def offered(self, name: str) -> frozenset[str]:
        """Return what the data set offers to baselines; of data that cannot be opened, what is declared."""
        if name not in self._offers:
            config = self._run.spec.datasets[name]
            declared = {"image": config.image, "embedding": config.keys.embedding}
            found = frozenset(fact for fact, value in declared.items() if value is not None)
            # Data that cannot be opened are reported by the items that need them.
            with contextlib.suppress(DataMissing, DataError):
                found = self.dataset(name).offers
            self._offers[name] = found
        given = self._run.family.inputs
        hidden = set() if "image" in given else {"image", "embedding"}
        return (self._offers[name] - hidden) | ({"observed"} if "counts" in given else set())

    def forget(self) -> None:
        """Drop what was derived for checks."""
        self._measured = None


def _holds_counts(slide: Slide) -> bool:
    """Tell whether a slide holds whole numbers that are not negative."""
    values = np.asarray(slide.counts.data, dtype=np.float64)
    values = values[np.isfinite(values)]
    fractional = np.abs(values - np.rint(values)) > _TOLERANCE
    return bool(len(values) and fractional.mean() <= _MAX_FRACTIONAL and (values >= 0).all())
