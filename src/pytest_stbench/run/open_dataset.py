"""The data set that is open: one at a time, filtered once per setting, statistics kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.holding import Holding
from pytest_stbench.models.identity import json_digest
from pytest_stbench.preprocess.filter import filter_units
from pytest_stbench.run.dataset_memos import DrawnCounts, StoredStatistics
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.machine import Machine

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey
    from pytest_stbench.spec.model import DatasetSpec, FilterSpec
    from pytest_stbench.splits.table import Sample
    from pytest_stbench.store.store import Store


class OpenDataset:
    """Holds one open data set; opening another closes it.

    What is derived from a data set (filtered slides, gene statistics) leaves memory with it; the
    statistics stay in `store`. `checksums` says how those of data are had; by default they are kept there.
    `machine` is what models are told of this one.
    """

    def __init__(
        self, store: Store, checksums: Checksums | None = None, machine: Machine | None = None
    ) -> None:
        self.machine = machine or Machine()
        self._store = store
        self.checksums = checksums or Checksums(store=store.root)
        self._key: tuple[object, ...] | None = None
        self._dataset: Dataset | None = None
        self._holding = Holding(store.root)
        self._filtered: dict[tuple[str, FilterSpec], Slide] = {}
        self.statistics: MutableMapping[StatisticsKey, SlideStatistics] = {}

    def open(
        self, name: str, config: DatasetSpec, samples: tuple[Sample, ...], roots: Sequence[Path]
    ) -> Dataset:
        """Return the data set, opening it unless it is the one in memory.

        Raises ``DataMissing`` and ``DataError``.
        """
        key = (name, config.model_dump_json(), samples, tuple(roots))
        if self._dataset is None or key != self._key:
            self.close()
            readers = builtin_registry().readers
            counts = None if self.checksums.anew else DrawnCounts(self._store, name)
            made = Dataset(
                name, config, samples, roots, checksums=self.checksums, readers=readers, counts=counts,
                holding=self._holding,
            )  # fmt: skip
            self._dataset = made
            self._key = key
            about = {"config": config.model_dump(), "slides": list(made.slide_ids)}
            self.statistics = StoredStatistics(
                self._store, lambda: json_digest({"checksum": made.checksum, **about})
            )
        return self._dataset

    def close(self) -> None:
        """Forget the data set and all that was derived from it."""
        if self._dataset is not None:
            self._dataset.close()
        self._dataset = None
        self._key = None
        self._filtered.clear()
        self.statistics = {}

    def filtered(self, dataset: Dataset, slide_id: str, spec: FilterSpec) -> Slide:
        """Return the slide without the units below the thresholds of `spec`."""
        key = (slide_id, spec)
        if key not in self._filtered:
            slide = dataset.slide(slide_id)
            # A unit without counts has no expression, whatever the thresholds.
            keep = filter_units(slide, spec) & (slide.libsize > 0)
            self._filtered[key] = slide if keep.all() else self._holding.hold(slide.select(keep))
        return self._filtered[key]
