"""What a task file leaves unsaid, resolved from the registry in this one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pytest_stbench.registry import SIMPLE
from pytest_stbench.spec.model import (
    DatasetSpec,
    GenesSpec,
    MetricSpec,
    PreprocessSpec,
    SplitSpec,
    TaskSpec,
)

if TYPE_CHECKING:
    from pytest_stbench.registry import Catalogue, Family, Registry

MAX_LOPO_PATIENTS = 10

S = TypeVar("S", MetricSpec, SplitSpec)


def primary_of(task: TaskSpec, family: Family) -> str:
    """Return the pre-registered metric: of the file, else of the family."""
    return task.primary or family.primary


def metrics_of(task: TaskSpec, family: Family) -> tuple[MetricSpec, ...]:
    """Return the metrics to score: of the file, else of the family; last the primary one if absent."""
    metrics = task.metrics or tuple(MetricSpec(name=name) for name in family.metrics)
    primary = primary_of(task, family)
    if primary not in {metric.name for metric in metrics}:
        metrics = (*metrics, MetricSpec(name=primary))
    return metrics


def baselines_of(task: TaskSpec | None, family: Family) -> tuple[str, ...]:
    """Return the baselines to run: of the file, else of the family.

    The trivial one, ``ridge`` (the simple learned one) and further references that the family
    requires are always among them. Without a `task`: those of the family.
    """
    named = (task.baselines if task else ()) or family.baselines
    return tuple(dict.fromkeys((family.trivial, *family.required, *named, SIMPLE)))


def default_splits(n_patients: int) -> tuple[SplitSpec, ...]:
    """Return the design for `n_patients`: leave one out up to 10 patients, grouped K-fold above."""
    return (SplitSpec(name="lopo" if n_patients <= MAX_LOPO_PATIENTS else "pgkf"),)


def preprocess_of(task: TaskSpec, variant: str | None = None) -> PreprocessSpec:
    """Return the preprocessing of the main setting, or of `variant`: what it changes, else the main one."""
    main = task.preprocess.model_copy(update={"variants": {}})
    if not variant:
        return main
    change = task.preprocess.variants[variant]
    update: dict[str, Any] = {}
    if change.normalise is not None:
        update["normalise"] = change.normalise
    if change.filter is not None:
        update["filter"] = main.filter.model_copy(update=change.filter.model_dump(exclude_unset=True))
    if change.genes is not None:
        update["genes"] = _merge_genes(main.genes, change.genes)
    return main.model_copy(update=update)


def dataset_of(task: TaskSpec, name: str, variant: str = "") -> DatasetSpec:
    """Return a data set as `variant` sees it: with the units that the variant forms, if it does."""
    config = task.datasets[name]
    view = view_of(task, variant)
    return config.model_copy(update={"bin": task.preprocess.variants[view].bin}) if view else config


def view_of(task: TaskSpec, variant: str) -> str:
    """Return `variant` where it forms units of its own, else the empty name of the main setting."""
    return variant if variant and task.preprocess.variants[variant].bin is not None else ""


def resolution_of(config: DatasetSpec) -> str | None:
    """Return the resolution that binning gives the units; None where units are as the source has them."""
    if config.bin is None or config.bin.geometry == "none":
        return None
    return "bin" if config.bin.geometry == "square" else "xisium"


def _merge_genes(main: GenesSpec, change: GenesSpec) -> GenesSpec:
    """Return `main` with what `change` sets; a new selection or list drops the list of `main`."""
    merged = {field: getattr(main, field) for field in GenesSpec.model_fields}
    if change.model_fields_set & {"select", "names", "file"}:
        merged |= {"names": None, "file": None, "provenance": None}
    merged |= {field: getattr(change, field) for field in change.model_fields_set}
    return GenesSpec(**merged)


def with_defaults(task: TaskSpec, registry: Registry) -> TaskSpec:
    """Return `task` with primary, metrics, baselines and all parameters written out.

    The splits stay empty where the file names none: their default depends on the patients.
    Fingerprints of what this returns are equal for a default and for the same value written out.
    """
    family = registry.families[task.family]
    return task.model_copy(
        update={
            "primary": primary_of(task, family),
            "metrics": _filled(metrics_of(task, family), registry.metrics),
            "baselines": baselines_of(task, family),
            "splits": _filled(task.splits, registry.splits),
        }
    )


def _filled(specs: tuple[S, ...], records: Catalogue[Any]) -> tuple[S, ...]:
    return tuple(
        spec.model_copy(update={"params": {**records[spec.name].params, **spec.params}}) for spec in specs
    )
