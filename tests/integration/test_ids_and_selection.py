"""Node ids, their order, and everything by which pytest selects, locates and reports items."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from pytest_stbench.run.installed import builtin_registry

FOLDS = {"splits": [{"pgkf": {"k": 2}}], "baselines": ["train_mean"]}
GRID = {
    "splits": ["lopo", {"pgkf": {"k": 2}}],
    "preprocess": {"variants": {"raw": {"normalise": "log1p"}}},
    "gates": {"spearman_gene": {"min": -1}},
    "baselines": ["train_mean"],
    "marks": ["nightly"],
}
OTHER = {"source": "simulated", "params": {"patients": 4, "units": 60, "genes": 80, "image": False}}


@pytest.fixture(scope="module")
def grid(make_bench):
    """Two data sets, two splits, one variant."""
    bench = make_bench("grid")
    bench.write("pytest.ini", "[pytest]\nmarkers = nightly: runs at night\n")
    bench.task(**GRID, datasets={"other": OTHER})
    return bench


@pytest.fixture(scope="module")
def listed(grid):
    return grid.run("--collect-only", "-q")


def test_ids(listed):
    expected = (
        "baseline_missing", "panel_mismatch[sim]", "patient_leakage[sim-lopo]", "contract[sim-lopo-P01]",
        "baselines[sim-lopo-P01]", "spearman_gene[sim-lopo-P01]", "spearman_gene[sim-lopo]",
        "spearman_gene[sim+raw-lopo-P01]", "spearman_gene[sim+raw-lopo]", "rmse[sim-pgkf-2]",
        "rmse[other-pgkf]", "patient_leakage[other-pgkf]",
    )  # fmt: skip
    assert set(expected) <= set(listed.names)
    assert len(set(listed.names)) == len(listed.names)
    assert listed.code == 0
    for nodeid in listed.nodeids:
        assert nodeid in listed.out.splitlines()


def test_checks_exist_once_per_data_set_and_split_not_per_variant(listed):
    leakage = [name for name in listed.names if name.startswith("patient_leakage")]
    assert leakage == [
        f"patient_leakage[{place}]" for place in ("sim-lopo", "sim-pgkf", "other-lopo", "other-pgkf")
    ]


def place(name):
    """Return data set, pool and fold of an item name."""
    dataset, _, rest = name.partition("[")[2].rstrip("]").partition("-")
    split, _, fold = rest.partition("-")
    return dataset.partition("+")[0], f"{dataset}-{split}" if split else "", fold


def test_order(listed):
    """Per data set its checks, then per split each fold's contract, baselines, metrics; then pooled."""
    items = [(name.partition("[")[0], *place(name)) for name in listed.names]
    of_task = [check.name for check in builtin_registry().checks if check.scope == "task"]
    assert items[: len(of_task)] == [(name, "", "", "") for name in of_task]
    datasets = [dataset for _, dataset, _, _ in items[len(of_task) :]]
    assert datasets == sorted(datasets, key=["sim", "other"].index)
    pools = ["", "sim-lopo", "sim+raw-lopo", "sim-pgkf", "sim+raw-pgkf"]
    of_sim = [(kind, pool, fold) for kind, dataset, pool, fold in items if dataset == "sim"]
    assert [pool for _, pool, _ in of_sim] == sorted((pool for _, pool, _ in of_sim), key=pools.index)
    lopo = [(kind, fold) for kind, pool, fold in of_sim if pool == "sim-lopo"]
    cells = ["contract", "baselines", "spearman_gene", "rmse"]
    expected = [(check.name, "") for check in builtin_registry().checks if check.scope == "split"]
    expected += [(kind, f"P{patient:02d}") for patient in range(1, 7) for kind in cells]
    assert lopo == [*expected, ("spearman_gene", ""), ("rmse", "")]


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        (("-k", "rmse and pgkf and other and not raw"), r"rmse\[other-pgkf(-\d)?\]"),
        (("-k", "raw and P01 and rmse"), r"rmse\[(sim|other)\+raw-lopo-P01\]"),
        (("-m", "stbench_check"), r"(?!contract|baselines|rmse|spearman).*"),
        (("-m", "stbench_contract"), r"(contract|baselines)\[.*"),
        (("-m", "stbench_metric"), r"(rmse|spearman_gene)\[.*"),
        (("-m", "stbench_gate"), r"spearman_gene\[(sim|other)(\+raw)?-(lopo|pgkf)\]"),
        (("-m", "stbench and not stbench_metric and not stbench_contract and not stbench_check"), None),
        (("-m", "imputation and nightly"), ".*"),
        (("-m", "expression"), None),
    ],
    ids=["k", "k_variant", "check", "contract", "metric", "gate", "nothing_else", "family", "other_family"],
)
def test_selection(grid, listed, selection, kept):
    run = grid.run("--collect-only", "-q", *selection)
    expected = [name for name in listed.names if kept and re.fullmatch(kept, name)]
    assert run.names == expected
    assert run.code == (0 if expected else 5)


def test_node_ids_select(grid):
    wanted = ["panel_mismatch[sim]", "rmse[sim+raw-lopo-P03]"]
    run = grid.run("--collect-only", "-q", *(f"mini.stbench.yaml::{name}" for name in wanted))
    assert run.names == wanted
    function = grid.run("--collect-only", "-q", "mini.stbench.yaml::gene_ids")
    assert function.names == ["gene_ids[sim]", "gene_ids[other]"]


def test_mark_that_is_not_registered_is_refused_under_strict_markers(make_bench):
    bench = make_bench()
    bench.task(**FOLDS, marks=["weekly"])
    run = bench.run("--strict-markers", "--collect-only")
    assert run.code == 2
    assert "register 'weekly' under `markers`" in run.collect_errors[0]


def test_several_models_stand_first_in_the_ids(make_bench):
    bench = make_bench()
    bench.task(**FOLDS)
    run = bench.run("--collect-only", "-q", "--stbench-model=ridge", "--stbench-model=import:pkg.mod:Model")
    assert {"contract[ridge-sim-pgkf-1]", "contract[Model-sim-pgkf-1]", "rmse[Model-sim-pgkf]"} <= set(
        run.names
    )
    assert "baselines[sim-pgkf-1]" in run.names
    assert "panel_mismatch[sim]" in run.names


def test_variants_seeds_and_names_in_ids(make_bench):
    bench = make_bench()
    bench.task(**FOLDS, seeds=[0, 3], datasets={"sim": None, "HER2+ breast": OTHER})
    run = bench.run("--collect-only", "-q")
    if run.code == 0:
        assert all(re.fullmatch(r"[A-Za-z0-9_.+\[\]-]+", name) for name in run.names), run.names
    else:
        assert "HER2+ breast" in run.collect_errors[0]
        assert "Traceback" not in run.out


@pytest.fixture(scope="module")
def gated(make_bench):
    """A run in which exactly one item fails: the gate of rmse."""
    bench = make_bench("gated")
    bench.task(**FOLDS, gates={"rmse": {"max": 0.0}})
    options = ("-p", "no:randomly")
    first = bench.run("--stbench-model=mean", f"--junitxml={bench.folder / 'junit.xml'}", plain=options)
    return bench, first, options


def test_last_failed_runs_what_failed(gated):
    bench, first, options = gated
    assert first.of("failed") == ["rmse[sim-pgkf]"]
    again = bench.run("--stbench-model=mean", "--lf", plain=options)
    assert again.names == ["rmse[sim-pgkf]"]
    assert again.outcome("rmse[sim-pgkf]") == "failed"


def test_last_failed_runs_what_was_blocked(make_bench):
    bench = make_bench()
    bench.task(**FOLDS)
    options = ("-p", "no:randomly")
    first = bench.run("-k", "rmse", plain=options)
    again = bench.run("-k", "rmse", "--lf", plain=options)
    assert first.of("blocked") == again.names


def test_exit_first_stops_at_the_first_failure(gated):
    bench, _, _ = gated
    run = bench.run("--stbench-model=mean", "-x", "--deselect", "mini.stbench.yaml::spearman_gene[sim-pgkf]")
    assert run.of("failed") == ["rmse[sim-pgkf]"]
    stopped = bench.run("-x")
    assert stopped.of("blocked") == ["contract[sim-pgkf-1]"]
    assert len(stopped.reports) < len(stopped.names)


def test_junit_properties_are_flat_and_scalar(gated):
    bench, run, _ = gated
    cases = {case.get("name"): case for case in ET.parse(bench.folder / "junit.xml").iter("testcase")}
    found = {p.get("name"): p.get("value") for p in cases["spearman_gene[sim-pgkf]"].iter("property")}
    expected = {
        "task", "family", "dataset", "variant", "split", "model", "metric", "value", "ci_low", "ci_high",
        "n_patients", "n_units", "n_genes", "trivial", "baseline", "undefined", "standing", "organ",
        "disease", "technology", "resolution", "input_class",
    }  # fmt: skip
    assert {name.removeprefix("stbench.") for name in found} >= expected
    assert all(name.startswith("stbench.") for name in found)
    assert found["stbench.metric"] == "spearman_gene"
    assert found["stbench.n_patients"] == "6"
    fold = {p.get("name"): p.get("value") for p in cases["rmse[sim-pgkf-1]"].iter("property")}
    assert fold["stbench.fold"] == "1"
    for reports in run.reports.values():
        for name, value in reports["call"].user_properties if "call" in reports else ():
            assert isinstance(name, str)
            assert type(value) in (str, int, float, bool), (name, value)


def test_items_are_located_in_the_line_of_the_task_file(gated):
    bench, run, _ = gated
    lines = (bench.folder / "mini.stbench.yaml").read_text(encoding="utf-8").splitlines()
    file, number, _ = run.reports["rmse[sim-pgkf]"]["call"].location
    assert file == "mini.stbench.yaml"
    assert lines[number].strip() == "- rmse"
    _, number, _ = run.reports["contract[sim-pgkf-1]"]["call"].location
    assert lines[number] == "family: imputation"
    _, number, _ = run.reports["baselines[sim-pgkf-1]"]["call"].location
    assert lines[number] == "baselines:"


class TestPlan:
    """``--stbench-plan`` says what would run and what could be decided, and computes nothing."""

    def test_plan(self, bench):
        bench.task(**FOLDS, gates={"spearman_gene": {"beats": {"baselines": ["train_mean"]}}})
        run = bench.run("--stbench-plan", "--stbench-model=mean")
        assert run.code == 0
        assert not run.reports
        assert run.line("stbench plan: mini v1")
        assert "2 cells to fit for each of 1 model" in run.out
        assert "sim-pgkf: 2 folds, 6 test slides of 6 patients" in run.out
        assert re.search(
            r"spearman_gene beats train_mean: can be decided; the smallest .* 6 patients .* SD", run.out
        )
        assert not (bench.folder / ".stbench").exists()

    def test_plan_of_too_few_patients(self, bench):
        few = {"sim": {"params": {"patients": 4}}}
        needed = "cannot be decided, 4 of the 6 patients needed"
        bench.task(**FOLDS, datasets=few)
        assert f"{needed} (no gate in the file: shown only)" in bench.run("--stbench-plan").out
        bench.task(**FOLDS, datasets=few, gates={"spearman_gene": {"beats": {"margin": 0.01}}})
        assert f"{needed} (population claim: fails as underpowered)" in bench.run("--stbench-plan").out

    def test_plan_follows_the_selection(self, bench):
        run = bench.run("--stbench-plan", "-k", "P01 and contract")
        assert "1 cells to fit" in run.out or "1 cell to fit" in run.out
        assert (
            "no item of a task file is selected" in bench.run("--stbench-plan", "-k", "nothing_like_it").out
        )

    def test_invalid_file_is_an_error_under_plan(self, bench):
        bench.task(metrics=["nonsense"])
        run = bench.run("--stbench-plan")
        assert run.code == 2
        assert len(run.collect_errors) == 1
