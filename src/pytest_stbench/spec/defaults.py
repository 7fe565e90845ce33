"""What a task file leaves unsaid, resolved from the registry in this one place."""

from __future__ import annotations

from dataclasses import replace
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
    from pytest_stbench.spec.block import Block

MAX_LOPO_PATIENTS = 10
PARENTS = ("predict_expression", "impute")
IMPUTATION = "imputation"
"""The family as which derived ones are asked where a task file has its settings, else `expression`."""

S = TypeVar("S", MetricSpec, SplitSpec)


def primary_of(task: TaskSpec, family: Family) -> str:
    """Return the pre-registered metric: of the file, else of the family."""
    return task.primary or family.primary


def metrics_of(task: TaskSpec, family: Family) -> tuple[MetricSpec, ...]:
    """Return the metrics to score: of the file, else of the family; last the primary one if absent.

    A constraint of the family is always among them.
    """
    metrics = task.metrics or tuple(MetricSpec(name=name) for name in family.metrics)
    named = {metric.name for metric in metrics}
    always = (primary_of(task, family), *([family.constraint] if family.constraint else []))
    return (*metrics, *(MetricSpec(name=name) for name in always if name not in named))


def baselines_of(task: TaskSpec | None, family: Family) -> tuple[str, ...]:
    """Return the baselines to run: of the file, else of the family.

    The trivial one, ``ridge`` (the simple learned one) and further references that the family
    requires are always among them. Without a `task`: those of the family.
    """
    named = (task.baselines if task else ()) or family.baselines
    return tuple(dict.fromkeys((family.trivial, *family.required, *named, SIMPLE)))


def family_of(task: TaskSpec, registry: Registry) -> Family:
    """Return the family of a task as its settings have it.

    One that wraps another has what is asked and run from that one. Of its own it keeps name, metrics, primary
    and what it does with the answers.
    """
    record = _asked(task, registry.families[task.family])
    wrapped: str | None = getattr(settings_of(task, record), "wraps", None)
    if wrapped is None:
        return record
    inner = _asked(task, registry.families[wrapped])
    own = ("id", "name", "summary", "primary", "metrics", "predicts", "target", "question", "rule", "source")
    return replace(
        inner,
        **{name: getattr(record, name) for name in own},
        wraps=inner,
        baselines=tuple(name for name in inner.baselines if registry.baselines[name].kind == "model"),
        required=(),
        modes={},
        constraint="",
    )


def _asked(task: TaskSpec, record: Family) -> Family:
    """Return the record of a family with what its settings, or those of its parent, change of it."""
    own = settings_of(task, record)
    record = record if own is None else own.asked(record)
    if not record.derived:
        return record
    if task.block(IMPUTATION) is None:
        return replace(record, input_class="image")
    return replace(record, inputs=("image", "counts"), input_class="expression")


def asked_settings(task: TaskSpec, family: Family) -> Block | None:
    """Return the settings of what models are asked: of the wrapped family, where there is one."""
    return settings_of(task, family.wraps or family)


def settings_of(task: TaskSpec, family: Family) -> Block | None:
    """Return the block under the family's name, its defaults where the file has none; None without one."""
    kind = task.kinds.get(family.name)
    block: Block | None = task.block(family.name)
    return kind() if kind is not None and block is None and not kind.needed() else block


def methods_of(task: TaskSpec, family: Family) -> tuple[str, ...]:
    """Return the methods of a model that answer the task, the one that is preferred first."""
    if not family.derived:
        return (*family.instead, family.method)
    parent = PARENTS[task.block(IMPUTATION) is not None]
    return (parent,) if family.method in PARENTS else (family.method, parent)


def shows_itself(task: TaskSpec, family: Family) -> bool:
    """Return whether models are given the expression that their silver truth was made of."""
    settings = asked_settings(task, family)
    return settings is not None and settings.silver and "counts" in family.inputs


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
    family = family_of(task, registry)
    blocks = {part.name: settings_of(task, part) for part in (family, family.wraps) if part is not None}
    return task.model_copy(
        update={
            "primary": primary_of(task, family),
            "metrics": _filled(metrics_of(task, family), registry.metrics),
            "baselines": baselines_of(task, family),
            "splits": _filled(task.splits, registry.splits),
            **{name: block for name, block in blocks.items() if block is not None},
        }
    )


def _filled(specs: tuple[S, ...], records: Catalogue[Any]) -> tuple[S, ...]:
    return tuple(
        spec.model_copy(update={"params": {**records[spec.name].params, **spec.params}}) for spec in specs
    )


MIN_UNIT: dict[str, tuple[int, int]] = {
    "spot": (200, 100),
    "xisium": (50, 0),
    "bin": (10, 5),
    "cell": (10, 5),
    "transcript": (10, 5),
}
"""(fewest counts, fewest detected genes). Bins are as small as cells; transcripts are judged as cells."""
