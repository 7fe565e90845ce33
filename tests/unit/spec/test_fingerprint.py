from __future__ import annotations

import copy
import random

import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.families.imputation import declare
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec import model
from pytest_stbench.spec.block import Block
from pytest_stbench.spec.defaults import with_defaults
from pytest_stbench.spec.fingerprint import (
    _dataset,
    canonical,
    differences,
    fingerprint,
    gene_files,
    prediction_parts,
)
from pytest_stbench.spec.reference import ReferenceSpec
from pytest_stbench.spec.task_model import task_model
from pytest_stbench.spec.validate import load_task

TaskSpec = task_model(builtin_registry())
BLOCKS = {name: kind for name, kind in TaskSpec.kinds.items() if name != "imputation"}
TASK = {
    "stbench": 1,
    "name": "a",
    "version": 1,
    "family": "imputation",
    "title": "t",
    "claim": "population",
    "scope": ["generalises"],
    "datasets": {
        "one": {
            "source": "h5ad",
            "path": "a/*.h5ad",
            "samples": "s.csv",
            "slides": ["x"],
            "sha256": "SUMS",
            "get": "ask",
            "keys": {
                "patient": "p",
                "slide": "s",
                "site": "c",
                "niche": "n",
                "cell_type": "t",
                "proportions": "o",
                "spatial": "xy",
                "x": "x",
                "y": "y",
                "gene": "g",
                "array_row": "r",
                "array_col": "k",
                "counts": "X",
                "embedding": "e",
                "disease": "d",
            },
            "scale": {"um_per_px": 0.5},
            "pitch_um": 100.0,
            "image": {
                "path": "i.jpg",
                "um_per_px": 0.5,
                "alignment": "m.csv",
                "spatial": "xy",
                "mpp": 0.5,
                "reader": "pillow",
                "damaged_tiles": "white",
            },
            "labels": {
                "path": "l/{slide}.csv",
                "unit": "u",
                "niche": None,
                "cell_type": "t",
                "leave_out": ["J1"],
            },
            "technology": "ST",
            "resolution": "spot",
            "panel": "p",
            "corpus": "c",
            "site": "s",
            "organ": "o",
            "disease": "d",
            "preservation": "f",
            "bin": {
                "geometry": "square",
                "size_um": 16.0,
                "origin_um": [0.0, 0.0],
                "min_qv": 20.0,
                "min_tissue": 0.5,
            },
            "absent_gene": "zero",
            "panels": "together",
            "aliases": True,
            "allow_nan": False,
            "params": {"a": 1},
        },
        "two": {"source": "simulated"},
    },
    "reference": {
        "source": "h5ad",
        "path": "atlas.h5ad",
        "labels": "kind",
        "patient": "donor",
        "gene": "symbol",
        "counts": "X",
        "cells": 5,
        "corpus": "c",
    },
    "splits": [{"name": "lopo", "params": {}}, {"name": "pgkf", "params": {"k": 4}}],
    "seeds": [0, 1],
    "preprocess": {
        "filter": {"min_counts": 1, "min_genes": 2},
        "normalise": "log1p",
        "genes": {
            "select": "list",
            "n": 5,
            "min_detection": 0.1,
            "names": ["A"],
            "file": "g.csv",
            "provenance": "p",
        },
        "variants": {
            "raw": {
                "filter": {"min_counts": 3},
                "normalise": "log1p",
                "genes": {"n": 7},
                "bin": {"geometry": "visium"},
            }
        },
    },
    "imputation": {"observed": {"names": ["B"], "file": "o.csv"}, "hide": {"folds": 5, "fold": 1}},
    "primary": "rmse",
    "metrics": [{"name": "rmse", "params": {}}, {"name": "niche_jaccard", "params": {"n": 5}}],
    "baselines": ["coords"],
    "checks": {
        "c": {"params": {"x": 1}, "waive": False, "reason": "r", "owner": "o", "until": "2030-01-01"},
    },
    "gates": {
        "rmse": {
            "beats": {"baselines": ["ridge"], "margin": 0.1},
            "not_worse_than": {"margin": 0.1},
            "min": 0.1,
            "min_lower": 0.1,
            "min_patient": 0.1,
            "max": 0.9,
        }
    },
    "xfail": {"rmse": "r"},
    "timeout": 5.0,
    "model": "m",
    "marks": ["slow"],
}

D, P, V = "datasets.one", "preprocess", "preprocess.variants.raw"
# Every field of the model, with the parts of the fingerprint that a change of it changes.
CLASSIFIED = {
    "name": {"name"},
    "version": {"version"},
    "family": {"family"},
    "stbench": set(),
    "title": set(),
    "claim": set(),
    "scope": set(),
    "primary": set(),
    "baselines": set(),
    "checks": set(),
    "gates": set(),
    "xfail": set(),
    "timeout": set(),
    "model": set(),
    "marks": set(),
    "seeds": {"seeds"},
    "splits.1.name": {"splits.pgkf", "splits.other"},
    "splits.1.params": {"splits.pgkf"},
    "metrics.1.name": {"metrics.niche_jaccard", "metrics.other"},
    "metrics.1.params": {"metrics.niche_jaccard"},
    f"{D}.get": set(),
    f"{D}.sha256": set(),
    **{
        f"{D}.{field}": {"dataset.one"}
        for field in model.DatasetSpec.model_fields
        if field not in {"get", "sha256", "keys", "scale", "image", "labels", "bin"}
    },
    **{f"{D}.labels.{field}": {"dataset.one"} for field in ("path", "unit", "niche", "cell_type")},
    f"{D}.labels.leave_out": set(),
    **{f"{D}.bin.{field}": {"dataset.one"} for field in model.BinSpec.model_fields},
    **{f"{D}.keys.{field}": {"dataset.one"} for field in model.KeysSpec.model_fields},
    **{f"{D}.scale.{field}": {"dataset.one"} for field in model.ScaleSpec.model_fields},
    **{f"{D}.image.{field}": {"dataset.one"} for field in model.ImageSpec.model_fields},
    "reference.path": set(),  # its content counts, as that of data
    **{
        f"reference.{field}": {"reference"}
        for field in ReferenceSpec.model_fields
        if field not in {"source", "path"}
    },
    f"{P}.filter.min_counts": {"preprocess.filter"},  # the variant sets its own
    f"{P}.filter.min_genes": {"preprocess.filter", "variant.raw"},
    f"{P}.normalise": {"preprocess.normalise"},
    f"{P}.genes.n": {"preprocess.genes"},
    f"{P}.genes.provenance": set(),
    **{
        f"{P}.genes.{field}": {"preprocess.genes", "variant.raw"}
        for field in ("select", "min_detection", "names", "file")
    },
    f"{V}.filter.min_counts": {"variant.raw"},
    f"{V}.filter.min_genes": {"variant.raw"},
    f"{V}.normalise": {"variant.raw"},
    f"{V}.genes.n": {"variant.raw"},
    f"{V}.bin.geometry": {"variant.raw"},
    **{f"imputation.observed.{field}": {"imputation"} for field in model.GeneListSpec.model_fields},
    **{f"imputation.hide.{field}": {"imputation"} for field in declare.HideSpec.model_fields},
}
# Parts whose whole content is left out above (checks, gates), or whose fields stand under a parent.
WHOLE = {model.CheckSpec, model.BeatsSpec, model.NotWorseSpec, model.GateSpec, ReferenceSpec}
CHOICES = {
    "claim": "exploratory",
    "scope": ["pan-cancer"],
    "select": "svg",
    "normalise": "pearson_residuals",
    "resolution": "cell",
    "absent_gene": "intersect",
    "geometry": "tiled",
    "panels": "separate",
    "reader": "tiff",
    "damaged_tiles": None,
}


def _find(tree, path):
    for key in path:
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


def _changed(path):
    """Return the task with another value of the same kind at `path`, or with the key removed."""
    data = copy.deepcopy(TASK)
    *parents, last = path.split(".")
    owner = _find(data, parents)
    old = owner.get(last)
    if last in CHOICES:
        owner[last] = CHOICES[last]
    elif last in ("checks", "gates", "xfail"):
        del owner[last]
    elif isinstance(old, bool):
        owner[last] = not old
    elif old is None:
        owner[last] = "77" if "labels" in path else 77
    elif isinstance(old, int):
        owner[last] = old + 1
    elif isinstance(old, float):
        owner[last] = old / 2
    elif isinstance(old, str):
        owner[last] = "other"
    elif isinstance(old, dict):
        owner[last] = {**old, "other": 1}
    elif isinstance(old, list):
        owner[last] = {"seeds": [9], "origin_um": [1.0, 2.0]}.get(last, ["other"])
    return data


@pytest.mark.parametrize("path", [path for path in CLASSIFIED if path != "stbench"])
def test_each_field_changes_exactly_the_parts_it_should(path):
    changed = TaskSpec(**_changed(path))
    before, after = fingerprint(TaskSpec(**TASK)), fingerprint(changed)

    assert changed != TaskSpec(**TASK)
    assert set(differences(before, after)) == CLASSIFIED[path]
    assert (before.digest == after.digest) == (not CLASSIFIED[path])


@pytest.mark.parametrize("keys", [("gene",), ("x", "y"), ("gene", "x", "y")])
def test_keys_that_are_not_written_are_no_part(keys):
    """Results of before there were such keys stay comparable."""
    data = copy.deepcopy(TASK)
    for key in keys:
        del data["datasets"]["one"]["keys"][key]
    written = dict.fromkeys(keys, "v")
    without, null = TaskSpec(**data), copy.deepcopy(data)
    null["datasets"]["one"]["keys"] |= dict.fromkeys(keys)
    assert not set(keys) & _dataset(without.datasets["one"])["keys"].keys()
    assert fingerprint(without) == fingerprint(TaskSpec(**null))
    data["datasets"]["one"]["keys"] |= written
    assert differences(fingerprint(without), fingerprint(TaskSpec(**data))) == ("dataset.one",)


def test_a_matrix_and_a_reader_that_are_not_written_are_no_part():
    image = {"path": "i.jpg", "um_per_px": 0.5}
    config = model.DatasetSpec(source="h5ad", image=image)
    assert _dataset(config)["image"] == {**image, "spatial": "spatial", "mpp": None}


def test_every_field_of_the_model_is_classified():
    places = {
        TaskSpec: "",
        model.DatasetSpec: D,
        model.KeysSpec: f"{D}.keys",
        model.ScaleSpec: f"{D}.scale",
        model.ImageSpec: f"{D}.image",
        model.LabelsSpec: f"{D}.labels",
        model.BinSpec: f"{D}.bin",
        model.SplitSpec: "splits.1",
        model.MetricSpec: "metrics.1",
        model.PreprocessSpec: P,
        model.FilterSpec: f"{P}.filter",
        model.GenesSpec: f"{P}.genes",
        model.VariantSpec: V,
        declare.Imputation: "imputation",
        model.GeneListSpec: "imputation.observed",
        declare.HideSpec: "imputation.hide",
    }
    parts = {
        kind
        for kind in (*vars(model).values(), *vars(declare).values())
        if isinstance(kind, type) and issubclass(kind, model.Part)
    } - {model.Part, model.TaskSpec, Block}
    assert parts | {TaskSpec} == places.keys() | WHOLE

    for part, place in places.items():
        for field in part.model_fields:
            path = f"{place}.{field}".removeprefix(".")
            found = any(key == path or key.startswith(f"{path}.") for key in CLASSIFIED)
            assert found or path in BLOCKS, path


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
@pytest.mark.parametrize("family", BLOCKS)
def test_the_settings_of_a_family_are_a_part(family):
    task = TaskSpec(**TASK)
    default = task.model_copy(update={family: BLOCKS[family]()})
    assert differences(fingerprint(task), fingerprint(default)) == (family,)
    for field in BLOCKS[family].model_fields:
        changed = getattr(default, family).model_copy(update={field: "other"})
        other = task.model_copy(update={family: changed})
        assert differences(fingerprint(default), fingerprint(other)) == (family,), field
        assert prediction_parts(default, "one") != prediction_parts(other, "one"), field


def test_removed_parts_are_told():
    data = copy.deepcopy(TASK)
    del data["datasets"]["two"], data["preprocess"]["variants"], data["splits"][0]

    found = differences(fingerprint(TaskSpec(**TASK)), fingerprint(TaskSpec(**data)))

    assert found == ("dataset.two", "splits.lopo", "variant.raw")


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_the_order_of_keys_metrics_and_seeds_does_not_matter(seed):
    rng = random.Random(seed)

    def shuffled(value):
        if isinstance(value, dict):
            keys = list(value)
            rng.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return value

    data = shuffled(TASK)
    for field in ("metrics", "splits", "seeds"):
        data[field] = rng.sample(data[field], len(data[field]))

    assert fingerprint(TaskSpec(**data)) == fingerprint(TaskSpec(**TASK))


def test_the_layout_of_fragments_and_short_forms_do_not_matter(write, registry):
    whole = write(
        "stbench: 1\nname: a\nversion: 1\nfamily: expression\ndatasets: {d: {source: simulated}}\n"
        "metrics: [{name: rmse, params: {}}]\npreprocess: {genes: {select: hvg, n: 50}}\n",
        "whole.stbench.yaml",
    )
    write(
        "stbench: 1\nfamily: expression\npreprocess: {genes: hvg}\ndatasets: {d: {source: simulated}}\n",
        "b.stbench-inc.yaml",
    )
    split = write(
        "extends: b.stbench-inc.yaml\nversion: 1\nname: a\nmetrics: rmse\npreprocess: {genes: {n: 5e1}}\n",
        "split.stbench.yaml",
    )

    one, two = load_task(whole, registry).spec, load_task(split, registry).spec

    assert fingerprint(one) == fingerprint(two)


def test_defaults_written_out_are_the_same_as_defaults(registry):
    short = TaskSpec(**{**TASK, "metrics": [{"name": "niche_jaccard"}], "primary": None})
    long = TaskSpec(
        **{
            **TASK,
            "metrics": [{"name": "niche_jaccard", "params": {"n": 50.0}}, {"name": "spearman_gene"}],
            "primary": "spearman_gene",
        }
    )

    assert fingerprint(with_defaults(short, registry)) == fingerprint(with_defaults(long, registry))


def test_a_changed_gene_list_changes_the_fingerprint():
    task = TaskSpec(**TASK)
    assert gene_files(task) == ("g.csv", "o.csv")

    one = fingerprint(task, {"g.csv": "1", "o.csv": "2"})
    two = fingerprint(task, {"g.csv": "1", "o.csv": "3"})

    assert differences(one, two) == ("file.o.csv",)


def test_prediction_parts_hold_what_predictions_depend_on_and_no_metric():
    task = TaskSpec(**TASK)

    def differing(data, variant=""):
        one, two = prediction_parts(task, "one", variant), prediction_parts(TaskSpec(**data), "one", variant)
        return {name for name in one if one[name] != two[name]}

    for path in ("metrics.1.params", "splits.1.params", "seeds", "gates", "title", f"{D}.get"):
        assert differing(_changed(path)) == set()
    assert differing(_changed(f"{D}.scale.um_per_px")) == {"dataset"}
    assert differing(_changed(f"{V}.genes.n")) == set()
    assert differing(_changed(f"{V}.genes.n"), "raw") == {"preprocess"}
    assert differing(_changed("imputation.hide.fold")) == {"imputation"}
    assert differing(_changed("version")) == {"version"}
    assert prediction_parts(task, "one")["dataset"] != prediction_parts(task, "two")["dataset"]


def test_canonical_json_is_the_same_for_equal_values():
    assert canonical({"b": 50.0, "a": (1, 2)}) == canonical({"a": [1, 2], "b": 50}) == '{"a":[1,2],"b":50}'
    assert canonical(True) != canonical(1)
    assert canonical(float("inf")) == "Infinity"


@pytest.mark.parametrize(
    ("pairs", "files"), [("builtin", ()), ("liana", ()), ("own/pairs.csv", ("own/pairs.csv",))]
)
def test_a_table_of_pairs_is_a_file_of_the_task(pairs, files):
    data = {key: value for key, value in TASK.items() if key != "imputation"}
    task = TaskSpec(**{**data, "family": "communication", "communication": {"pairs": pairs}})
    assert set(gene_files(task)) - {"g.csv"} == set(files)


def test_the_content_of_a_reference_is_part_where_it_is_known():
    task = TaskSpec(**TASK)
    assert "atlas.h5ad" not in gene_files(task)
    one, two = (fingerprint(task, {"reference": digest}) for digest in "12")
    assert differences(one, two) == ("file.reference",)
    without = fingerprint(task.model_copy(update={"reference": None}))
    assert differences(fingerprint(task), without) == ("reference",)
    assert "reference" in prediction_parts(task, "one")
