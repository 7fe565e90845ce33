from __future__ import annotations

import pytest

from pytest_stbench.spec.defaults import (
    baselines_of,
    default_splits,
    metrics_of,
    preprocess_of,
    primary_of,
    with_defaults,
)
from pytest_stbench.spec.model import TaskSpec


def _task(family="imputation", **more):
    return TaskSpec(
        stbench=1, name="a", version=1, family=family, datasets={"d": {"source": "simulated"}}, **more
    )


def _names(metrics):
    return [metric.name for metric in metrics]


def test_metrics_of_the_family_stand_in_for_none(registry):
    assert _names(metrics_of(_task(), registry.families["imputation"])) == ["spearman_gene", "rmse"]


def test_the_primary_metric_is_added_last(registry):
    task = _task(metrics=({"name": "rmse"}, {"name": "niche_jaccard", "params": {"n": 5}}))

    found = metrics_of(task, registry.families["imputation"])

    assert _names(found) == ["rmse", "niche_jaccard", "spearman_gene"]
    assert found[:2] == task.metrics
    assert primary_of(task, registry.families["imputation"]) == "spearman_gene"


def test_the_primary_metric_of_the_file_wins(registry):
    task = _task(primary="rmse", metrics=({"name": "rmse"},))

    assert _names(metrics_of(task, registry.families["imputation"])) == ["rmse"]


@pytest.mark.parametrize(
    ("family", "listed", "found"),
    [
        ("imputation", (), ("train_mean", "coords", "ridge")),
        ("imputation", ("libsize",), ("train_mean", "libsize", "ridge")),
        ("imputation", ("ridge", "train_mean"), ("train_mean", "ridge")),
        ("expression", ("coords",), ("train_mean", "libsize", "coords", "ridge")),
    ],
)
def test_trivial_simple_and_required_baselines_always_run(registry, family, listed, found):
    assert baselines_of(_task(family, baselines=listed), registry.families[family]) == found


@pytest.mark.parametrize(("patients", "name"), [(2, "lopo"), (10, "lopo"), (11, "pgkf"), (500, "pgkf")])
def test_the_default_split_depends_on_the_patients(patients, name):
    assert _names(default_splits(patients)) == [name]


def test_a_variant_changes_what_it_says_and_nothing_else():
    task = _task(
        preprocess={
            "filter": {"min_counts": 7, "min_genes": 8},
            "normalise": "log1p_cp10k",
            "genes": {"select": "list", "names": ["A"], "min_detection": 0.2, "n": 9, "provenance": "p"},
            "variants": {
                "raw": {"normalise": "log1p"},
                "more": {"filter": {"min_counts": 14}},
                "hvg": {"genes": {"select": "hvg"}},
                "long": {"genes": {"n": 99}},
                "nofilter": {"filter": {"min_counts": None}},
            },
        }
    )

    main = preprocess_of(task)
    found = {name: preprocess_of(task, name) for name in task.preprocess.variants}

    assert main == preprocess_of(task, "") == task.preprocess.model_copy(update={"variants": {}})
    assert found["raw"] == main.model_copy(update={"normalise": "log1p"})
    assert (found["more"].filter.min_counts, found["more"].filter.min_genes) == (14, 8)
    assert (found["nofilter"].filter.min_counts, found["nofilter"].filter.min_genes) == (None, 8)
    assert found["hvg"].genes.model_dump() == {
        "select": "hvg",
        "n": 9,
        "min_detection": 0.2,
        "names": None,
        "file": None,
        "provenance": None,
    }
    assert found["long"].genes == main.genes.model_copy(update={"n": 99})


def test_with_defaults_writes_everything_out_and_is_stable(registry):
    task = _task(metrics=({"name": "niche_jaccard"},), splits=({"name": "pgkf", "params": {"k": 3}},))

    full = with_defaults(task, registry)

    assert full.primary == "spearman_gene"
    assert full.metrics[0].params == {"n": 50}
    assert full.splits[0].params == {"k": 3, "seed": 0}
    assert full.baselines == ("train_mean", "coords", "ridge")
    assert with_defaults(full, registry) == full
