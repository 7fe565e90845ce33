"""What scores stand on, as records: task, data sets, model, folds; each made once."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_stbench.calls.stored_identity import keeps
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.models.identity import AS_GIVEN
from pytest_stbench.results.provenance import DatasetRecord, LockRecord, ModelRecord, TaskRecord
from pytest_stbench.run.cells import patient_of, view_parts
from pytest_stbench.run.provenance.slide_depth import depth_of, libsize_map
from pytest_stbench.spec.defaults import dataset_of, primary_of, resolution_of, with_defaults
from pytest_stbench.spec.fingerprint import fingerprint, gene_files
from pytest_stbench.spec.numbers import NUMBERS
from pytest_stbench.spec.pack import pack_said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.run.cells import Cell, Pool
    from pytest_stbench.run.task_run import TaskRun

T = TypeVar("T")


class TaskRecords:
    """Makes the records of what one task run uses, each once."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._spec = run.spec
        self._made: dict[str, Any] = {}
        self._patients = {name: patient_of(run.grid, name) for name in run.grid.samples}

    def _once(self, key: str, make: Callable[[], T]) -> T:
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def place(self, cell: Cell | Pool) -> dict[str, Any]:
        """Return where a score belongs: fields that every score record has."""
        return {
            "task": self._spec.name,
            "task_version": self._spec.version,
            "family": self._spec.family,
            "dataset": cell.dataset,
            "variant": cell.variant,
            "split": cell.split,
            **self._common_to(cell.view),
        }

    def _common_to(self, view: str) -> dict[str, Any]:
        """Return what a view of a data set is of, where all of its slides agree."""
        return self._once(f"common to {view}", lambda: self._agreed(view))

    def _agreed(self, view: str) -> dict[str, Any]:
        name, variant = view_parts(view)
        config = dataset_of(self._spec, name, variant)
        declared = {
            "organ": config.organ, "disease": config.disease, "technology": config.technology,
            "resolution": resolution_of(config) or config.resolution,
        }  # fmt: skip
        samples = self._run.grid.samples[name]
        return {
            key: value or _one([getattr(sample, key) for sample in samples])
            for key, value in declared.items()
        }

    def task(self) -> TaskRecord:
        """Return the record of the task, fingerprint included."""
        return self._once("task", self._task)

    def _task(self) -> TaskRecord:
        spec, family = self._spec, self._run.family
        files = {
            path: hashlib.sha256(resolve_one(path, self._run.roots).read_bytes()).hexdigest()
            for path in gene_files(spec)
        }
        if spec.reference is not None and (checksum := self._run.reference.checksum):
            files["reference"] = checksum
        mark = fingerprint(with_defaults(spec, self._run.registry), files)
        return TaskRecord(
            name=spec.name,
            version=spec.version,
            family=spec.family,
            claim=spec.claim,
            primary=primary_of(spec, family),
            wraps=family.wraps.name if family.wraps else None,
            fingerprint=mark.digest,
            fingerprint_parts=dict(mark.parts),
            numbers=NUMBERS,
            pack=pack_said(self._run.task.path),
        )

    def patients(self, dataset: str) -> Mapping[str, str]:
        """Return the patient of each slide; a slide without one stands for itself."""
        return self._patients[dataset]

    def declared_dataset(self, view: str) -> DatasetRecord:
        """Return the record of a view from its samples table alone: nothing is read, nothing counted."""
        name, _ = view_parts(view)
        samples, config = self._run.grid.samples[name], self._spec.datasets[name]
        return DatasetRecord(
            task=self._spec.name,
            name=view,
            checksum="",
            patients=self._patients[name],
            n_slides=len(samples),
            n_units=0,
            n_genes=0,
            panels=tuple(sorted({panel for sample in samples if (panel := sample.panel or config.panel)})),
            **self._common_to(view),
        )

    def dataset(self, view: str) -> DatasetRecord:
        """Return the record of a view of a data set. Raises ``DataError`` when it cannot be read."""
        return self._once(f"dataset {view}", lambda: self._dataset(view))

    def _dataset(self, view: str) -> DatasetRecord:
        beside = self._run.resolutions.of(view)
        dataset = self._run.views.dataset(view)
        several = len(self._run.grid.views(view_parts(view)[0])) > 1
        left_out = 0
        depth: dict[str, dict[str, float | None]] = {}
        maps: dict[str, Any] = {}
        for slide, below in self._run.views.filtered_slides(view):
            left_out += below
            depth[slide.meta.slide_id] = depth_of(slide) | beside.get(slide.meta.slide_id, {})
            maps[slide.meta.slide_id] = libsize_map(slide) if several else None
        return replace(
            self.declared_dataset(view),
            checksum=dataset.checksum,
            n_units=sum(int(found["units"] or 0) for found in depth.values()),
            n_units_filtered={"below_filter": left_out} if left_out else {},
            n_genes=len(dataset.genes),
            genes_renamed=dict(dataset.renamed),
            notes=_totals(dataset.notes),
            depth=depth,
            libsize_maps={slide: found for slide, found in maps.items() if found is not None},
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
            own_name=identity.name if identity and contestant.baseline is None else None,
            unit_names=AS_GIVEN if contestant.handle.own_names else None,
            **asdict(contestant.handle.terms),
        )

    def lock(self, cell: Cell) -> LockRecord:
        """Return the slides and genes of a fold; remembered, since its data may have left memory."""
        return self._once(f"lock {cell.whole_fold}", lambda: self._lock(cell))

    def _lock(self, cell: Cell) -> LockRecord:
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


def _one(values: list[str | None]) -> str | None:
    """Return the one value that all known ones agree on, else None."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None
