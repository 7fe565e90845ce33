"""What makes two runs comparable: a digest of exactly what changes the numbers.

Titles, claims, gates, checks, baselines, expected failures, time limits, the model, the order of
keys and the layout of fragments are not part of it. The contents of data files are not either:
they have checksums of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.spec.defaults import IMPUTATION, dataset_of, preprocess_of
from pytest_stbench.spec.paths import path_fields

if TYPE_CHECKING:
    from pytest_stbench.spec.model import DatasetSpec, PreprocessSpec, TaskSpec

IGNORED_DATASET = frozenset({"get", "sha256"})
KEYS_OF_OTHERS = frozenset({"gene", "x", "y"})
"""Keys that are part of the fingerprint where they are written: what is read without them is the same."""

KEYS_OF_IMAGE = frozenset({"alignment", "reader", "damaged_tiles"})
"""Those of images."""

IGNORED_LABELS = frozenset({"leave_out"})
IGNORED_GENES = frozenset({"provenance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A digest, and the digests of its named parts (``dataset.her2st``, ``metrics.rmse`` ...)."""

    digest: str
    parts: Mapping[str, str]


def fingerprint(task: TaskSpec, files: Mapping[str, str] | None = None) -> Fingerprint:
    """Return the fingerprint of `task`.

    `files` gives the sha256 of each gene list that the task names (:func:`gene_files`) and of the reference,
    since a changed list changes the numbers. For defaults and written-out values to be equal, give it
    what :func:`pytest_stbench.spec.defaults.with_defaults` returns.
    """
    parts: dict[str, Any] = {"name": task.name, "family": task.family, "version": task.version}
    parts["seeds"] = sorted(task.seeds)
    parts |= {f"dataset.{name}": _dataset(dataset) for name, dataset in task.datasets.items()}
    parts |= {f"splits.{split.name}": split.params for split in task.splits}
    parts |= {f"metrics.{metric.name}": metric.params for metric in task.metrics}
    parts |= {f"preprocess.{key}": value for key, value in _preprocess(preprocess_of(task)).items()}
    parts |= {f"variant.{name}": _variant(task, name) for name in task.preprocess.variants}
    parts |= {**_blocks(task), **_reference(task)}
    parts |= {f"file.{path}": digest for path, digest in (files or {}).items()}
    return _fingerprint(parts)


def prediction_parts(task: TaskSpec, dataset: str, variant: str | None = None) -> dict[str, str]:
    """Return the digests of what `task` says that changes the predictions for one data set and variant.

    Metrics are not among them, nor splits and seeds: the slides of the fold, the genes and the
    seed belong in the key of a prediction beside these parts.
    """
    parts = {
        "name": task.name,
        "family": task.family,
        "version": task.version,
        "dataset": {"name": dataset, **_dataset(dataset_of(task, dataset, variant or ""))},
        "preprocess": _preprocess(preprocess_of(task, variant)),
        **_blocks(task),
        **_reference(task),
    }
    return dict(_fingerprint(parts).parts)


def gene_files(task: TaskSpec) -> tuple[str, ...]:
    """Return the paths of the lists of genes and of what families read, each once, as written."""
    found = [path for key, path in path_fields(task) if key[0] not in ("datasets", "reference")]
    return tuple(sorted(set(found)))


def differences(one: Fingerprint, other: Fingerprint) -> tuple[str, ...]:
    """Return the names of the parts that differ or that only one of the two has, sorted."""
    names = {*one.parts, *other.parts}
    return tuple(sorted(name for name in names if one.parts.get(name) != other.parts.get(name)))


def canonical(value: Any) -> str:
    """Return `value` as JSON that is the same for equal values: sorted keys, 50.0 as 50."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _fingerprint(parts: Mapping[str, Any]) -> Fingerprint:
    digests = {name: _sha256(canonical(part)) for name, part in sorted(parts.items())}
    return Fingerprint(digest=_sha256(canonical(digests)), parts=digests)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _dataset(dataset: DatasetSpec) -> dict[str, Any]:
    unwritten = {key for key in KEYS_OF_OTHERS if getattr(dataset.keys, key) is None}
    ignored: dict[str, Any] = {
        **dict.fromkeys(IGNORED_DATASET, True), "labels": set(IGNORED_LABELS), "keys": unwritten,
    }  # fmt: skip
    if dataset.image is not None:
        ignored["image"] = {key for key in KEYS_OF_IMAGE if getattr(dataset.image, key) is None}
    return dataset.model_dump(exclude=ignored)


def _preprocess(preprocess: PreprocessSpec) -> dict[str, Any]:
    return preprocess.model_dump(exclude={"variants": True, "genes": set(IGNORED_GENES)})


def _variant(task: TaskSpec, name: str) -> dict[str, Any]:
    units = task.preprocess.variants[name].bin
    return {**_preprocess(preprocess_of(task, name)), "bin": None if units is None else units.model_dump()}


def _reference(task: TaskSpec) -> dict[str, Any]:
    """Return what the file says of a reference; nothing where it has none."""
    return {} if task.reference is None else {"reference": task.reference.fingerprinted()}


def _blocks(task: TaskSpec) -> dict[str, Any]:
    """Return the settings of families that the file has, by name; of imputation also that it has none."""
    return {IMPUTATION: None, **{name: block.fingerprinted() for name, block in task.blocks.items()}}
