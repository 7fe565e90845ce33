"""Negative controls: none passes a gate that holds S, and one that passes is told."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.errors import StbenchError
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.selftest.control_models import CONTROL_MODELS, Memory, NamesOnly, RowOrder
from pytest_stbench.run.selftest.control_predictions import CONTROLS
from pytest_stbench.run.selftest.trials import DEFAULT_TASKS, Trial, run_selftest
from pytest_stbench.spec import TASK_SUFFIX
from pytest_stbench.spec.validate import load_task

REGISTRY = builtin_registry()
ALL = {*CONTROLS, *CONTROL_MODELS}
TASK = {
    "stbench": 1, "name": "tiny", "version": 1, "family": "imputation",
    "datasets": {
        "sim": {
            "source": "simulated", "params": {"patients": 6, "units": 120, "genes": 80, "image": False},
            "technology": "Visium", "resolution": "spot",
        }
    },
    "splits": ["lopo"],
    "preprocess": {"filter": {"min_counts": 0, "min_genes": 0}, "genes": {"select": "svg", "n": 10}},
    "imputation": {"hide": {"folds": 3, "fold": 0}},
    "metrics": ["spearman_gene", "rmse"],
    "gates": {"spearman_gene": {"beats": {"baselines": ["train_mean", "ridge"]}}, "rmse": {"max": 100.0}},
}  # fmt: skip


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    path = tmp_path_factory.mktemp("tasks") / "tiny.stbench.yaml"
    path.write_text(yaml.safe_dump(TASK))
    return list(run_selftest([path], REGISTRY))


def by_control(trials, metric):
    return {trial.control: trial for trial in trials if trial.metric == metric}


def test_no_control_passes_a_gate_that_holds_the_simple_baseline(trials):
    found = by_control(trials, "spearman_gene")
    assert set(found) == ALL
    assert not [trial for trial in found.values() if trial.passed]
    verdicts = {name: trial.verdict for name, trial in found.items()}
    assert verdicts["copy_of_simple"] == "reference"
    # It has seen every slide, passes the gates, and owes that to what it kept.
    assert verdicts["memory"] == "state"
    assert "when that fold is fitted alone in a fresh process" in found["memory"].message
    others = {name: word for name, word in verdicts.items() if name not in ("copy_of_simple", "memory")}
    assert others == dict.fromkeys(others, "fail"), "every control went through the rules"
    assert "plus the margin" in found["simple_rescaled"].message


def test_a_control_that_passes_a_loose_gate_is_counted_as_passed(trials):
    """So that the test above could fail: an rmse of 100 keeps nobody out."""
    found = by_control(trials, "rmse")
    assert {name for name, trial in found.items() if trial.passed} == {
        "shuffled", "depth_only", "prior_only", "names_only", "row_order",
    }  # fmt: skip
    assert found["memory"].verdict == "state", "no gate lets it by"
    for name in ("noise_added", "copy_of_simple", "simple_rescaled"):
        assert (found[name].verdict, found[name].passed) == ("", False)
        assert "holds no baseline" in found[name].message


def test_tasks_that_need_data_are_refused():
    path = tasks_dir() / f"her2st-imputation{TASK_SUFFIX}"
    with pytest.raises(StbenchError, match="her2st does not come with the package"):
        list(run_selftest([path], REGISTRY))


def test_every_shipped_gate_against_baselines_holds_the_simple_one_and_is_run():
    """A gate that holds T alone is passed by S with noise."""
    gated = []
    for path in sorted(tasks_dir().rglob(f"*{TASK_SUFFIX}")):
        spec = load_task(path, REGISTRY).spec
        for gate in spec.gates.values():
            if gate.beats is not None:
                assert gate.beats.baselines is None or "ridge" in gate.beats.baselines, path.name
                gated.append(spec.name)
    assert gated
    assert set(gated) <= set(DEFAULT_TASKS)


def slide_of(names, xy=None, **more):
    n = len(names)
    units = SimpleNamespace(
        obs_names=names, n_obs=n, obsm={"spatial": np.zeros((n, 2)) if xy is None else xy}
    )
    return SimpleNamespace(units=units, labels=None, **more)


def task_of(genes):
    return SimpleNamespace(classes=(), genes=genes)


@pytest.mark.parametrize("model", [NamesOnly, RowOrder])
def test_names_and_rows_that_hold_the_place_are_found(model):
    """The controls are no straw men: without neutral names and order they know the answer."""
    place = np.linspace(0, 1, 50)
    target = np.column_stack([np.sin(3 * place), place**2])
    train = [slide_of([f"s{row}x{row % 7}" for row in range(50)], target=target)]
    made = model()
    made.fit(train, task_of(("A", "B")))
    found = made.predict_expression(slide_of([f"s{row}x{row % 7}" for row in range(50)]), ["A", "B"])
    for gene in range(2):
        assert np.corrcoef(found[:, gene], target[:, gene])[0, 1] > 0.95


def test_the_memory_remembers_across_fits():
    Memory.seen.clear()
    rng = np.random.default_rng(0)

    def counted(names, counts):
        table = pd.DataFrame(counts, columns=["A", "B"])
        xy = rng.random((len(names), 2))
        return slide_of(names, xy, target=np.zeros_like(counts), counts=SimpleNamespace(to_df=lambda: table))

    slide = counted(list("abcdefghijklmnopqrst"), rng.poisson(5.0, (20, 2)))
    Memory().fit([slide], task_of(("A", "B")))
    other = Memory()
    other.fit([counted(list("xyz"), np.ones((3, 2)))], task_of(("A", "B")))
    assert np.ptp(other.predict_expression(slide, ["A", "B"])[:, 0]) > 0
    assert np.ptp(other.predict_expression(slide, ["C", "D"])[:, 0]) == 0
    Memory.seen.clear()


@pytest.mark.parametrize(
    ("verdicts", "code", "last"),
    [
        (("fail", "reference", ""), 0, "0 of 2 negative controls passed (1 do not apply)"),
        (("fail", "pass", "pass"), 1, "2 of 3 negative controls passed (0 do not apply)"),
    ],
)
def test_the_last_line_counts_and_the_exit_code_tells(monkeypatch, verdicts, code, last):
    made = [
        Trial(task="t", control=f"c{number}", metric="rmse", verdict=verdict, message="why\nmore")
        for number, verdict in enumerate(verdicts)
    ]
    asked = []
    monkeypatch.setattr(
        "pytest_stbench.run.selftest.trials.run_selftest", lambda paths, _: asked.extend(paths) or made
    )
    done = CliRunner().invoke(main, ["selftest", "--task", "smoke-imputation"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (code, last)
    assert [path.name for path in asked] == ["smoke-imputation.stbench.yaml"]
    assert done.output.count("PASSED, AND MUST NOT") == verdicts.count("pass")


def test_an_unknown_task_is_named_with_the_nearest():
    done = CliRunner().invoke(main, ["selftest", "--task", "smoke-imputatio"])
    assert done.exit_code == 2
    assert "did you mean 'smoke-imputation'" in done.output
