"""Runs distributed by pytest-xdist say what a run in one process says, and fit nothing twice."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest

pytest.importorskip("xdist", reason="pytest-xdist is not installed")

FOLDS = ["P01", "P02", "P03", "P04", "P05", "P06"]
OWN = ("--stbench-store=.stbench", "--stbench-save=run.json", "--stbench-keep=maps", "--stbench-model=named")
TASK = {
    "gates": {"spearman_gene": {"beats": {"baselines": ["train_mean"]}, "min": 0.9}},
    "baselines": ["train_mean", "ridge"],
}

MODEL = '''
import os
from pathlib import Path

HERE = Path(__file__).parent


class Named(Mean):
    """Adds a line to a file for every fit; ends the process in the folds named in a file."""

    name = "named"
    revision = "1"

    def fit(self, train, task):
        (fold,) = {f"P0{number}" for number in range(1, 7)} - {slide.meta.patient_id for slide in train}
        with (HERE / "fits").open("a") as file:
            file.write(fold + "\\n")
        if fold in (HERE / "deaths").read_text().split():
            os._exit(3)
        super().fit(train, task)

    def impute(self, slide, observed_genes, target_genes):
        slide.units.obs["seen"] = True
        depth = np.log1p(np.asarray(slide.units.X.sum(axis=1), np.float32)).reshape(-1, 1)
        return super().impute(slide, observed_genes, target_genes) + depth


@pytest.fixture
def named():
    return Named()
'''


@pytest.fixture(scope="module")
def prepared(make_bench):
    def make(name, deaths="", **changes):
        made = make_bench(name)
        made.task("mini", TASK, **changes)
        made.conftest(MODEL)
        made.write("deaths", deaths)
        return made

    return make


def fits(made):
    path = made.folder / "fits"
    return sorted(path.read_text().split()) if path.exists() else []


def saved(made):
    """The results file without what differs from run to run."""
    results = json.loads((made.folder / "run.json").read_text())
    for name in ("run", "digests", "sha256"):  # these are of records with the seconds they took
        del results[name]
    for score in results["scores"]:
        del score["seconds"], score["peak_memory_mb"]
    return results


def summary(run):
    """The lines of the summary that do not tell how the run went."""
    lines = run.out[run.out.index("stbench: mini v1") :].splitlines()[1:]
    return [line for line in lines if line and not re.match(r"store |results |=+ ", line)]


def verdicts(run):
    return {name: category for category, names in run.categories.items() for name in names}


@pytest.fixture(scope="module")
def alone(prepared):
    made = prepared("alone")
    return made, made.run(*OWN)


@pytest.fixture(scope="module")
def together(prepared):
    made = prepared("together")
    return made, made.run(*OWN, "-n", "2")


def test_cells_are_counted_alike(alone, together):
    (_, one), (_, two) = alone, together
    assert ", 0 reused" in one.line("store   ")
    assert two.line("store   ") == one.line("store   ")


def test_outcomes_are_the_same(alone, together):
    (_, one), (_, two) = alone, together
    assert two.code == one.code == pytest.ExitCode.TESTS_FAILED
    assert verdicts(two) == verdicts(one)
    assert one.outcome("spearman_gene[sim-lopo]") == "failed"
    message = one.message("spearman_gene[sim-lopo]")
    assert message.startswith("spearman_gene -0.0")
    assert two.message("spearman_gene[sim-lopo]").endswith(message)


def test_results_files_are_the_same(alone, together):
    one, two = saved(alone[0]), saved(together[0])
    assert one["scores"]
    assert one["kept"]["scores"]["sha256"]
    assert len({kept["sha256"] for kept in one["kept"]["maps"]}) == len(FOLDS)
    assert two == one


def test_summaries_are_the_same(alone, together):
    assert summary(together[1]) == summary(alone[1])
    assert any("spearman_gene" in line for line in summary(alone[1]))


def test_a_warning_of_ours_is_said_once_for_all_folds_and_workers(alone, together):
    for _, run in (alone, together):
        heard = [text for text in run.warnings if text.startswith("named changes its input in predict")]
        assert len(heard) == len(FOLDS), "each of them is heard"
        (line,) = run.lines("named changes its input in predict")
        assert line.lstrip().startswith("mini.stbench.yaml:")


def test_user_properties_arrive(alone, together):
    names = [
        name
        for name in alone[1].reports
        if name.startswith(("rmse", "contract", "panel_mismatch", "patient_leakage"))
    ]
    assert len(names) == 2 * len(FOLDS) + 3
    for name in names:
        assert together[1].properties(name) == alone[1].properties(name) != {}


def test_every_cell_is_fitted_once(alone, together):
    assert fits(alone[0]) == fits(together[0]) == FOLDS


def test_the_store_line_counts_all_workers(together):
    (line,) = together[1].lines("cells computed")
    computed = int(re.search(r"(\d+) cells computed", line).group(1))
    assert computed == 3 * len(FOLDS), "the model and two baselines"


def test_pooled_scores_are_no_group_with_checks():
    from pytest_stbench.collection.schedule import CellScheduling

    group = partial(CellScheduling._split_scope, None)
    file = "tasks/mini.stbench.yaml"
    cells = {group(f"{file}::{name}[m-sim-lopo-P01]") for name in ("contract", "rmse", "spearman_gene")}
    pooled = {group(f"{file}::{name}[sim-lopo]") for name in ("rmse", "spearman_gene")}
    checks = {group(f"{file}::{name}[sim-lopo]") for name in ("patient_leakage", "split_within_slide")}
    assert len(cells) == len(pooled) == len(checks) == len(cells | pooled | checks) / 3 == 1
    assert group("other/mini.stbench.yaml::rmse[sim-lopo]") not in pooled
    assert group("test_a.py::test[sim-lopo]") == "test_a.py::test[sim-lopo]"


RARE = [
    pytest.param(dist, marks=pytest.mark.exhaustive)
    for dist in ("loadfile", "loadscope", "loadgroup", "each")
]


@pytest.mark.parametrize("dist", ["worksteal", *RARE])
def test_other_schedulers_fit_once_as_well(prepared, alone, dist):
    made = prepared(dist, baselines=["train_mean"])
    run = made.run(
        *OWN, "-n", "2", "--dist", dist, "mini.stbench.yaml::contract", "mini.stbench.yaml::spearman_gene"
    )
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert fits(made) == FOLDS
    assert verdicts(run) == {name: what for name, what in verdicts(alone[1]).items() if name in verdicts(run)}
    assert len(verdicts(run)) == 2 * len(FOLDS) + 1
    told = sum(map(int, re.findall(r"(\d+) (?:passed|failed)", run.out.splitlines()[-1])))
    assert told == len(verdicts(run)) * (2 if dist == "each" else 1), "of `each` every worker runs all"
    scores = [(one["metric"], one["model"], one["fold"], one["split"]) for one in saved(made)["scores"]]
    assert len(set(scores)) == len(scores) > len(FOLDS)


@pytest.mark.parametrize(
    "how",
    [
        ("-n", "2"),
        pytest.param(("-n", "1"), marks=pytest.mark.exhaustive),
        pytest.param(("-n", "2", "--dist", "worksteal"), marks=pytest.mark.exhaustive),
    ],
    ids=" ".join,
)
def test_a_model_that_ends_a_worker_is_reported_and_the_other_cells_go_on(prepared, how):
    made = prepared("exits", deaths="P02", baselines=["train_mean"])
    run = made.run(*OWN, *how, "mini.stbench.yaml::contract", "mini.stbench.yaml::rmse")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert fits(made) == FOLDS
    assert re.search(r"worker 'gw\d' crashed while running '\S*::contract\[sim-lopo-P02\]'", run.out)
    for fold in FOLDS:
        assert run.outcome(f"rmse[sim-lopo-{fold}]") == ("blocked" if fold == "P02" else "passed")
    assert run.outcome("contract[sim-lopo-P02]") == "failed"
    assert run.outcome("rmse[sim-lopo]") == "blocked"
    assert "ended the process by os._exit(3) (phase fit)" in run.line("blocked 2 items")
