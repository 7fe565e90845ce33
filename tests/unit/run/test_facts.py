"""Every parameter of every check is a fact of its scope or one of its thresholds."""

from __future__ import annotations

import inspect

import pytest

from pytest_stbench.index import loaded
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.quality.facts import DatasetFacts, SplitFacts, TaskFacts, names_of
from pytest_stbench.run.quality.model_facts import ModelFacts, ResultsFacts
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import metrics_of


@pytest.fixture
def facts_of(make_task, make_samples, tmp_path):
    """Return the names of the facts of each scope of a small task, none of which is made."""
    task = make_task()
    registry = builtin_registry()
    grid = make_grid(task, lambda *_: make_samples("ABC"), registry.splits)
    metrics = metrics_of(task.spec, registry.families[task.spec.family])
    run, recorder = Runner(RunSettings(store=tmp_path), registry).task_run(task, grid, metrics, ())
    model = run.baseline("ridge", "sim")
    found = {
        "dataset": DatasetFacts(run, "sim"),
        "split": SplitFacts(run, grid.pools[0]),
        "task": TaskFacts(run),
        "model": ModelFacts(run, model),
        "results": ResultsFacts(run, recorder, "m", {}, lambda _: model),
    }
    return {scope: names_of(facts) for scope, facts in found.items()}


def test_checks_ask_for_what_they_are_told(facts_of):
    for record in builtin_registry().checks:
        asked = set(inspect.signature(loaded(record)).parameters)
        assert asked <= facts_of[record.scope] | record.params.keys(), record.name


def test_no_threshold_is_called_as_a_fact(facts_of):
    for record in builtin_registry().checks:
        assert not facts_of[record.scope] & record.params.keys(), record.name
