"""Rules on the design: name and family, data sets, splits, seeds, preprocessing, settings of families."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_stbench.registry import nearest
from pytest_stbench.spec.defaults import IMPUTATION, settings_of
from pytest_stbench.spec.messages import allowed, shown, unknown
from pytest_stbench.spec.paths import path_fields, path_mistake
from pytest_stbench.spec.rules.common import (
    Known,
    Mistakes,
    Rule,
    is_identifier,
    listed_twice,
    names_or_file,
    parameters,
    repeated,
)

if TYPE_CHECKING:
    from pytest_stbench.spec.model import BinSpec, DatasetSpec, GenesSpec, TaskSpec
    from pytest_stbench.spec.yaml_lines import Key

ID_PATTERN = re.compile(r"[A-Za-z0-9_.]+")
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

ALIGNED = ("xenium", "merscope", "spatialdata")
"""Sources whose images a matrix may place."""

SILENT = (".jpg", ".jpeg", ".png")
"""How images end that do not say the size of their pixels; others may."""


def _header(task: TaskSpec, known: Known) -> Mistakes:
    if not NAME_PATTERN.fullmatch(task.name):
        yield ("name",), f"found {shown(task.name)}; allowed: letters, digits, '_', '.', '-'"
    if task.family not in known.registry.families:
        yield ("family",), unknown("family", task.family, known.registry.families.names)
    if task.model is not None and not is_identifier(task.model):
        message = (
            "expected the name of a fixture: a task file can never name code (--stbench-model=import:... can)"
        )
        yield ("model",), f"found {shown(task.model)}; {message}"
    for index, mark in enumerate(task.marks):
        if not is_identifier(mark):
            yield ("marks", index), f"found {shown(mark)}; expected the name of a pytest marker, such as slow"


def _datasets(task: TaskSpec, known: Known) -> Mistakes:
    readers = known.registry.readers
    for name, dataset in task.datasets.items():
        key: Key = ("datasets", name)
        yield from _id_name(key, name)
        if dataset.source not in readers:
            yield (*key, "source"), unknown("reader", dataset.source, readers.names)
        elif readers[dataset.source].needs_path and dataset.path is None and not known.lacks(*key, "path"):
            yield (*key, "path"), f"is missing: source {dataset.source!r} reads files"
        elif (settings := readers[dataset.source].settings) is not None:
            for param in dataset.params:
                if param not in settings:
                    match = f"{nearest(param, settings)}; {allowed(settings, param)}"
                    yield (*key, "params", param), f"source {dataset.source!r} has no such setting{match}"
        if dataset.bin is not None:
            yield from _bin((*key, "bin"), dataset.bin, known)
        halved = (dataset.keys.x is None) != (dataset.keys.y is None)
        if halved and not known.gone(*key, "keys", "x") and not known.gone(*key, "keys", "y"):
            written, other = ("x", "y") if dataset.keys.y is None else ("y", "x")
            yield (*key, "keys", written), f"`keys.{other}` is missing: a place has an x and a y"
        if dataset.image is not None:
            yield from _image((*key, "image"), dataset, known)
        if dataset.labels is not None:
            yield from _labels((*key, "labels"), dataset, known)
        for index, slide in repeated(dataset.slides or ()):
            yield (*key, "slides", index), f"slide {slide!r} is listed twice"


def _image(key: Key, dataset: DatasetSpec, known: Known) -> Mistakes:
    image = dataset.image
    assert image is not None  # the caller looked
    if known.gone(*key, "um_per_px") or known.gone(*key, "alignment"):
        return
    silent = known.gone(*key, "path") or image.path.lower().endswith(SILENT)
    if image.um_per_px is None and image.alignment is None and silent:
        also = ", or the matrix that places it: `alignment`" if dataset.source in ALIGNED else ""
        yield (*key, "um_per_px"), f"is missing: the um per pixel of the image{also}"
    elif image.um_per_px is not None and image.alignment is not None:
        yield (*key, "um_per_px"), "follows from the matrix of `alignment`: keep one of the two"
    elif image.alignment is not None and dataset.source not in ALIGNED:
        message = f"is read by {', '.join(ALIGNED)}, not by {dataset.source!r}: write `um_per_px`"
        yield (*key, "alignment"), message


def _labels(key: Key, dataset: DatasetSpec, known: Known) -> Mistakes:
    labels = dataset.labels
    assert labels is not None  # the caller looked
    unread = any(known.gone(*key, label) for label in ("niche", "cell_type"))
    if labels.niche is None and labels.cell_type is None and not unread:
        yield key, "neither `niche` nor `cell_type` is named: name the column of the table with the labels"
    for label in ("niche", "cell_type"):
        if getattr(labels, label) is not None and getattr(dataset.keys, label) is not None:
            yield (*key, label), f"`keys.{label}` names a column of the data: keep one of the two"
    folder, _, name = labels.path.rpartition("/")
    if "{slide}" in folder or name.count("{slide}") > 1:
        yield (*key, "path"), "`{slide}` stands once, in the name of the file: 'labels/{slide}.csv'"
    elif "{slide}" in name and any(sign in name for sign in "*?["):
        yield (*key, "path"), "beside `{slide}` the name of the file has no `*`, `?` or `[`"


def _bin(key: Key, units: BinSpec, known: Known) -> Mistakes:
    if known.gone(*key, "geometry"):
        return
    if units.geometry == "square" and units.size_um is None and not known.gone(*key, "size_um"):
        yield (*key, "size_um"), "is missing: give the side of square bins in um, such as 8, 16 or 100"
    elif units.geometry != "square" and units.size_um is not None:
        yield (*key, "size_um"), f"belongs to square bins; the size of {units.geometry!r} units is fixed"


def _id_name(key: Key, name: str) -> Mistakes:
    if not ID_PATTERN.fullmatch(name):
        fix = re.sub(r"[^A-Za-z0-9_.]+", "_", name)
        advice = f"; write {fix!r}" if fix.strip("_") else ""
        yield key, f"the name {name!r} stands in test ids; allowed: letters, digits, '_', '.'{advice}"


def _paths(task: TaskSpec, _known: Known) -> Mistakes:
    for key, path in path_fields(task):
        if mistake := path_mistake(path):
            yield key, mistake


def _splits(task: TaskSpec, known: Known) -> Mistakes:
    splits = known.registry.splits
    for index, split in enumerate(task.splits):
        key: Key = ("splits", index)
        if split.name and split.name not in splits:
            yield key, unknown("split", split.name, splits.names)
        elif split.name:
            yield from parameters(key, split.params, splits[split.name].params, f"split {split.name!r}")
    yield from listed_twice("splits", [split.name for split in task.splits])


def _seeds(task: TaskSpec, known: Known) -> Mistakes:
    if not task.seeds and not known.lacks("seeds"):
        yield ("seeds",), "is empty: give at least one seed, or leave the key out for [0]"
    for index, seed in repeated(task.seeds):
        yield ("seeds", index), f"seed {seed} is listed twice: each seed is one run"


def _preprocess(task: TaskSpec, known: Known) -> Mistakes:
    yield from _genes(("preprocess", "genes"), task.preprocess.genes, known)
    for name, variant in task.preprocess.variants.items():
        key: Key = ("preprocess", "variants", name)
        yield from _id_name(key, name)
        if not variant.model_fields_set and not known.lacks(*key):
            yield key, "changes nothing: give filter, normalise, genes or bin"
        if variant.bin is not None:
            yield from _bin((*key, "bin"), variant.bin, known)
        if variant.genes is not None:
            yield from _genes((*key, "genes"), variant.genes, known)


def _genes(key: Key, genes: GenesSpec, known: Known) -> Mistakes:
    if known.gone(*key, "select"):
        return
    if genes.select == "list":
        yield from names_or_file(key, genes, known)
    elif "select" in genes.model_fields_set or key == ("preprocess", "genes"):
        for field in ("names", "file", "provenance"):
            if getattr(genes, field) is not None:
                yield (*key, field), f"is read only with `select: list`, not with {genes.select!r}"


def _settings(task: TaskSpec, known: Known) -> Mistakes:
    family = known.family_of(task)
    if family is None:
        return
    used = {family.name, family.serves, *([IMPUTATION] if family.derived and task.block(IMPUTATION) else [])}
    for name in task.kinds:
        block = task.block(name)
        if name not in used and block is not None:
            yield (name,), f"holds settings of the family {name}; this task is of {task.family!r}"
        elif name in used and not known.gone(name):
            block = settings_of(task, known.registry.families[name])
            if block is None:
                yield (name,), f"is missing: {task.kinds[name].needed()}"
            else:
                yield from (((name, *key), message) for key, message in block.mistakes(known.below(name)))


DESIGN_RULES: tuple[Rule, ...] = (
    _header, _datasets, _paths, _splits, _seeds, _preprocess, _settings,
)  # fmt: skip
