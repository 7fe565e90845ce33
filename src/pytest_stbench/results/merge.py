"""Joining the records of a run with those a file holds already."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

from pytest_stbench.results.comparable import dataset_differences, task_differences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.results.provenance import ModelRecord, RunRecord
    from pytest_stbench.results.schema import Results
    from pytest_stbench.results.stored import Stored

S = TypeVar("S", bound="Stored")


def merged(stored: Results, new: Results) -> Results:
    """Return `stored` with the records of `new`.

    A new record takes the place of the one with the same key; all others stay, in their order.
    """
    runs = _runs(stored, new)
    return dataclasses.replace(
        stored,
        run=runs[-1] if runs else None,
        earlier_runs=runs[:-1],
        models=_joined(stored.models, new.models),
        tasks=_joined(stored.tasks, new.tasks),
        datasets=_joined(stored.datasets, new.datasets),
        checks=_joined(stored.checks, new.checks),
        checklist=_joined(stored.checklist, new.checklist),
        scores=_joined(stored.scores, new.scores),
        verdicts=_joined(stored.verdicts, new.verdicts),
        lock=_joined(stored.lock, new.lock),
        contamination=_joined(stored.contamination, new.contamination),
        left_out=_joined(stored.left_out, new.left_out),
        kept=new.kept or stored.kept,
        digests={},
    )


def conflicts(stored: Results, new: Results) -> list[str]:
    """Return what keeps `new` from being merged into `stored`, one line each.

    One name must mean one thing in a file: a task has one fingerprint, a data set one checksum
    and patient map, a model one revision. Otherwise old and new scores would stand side by side
    under settings that hold for only some of them.
    """
    found: list[str] = []
    tasks = {task.key: task for task in stored.tasks}
    found += [
        f"task {task.name}: {line}"
        for task in new.tasks
        if task.key in tasks
        for line in task_differences(task, tasks[task.key], there="in the file")
    ]
    datasets = {dataset.key: dataset for dataset in stored.datasets}
    found += [
        f"data set {dataset.name} of {dataset.task}: {line}"
        for dataset in new.datasets
        if dataset.key in datasets
        for line in dataset_differences(dataset, datasets[dataset.key], there="in the file")
    ]
    models = {model.key: model for model in stored.models}
    found += [
        f"model {model.name}: {line}"
        for model in new.models
        if model.key in models
        for line in _model_differences(model, models[model.key])
    ]
    return found


def _model_differences(new: ModelRecord, stored: ModelRecord) -> list[str]:
    pairs = (
        ("revision", new.revision, stored.revision),
        ("configuration", new.config_digest, stored.config_digest),
    )
    return [f"{name} {here!r} here, {there!r} in the file" for name, here, there in pairs if here != there]


def _runs(stored: Results, new: Results) -> tuple[RunRecord, ...]:
    runs: list[RunRecord] = []
    for results in (stored, new):
        runs += [*results.earlier_runs, *([results.run] if results.run else [])]
    return _joined((), runs)


def _joined(stored: Iterable[S], new: Iterable[S]) -> tuple[S, ...]:
    records = {record.key: record for record in stored}
    records.update((record.key, record) for record in new)
    return tuple(records.values())
