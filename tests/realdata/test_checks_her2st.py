"""What checks of evaluated genes say of her2st: the expectations that their thresholds rest on."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.calls.predicting import Predictor
from pytest_stbench.checks.panel_joined import joined_with_zeros
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.run.runner import no_progress
from pytest_stbench.run.task_run import TaskRun
from pytest_stbench.spec.defaults import metrics_of
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.spec.validate import load_task
from pytest_stbench.store.store import Store

FRAGMENT = "_her2st.stbench-inc.yaml"
REGISTRY = builtin_registry()
TASK = """\
stbench: 1
name: checked
version: 1
family: expression
extends: {fragment}
splits: [lopo]
preprocess: {preprocess}
metrics: {metrics}
"""
CLEAN = (
    "controls_in_matrix",
    "slide_leakage",
    "task_gene_coverage",
    "housekeeping_only_panel",
    "gene_sparsity",
    "ubiquitous_low_variability",
    "hvg_not_svg",
    "no_spatial_signal",
)


@pytest.fixture(scope="module")
def check(data, tmp_path_factory):
    """Return a function that runs a check on all sections, with changes of preprocessing and metrics."""
    opened = OpenDataset(Store(tmp_path_factory.mktemp("store")))
    runs = {}

    def run(name, preprocess="{}", metrics="[pearson_gene, partial_pearson_gene]"):
        key = preprocess, metrics
        if key not in runs:
            folder = tmp_path_factory.mktemp("task")
            path = folder / "checked.stbench.yaml"
            shutil.copy(tasks_dir() / FRAGMENT, folder)
            path.write_text(TASK.format(fragment=FRAGMENT, preprocess=preprocess, metrics=metrics))
            task = load_task(path, REGISTRY)
            grid = make_grid(task, lambda n, config: load_samples(config, n, [data]), REGISTRY.splits)
            chosen = metrics_of(task.spec, REGISTRY.families[task.spec.family])
            predictor = Predictor(Store(folder, run_id="test"), retry=False, progress=no_progress)
            runs[key] = TaskRun(
                task, grid, chosen, REGISTRY, roots=(data,), opened=opened, predictor=predictor
            )
        record = REGISTRY.checks[name]
        return runs[key].checking.run(record, "" if record.scope == "task" else "her2st")

    return run


@pytest.mark.parametrize("name", CLEAN)
def test_the_default_genes_pass(check, name):
    result = check(name)
    assert result.status == "pass", result.message


def test_every_section_has_a_pattern_and_the_poorest_lies_near_the_bound(check):
    shares = check("no_spatial_signal").details["patterned"]
    assert len(shares) == 30
    assert 0.12 <= min(shares.values()) <= 0.18
    assert 0.5 <= max(shares.values()) <= 0.75


def test_few_default_genes_are_flat_or_rare(check):
    assert check("ubiquitous_low_variability").statistic <= 0.1
    assert check("gene_sparsity").statistic <= 0.06


def test_variable_genes_without_a_detection_filter_are_sparse(check):
    genes = "{genes: {select: hvg, n: 50, min_detection: 0.0}}"
    sparsity = check("gene_sparsity", genes)
    assert sparsity.status in ("warn", "fail")
    assert sparsity.statistic >= 0.25
    overlap = check("hvg_not_svg", genes).details["overlap"]
    assert 0.2 <= min(overlap.values()) <= 0.6


def test_normalised_values_warn_of_depth_and_raw_ones_fail(check):
    normalised = check("library_size_confounding")
    assert normalised.status == "warn"
    medians = normalised.details["median"].values()
    assert 0.35 <= max(medians) < 0.5
    raw = check("library_size_confounding", "{normalise: log1p}", "[pearson_gene]")
    assert raw.status == "fail"
    assert raw.statistic > 0.7
    assert min(raw.details["first_component"].values()) > 0.5


def test_patients_are_separable(check):
    result = check("patient_effect")
    assert result.status == "warn"
    assert result.threshold == 0.5
    assert 0.5 < result.statistic < 0.75
    assert result.details["slide"] > result.statistic
    assert result.details["classifier_accuracy"] > 0.95


@pytest.fixture(scope="module")
def whole(data):
    """All sections as one data set, and its slides by name."""
    config = DatasetSpec(source="h5ad", path="her2st/sections/*.h5ad", technology="ST", resolution="spot",
                         keys={"slide": "sample"}, samples="her2st/samples.csv")  # fmt: skip
    dataset = Dataset("her2st", config, load_samples(config, "her2st", [data]), [data])
    return dataset, {slide.meta.slide_id: slide for slide in dataset.slides()}


@pytest.mark.parametrize(
    "draws", [10, pytest.param(40, marks=pytest.mark.exhaustive)], ids=lambda draws: f"{draws} at random"
)
def test_genes_that_people_hardly_have_are_no_joined_panels(whole, draws):
    """Subsets of the sections, of whole patients too: many genes are missing on some, and none is a panel."""
    dataset, seen = whole
    rng = np.random.default_rng(0)
    names = sorted(seen)
    subsets = [names, *(rng.choice(names, n, replace=False) for n in rng.integers(2, 20, 40)[:draws])]
    subsets += [[name for name in names if name[0] in pair] for pair in ("AB", "BE", "DE", "EF", "GH")]
    for subset in subsets:
        part = SimpleNamespace(panels=dataset.panels, slides=lambda names=subset: (seen[n] for n in names))
        assert joined_with_zeros(part, min_block=5, min_detection=0.05) == [], subset
