"""What scores stand on, as records: task, data sets, model, folds; each made once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.stored_identity import keeps
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.models.identity import AS_GIVEN
from pytest_stbench.results.provenance import DatasetRecord, LockRecord, ModelRecord, TaskRecord
from pytest_stbench.run.cells import patient_of, pool_id, view_parts
from pytest_stbench.run.provenance.slide_depth import depth_of, libsize_map
from pytest_stbench.spec.defaults import dataset_of, primary_of, resolution_of, with_defaults
from pytest_stbench.spec.fingerprint import fingerprint, gene_files
from pytest_stbench.spec.numbers import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.run.cells import Cell, Pool
    from pytest_stbench.run.task_run import TaskRun


class Facts:
    """Makes the records of what one task run uses."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._spec = run.spec
        self._task: TaskRecord | None = None
        self._datasets: dict[str, DatasetRecord] = {}
        self._locks: dict[str, LockRecord] = {}
        self._abouts: dict[str, dict[str, str | None]] = {}
        self._patients = {name: patient_of(run.grid, name) for name in run.grid.samples}

    def place(self, cell: Cell | Pool) -> dict[str, Any]:
        """Return where a score belongs: fields that every score record has."""
        return {
            "task": self._spec.name,
            "task_version": self._spec.version,
            "family": self._spec.family,
            "dataset": cell.dataset,
            "variant": cell.variant,
            "split": cell.split,
            **self._about(cell.view),
        }

    def _about(self, view: str) -> dict[str, str | None]:
        if view not in self._abouts:
            self._abouts[view] = self._make_about(view)
        return self._abouts[view]

    def _make_about(self, view: str) -> dict[str, str | None]:
        """Return what a view of a data set is of, where all of its slides agree."""
        name, variant = view_parts(view)
        config = dataset_of(self._spec, name, variant)
        samples = self._run.grid.samples[name]
        return {
            "organ": config.organ or _common(sample.organ for sample in samples),
            "disease": config.disease or _common(sample.disease for sample in samples),
            "technology": config.technology or _common(sample.technology for sample in samples),
            "resolution": resolution_of(config)
            or config.resolution
            or _common(sample.resolution for sample in samples),
        }

    def task(self) -> TaskRecord:
        """Return the record of the task, fingerprint included."""
        if self._task is None:
            self._task = self._make_task()
        return self._task

    def _make_task(self) -> TaskRecord:
        mark = fingerprint(with_defaults(self._spec, self._run.registry), self._gene_files())
        return TaskRecord(
            name=self._spec.name,
            version=self._spec.version,
            family=self._spec.family,
            claim=self._spec.claim,
            primary=primary_of(self._spec, self._run.family),
            wraps=self._run.family.wraps.name if self._run.family.wraps else None,
            fingerprint=mark.digest,
            fingerprint_parts=dict(mark.parts),
            numbers=NUMBERS,
        )

    def _gene_files(self) -> dict[str, str]:
        files = {}
        for path in gene_files(self._spec):
            content = resolve_one(path, self._run.roots).read_bytes()
            files[path] = hashlib.sha256(content).hexdigest()
        return files

    def patients(self, dataset: str) -> Mapping[str, str]:
        """Return the patient of each slide; a slide without one stands for itself."""
        return self._patients[dataset]

    def dataset(self, view: str) -> DatasetRecord:
        """Return the record of a view of a data set. Raises ``DataError`` when it cannot be read."""
        if view not in self._datasets:
            self._datasets[view] = self._make_dataset(view)
        return self._datasets[view]

    def _make_dataset(self, view: str) -> DatasetRecord:
        beside = self._run.resolutions.of(view)
        dataset = self._run.views.dataset(view)
        name, _ = view_parts(view)
        several = len(self._run.grid.views(name)) > 1
        left_out = 0
        depth: dict[str, dict[str, float | None]] = {}
        maps: dict[str, Any] = {}
        for slide, below in self._run.views.filtered_slides(view):
            left_out += below
            depth[slide.meta.slide_id] = depth_of(slide) | beside.get(slide.meta.slide_id, {})
            maps[slide.meta.slide_id] = libsize_map(slide) if several else None
        return DatasetRecord(
            task=self._spec.name,
            name=view,
            checksum=dataset.checksum,
            patients=self._patients[name],
            n_slides=len(dataset.samples),
            n_units=sum(int(found["units"] or 0) for found in depth.values()),
            n_units_filtered={"below_filter": left_out} if left_out else {},
            n_genes=len(dataset.genes),
            panels=tuple(
                sorted(
                    {panel for sample in dataset.samples if (panel := sample.panel or dataset.config.panel)}
                )
            ),
            genes_renamed=dict(dataset.renamed),
            notes=_totals(dataset.notes),
            depth=depth,
            libsize_maps={slide: found for slide, found in maps.items() if found is not None},
            **self._about(view),
        )

    def model(self, contestant: Contestant) -> ModelRecord:
        """Return the record of the model under test."""
        identity = contestant.handle.identity
        return ModelRecord(
            name=contestant.label,
            revision=identity.revision if identity else None,
            config_digest=identity.digest if identity else None,
            pretraining=contestant.handle.pretraining,
            input_class=contestant.handle.input_class or self._run.family.input_class,
            cached=keeps(identity),
            unit_names=AS_GIVEN if contestant.handle.own_names else None,
        )

    def lock(self, cell: Cell) -> LockRecord:
        """Return the slides and genes of a fold; remembered, since its data may have left memory."""
        key = f"{pool_id(cell.dataset, cell.variant, cell.split)}-{cell.fold.name}"
        if key not in self._locks:
            self._locks[key] = self._make_lock(cell)
        return self._locks[key]

    def _make_lock(self, cell: Cell) -> LockRecord:
        return LockRecord(
            task=self._spec.name,
            dataset=cell.dataset,
            variant=cell.variant,
            split=cell.split,
            fold=cell.fold.name,
            train=cell.fold.train,
            test=cell.fold.test,
            genes=self._run.fold(cell).genes,
        )


def _totals(notes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return every note summed over slides; those that say how much was there, and zeros, left out."""
    totals = {note: sum(by_slide.values()) for note, by_slide in notes.items()}
    return {note: total for note, total in totals.items() if total and note not in ("units", "genes")}


def _common(values: Any) -> str | None:
    """Return the one value that all known ones agree on, else None."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None
