"""Gates of the command line."""

from __future__ import annotations

import pytest

from pytest_stbench.errors import TaskFileError
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.given_gates import check_gates, gate_tree, metric_of
from pytest_stbench.spec.validate import load_task
from pytest_stbench.spec.yaml_lines import plain

REGISTRY = builtin_registry()


@pytest.mark.parametrize(
    ("options", "gates"),
    [
        (["m.min=0.2"], {"m": {"min": 0.2}}),
        (["m.min=1e-1", "m.max=2"], {"m": {"min": 0.1, "max": 2}}),
        (["m.min=0.1", "m.min=0.2"], {"m": {"min": 0.2}}),
        (
            ["a.min=0", "b.min_patient_difference=-0.05"],
            {"a": {"min": 0}, "b": {"min_patient_difference": -0.05}},
        ),
        (["m.beats.margin=0.02"], {"m": {"beats": {"margin": 0.02}}}),
        (["m.beats.baselines=ridge"], {"m": {"beats": {"baselines": ["ridge"]}}}),
        (["m.beats.baselines=[a, b]"], {"m": {"beats": {"baselines": ["a", "b"]}}}),
        (["m.beats={}"], {"m": {"beats": {}}}),
        (["m.min= 0.2 "], {"m": {"min": 0.2}}),
    ],
)
def test_an_option_is_a_gate_of_a_file(options, gates):
    assert plain(gate_tree(options).root) == {"gates": gates}
    assert metric_of("m.min=0.2") == "m"


@pytest.mark.parametrize("text", ["", "m", "m=1", "m.min", ".min=1", "m.=1", "=1", "m..min=1"])
def test_another_form_is_refused(text):
    with pytest.raises(TaskFileError, match=r"expected METRIC.RULE=VALUE, such as spearman_gene.min=0.2"):
        check_gates([text], REGISTRY)


@pytest.mark.parametrize("value", ["[", "{a: 1, a: 2}", "!!python/object:x {}", "\x00"])
def test_a_value_that_is_no_plain_yaml_is_refused(value):
    with pytest.raises(TaskFileError):
        check_gates([f"spearman_gene.min={value}"], REGISTRY)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["spearman_gen.min=0.2"], ["there is no metric 'spearman_gen'; did you mean 'spearman_gene'"]),
        (["spearman_gene.mni=0.2"], ["gates.spearman_gene.mni: unknown key; did you mean 'min'"]),
        (["spearman_gene.min=yes"], ["found 'yes'; expected a number"]),
        (["spearman_gene.beats.margin=-1"], ["must be at least 0"]),
        (["spearman_gene.not_worse_than={}"], ["gates.spearman_gene.not_worse_than.margin: is missing"]),
        (
            ["m=1", "spearman_gene.min=[", "rmse.mx=1", "x.max=1"],
            ["expected METRIC.RULE=VALUE", "not valid YAML", "did you mean 'max'", "no metric 'x'"],
        ),
        (["x.min=a", "spearman_gene.max=b"], ["there is no metric 'x'", "found 'a'", "found 'b'"]),
    ],
)
def test_every_mistake_is_told_with_its_option(options, told):
    with pytest.raises(TaskFileError) as error:
        check_gates(options, REGISTRY)
    for part in told:
        assert part in str(error.value)
    assert all(str(problem.file).startswith("--stbench-gate ") for problem in error.value.problems)


def test_good_options_are_accepted():
    check_gates(["spearman_gene.min=0.2", "rmse.max=1", "kappa.beats={}"], REGISTRY)


def test_options_win_over_the_file_and_the_rest_stays():
    path = tasks_dir() / "smoke-expression.stbench.yaml"
    plain_task = load_task(path, REGISTRY)
    task = load_task(path, REGISTRY, gates=["pearson_gene.beats.margin=0.1", "rmse.max=2"])
    assert task.spec.gates["pearson_gene"].beats.baselines == ("train_mean", "ridge")
    assert task.spec.gates["pearson_gene"].beats.margin == 0.1
    assert task.spec.gates["rmse"].max == 2
    assert task.spec.model_copy(update={"gates": plain_task.spec.gates}) == plain_task.spec
    with pytest.raises(TaskFileError, match=r"--stbench-gate rmse.min=2:1: gates.rmse.min: lower is better"):
        load_task(path, REGISTRY, gates=["rmse.min=2"])


def test_a_rule_without_references_is_refused_rather_than_never_applied():
    path = tasks_dir() / "smoke-robustness.stbench.yaml"
    for rule in ("beats={}", "min_patient_difference=0"):
        with pytest.raises(TaskFileError, match="requires no baseline, so name those to compare with"):
            load_task(path, REGISTRY, gates=[f"robust_share.{rule}"])
