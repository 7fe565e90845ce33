"""What can happen to an item, and the outcome it has in pytest."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

TWO_FOLDS = {
    "splits": [{"pgkf": {"k": 2}}],
    "baselines": ["train_mean"],
    "metrics": ["rmse", "spearman_gene"],
}
SMALL_PANEL = {"checks": {"panel_mismatch": {"min_genes": 100, "reason": "test"}}}
WARNED = {"checks": {"too_few_patients": {"approximate_max": 6, "reason": "test"}}}

BROKEN = """
import pandas as pd


def predicts(change):
    class Model(Mean):
        def impute(self, slide, observed_genes, target_genes):
            values = super().impute(slide, observed_genes, target_genes)
            return change(values, list(slide.units.obs_names), list(target_genes))

    return Model()


def put(values, value):
    values[3, 2] = value
    return values


CHANGES = {
    "transposed": lambda x, units, genes: x.T,
    "fewer_rows": lambda x, units, genes: x[:-1],
    "fewer_genes": lambda x, units, genes: x[:, :-1],
    "half": lambda x, units, genes: x.astype(np.float16),
    "integers": lambda x, units, genes: x.astype(int),
    "words": lambda x, units, genes: x.astype(str),
    "nan": lambda x, units, genes: put(x, np.nan),
    "inf": lambda x, units, genes: put(x, np.inf),
    "nothing": lambda x, units, genes: None,
    "rows_permuted": lambda x, units, genes: pd.DataFrame(x, index=units, columns=genes).iloc[::-1],
    "genes_permuted": lambda x, units, genes: pd.DataFrame(x, index=units, columns=genes).iloc[:, ::-1],
    "labelled": lambda x, units, genes: pd.DataFrame(x, index=units, columns=genes),
}
for name, change in CHANGES.items():
    exec(f"@pytest.fixture\\ndef {name}():\\n    return predicts(CHANGES[{name!r}])")


class Raises(Mean):
    def impute(self, slide, observed_genes, target_genes):
        return self.weights[slide]


@pytest.fixture
def raises():
    return Raises()


class RaisesInFit(Mean):
    def fit(self, train, task):
        helper(task)


def helper(task):
    raise KeyError("no such layer")


@pytest.fixture
def raises_in_fit():
    return RaisesInFit()


class OtherTask:
    def predict_expression(self, slide, genes):
        raise AssertionError


@pytest.fixture
def other_task():
    return OtherTask()
"""
REFUSED = (
    "transposed", "fewer_rows", "fewer_genes", "half", "integers", "words", "nan", "inf", "nothing",
    "rows_permuted", "genes_permuted",
)  # fmt: skip
MODELS = (*REFUSED, "labelled", "raises", "raises_in_fit", "other_task")


@pytest.fixture(scope="module")
def broken(make_bench):
    """One run of many models, most of which break the contract."""
    bench = make_bench("broken")
    bench.conftest(BROKEN)
    bench.task(**TWO_FOLDS)
    return bench.run(*(f"--stbench-model={name}" for name in MODELS), "-rs")


@pytest.mark.parametrize(
    ("model", "expected", "found", "fix"),
    [
        ("transposed", r"shape \(\d+, 10\)", r"shape \(10, \d+\)", r"\.T"),
        ("fewer_rows", r"shape \(\d+, 10\)", r"shape \(\d+, 10\)", "one row per unit"),
        ("fewer_genes", r"shape \(\d+, 10\)", r"shape \(\d+, 9\)", "one column"),
        ("half", "float32", "float16", "float32"),
        ("integers", "float32", "int64", "float32"),
        ("words", "float32", "U", ""),
        (
            "nan",
            "finite",
            r"1 of \d+ values .*nan.* at unit 'unit\d+' \('\d+x\d+' of the data\), gene '\w+'",
            "predict every value",
        ),
        ("inf", "finite", "inf", "predict every value"),
        ("nothing", "", "None", ""),
        ("rows_permuted", "row", "order", "reindex|order"),
        ("genes_permuted", "column", "order", "reindex|order"),
    ],
)
def test_output_that_breaks_the_contract(broken, model, expected, found, fix):
    assert broken.outcome(f"contract[{model}-sim-pgkf-1]") == "failed"
    message = broken.message(f"contract[{model}-sim-pgkf-1]")
    assert re.search(rf"expected .*{expected}.*, found .*{found}.*; .*({fix})", message, re.S), message
    assert f"{model}, slide " in message
    assert "Traceback" not in message


@pytest.mark.parametrize("model", [*REFUSED, "raises", "raises_in_fit"])
def test_scores_of_a_failed_cell_are_blocked(broken, model):
    for item in ("rmse[{}-sim-pgkf-1]", "rmse[{}-sim-pgkf]", "spearman_gene[{}-sim-pgkf]"):
        assert broken.outcome(item.format(model)) == "blocked"
    message = broken.message(f"rmse[{model}-sim-pgkf-1]")
    assert f"blocked by contract[{model}, sim-pgkf-1]: " in message


def test_labelled_output_in_order_is_taken(broken):
    assert broken.outcome("contract[labelled-sim-pgkf-1]") == "passed"
    assert broken.outcome("rmse[labelled-sim-pgkf]") == "passed"


def test_exception_of_a_model_is_shown_with_its_own_frames_alone(broken):
    message = broken.message("contract[raises-sim-pgkf-1]")
    assert broken.outcome("contract[raises-sim-pgkf-1]") == "failed"
    assert "AttributeError: 'Raises' object has no attribute 'weights'" in message
    assert "return self.weights[slide]" in message
    assert "conftest.py" in message
    assert "(in predict)" in message


def test_exception_in_fit_names_the_phase_and_the_helper(broken):
    message = broken.message("contract[raises_in_fit-sim-pgkf-1]")
    assert "(in fit)" in message
    assert 'raise KeyError("no such layer")' in message
    assert "in helper" in message


def test_no_line_of_this_package_is_shown(broken):
    assert "Traceback (most recent call last)" in broken.out
    assert not broken.lines("pytest_stbench/")
    assert not broken.lines("site-packages")


def test_model_without_the_method_is_skipped_with_the_reason(broken):
    assert broken.outcome("contract[other_task-sim-pgkf-1]") == "skipped"
    assert broken.outcome("rmse[other_task-sim-pgkf]") == "skipped"
    shown = broken.lines("other_task has no method impute, which the family imputation asks")
    assert any(re.match(r"skipped \d+ items: other_task has no method", line) for line in shown)


def test_blocked_items_have_a_letter_and_fail_the_run(broken):
    assert broken.code == 1
    assert re.search(r"mini\.stbench\.yaml [^=]*B", broken.out)
    assert re.search(r"\d+ blocked", broken.out.splitlines()[-1])
    causes = broken.lines("blocked 5 items by contract[")
    assert len(causes) == len(set(causes))


def test_model_without_the_method_fails_under_no_skip(make_bench):
    bench = make_bench()
    bench.conftest(BROKEN)
    bench.task(**TWO_FOLDS)
    run = bench.run("--stbench-model=other_task", "--stbench-no-skip", "-k", "contract")
    assert run.code == 1
    assert not run.of("skipped")
    assert "other_task has no method impute" in run.message("contract[sim-pgkf-1]")
    assert "During handling of" not in run.out


@pytest.fixture(scope="module")
def invalid_runs(make_bench):
    bench = make_bench("invalid")
    bench.task("good", **TWO_FOLDS)
    bench.write(
        "bad.stbench.yaml",
        "stbench: 1\nname: bad\nversion: one\nfamily: imputaton\ndatasets:\n  sim: {source: simulatd}\n"
        "splits: [lopp]\nmetrics: [spearman_gen, rmse]\nprimery: rmse\nseeds: [0, x]\n",
    )
    return bench.run(), bench.run("--continue-on-collection-errors", "-m", "stbench_check")


class TestInvalidFile:
    """Every problem at once, one error per file, other files go on."""

    def test_one_collection_error_lists_all_problems(self, invalid_runs):
        run, _ = invalid_runs
        assert run.code == 2
        assert len(run.collect_errors) == 1
        message = run.collect_errors[0]
        for line, key, hint in (
            (3, "version", ""),
            (4, "family", "'imputation'"),
            (6, "datasets.sim.source", "'simulated'"),
            (7, "splits", "'lopo'"),
            (8, "metrics", "did you mean 'spearman_"),
            (9, "primery", "'primary'"),
            (10, "seeds", ""),
        ):
            assert re.search(rf"bad\.stbench\.yaml:{line}: {re.escape(key)}.*{hint}", message), (key, message)

    def test_nothing_of_ours_is_shown(self, invalid_runs):
        run, _ = invalid_runs
        assert "Traceback" not in run.out
        assert not run.lines("pytest_stbench/")
        assert not run.reports

    def test_other_files_are_collected(self, invalid_runs):
        _, run = invalid_runs
        assert run.outcome("panel_mismatch[sim]") == "passed"
        assert run.code == 1


@pytest.fixture(scope="module")
def check_bench(make_bench):
    bench = make_bench("check")
    bench.task(**TWO_FOLDS, **SMALL_PANEL)
    return bench


@pytest.fixture(scope="module")
def check_run(check_bench):
    return check_bench.run("--stbench-model=mean", f"--junitxml={check_bench.folder / 'junit.xml'}")


class TestFailedCheck:
    """A check that fails holds back what its record says, whether or not it is selected."""

    def test_the_check_fails_and_scores_are_blocked(self, check_run):
        assert check_run.outcome("panel_mismatch[sim]") == "failed"
        assert "80 genes in the panel, fewer than 100" in check_run.message("panel_mismatch[sim]")
        assert set(check_run.of("blocked")) == {
            n
            for n in check_run.names
            if re.match("contract|baselines|rmse|spearman|patient_effect_gap|preprocessing|state", n)
        }
        assert check_run.outcome("gene_ids[sim]") == "passed"
        assert check_run.code == 1

    def test_one_line_for_all_items_behind_it(self, check_run):
        line = check_run.line("FAIL  panel_mismatch[sim]")
        assert f"blocks {len(check_run.of('blocked'))} items" in line
        assert not check_run.lines("items by panel_mismatch")

    def test_blocked_is_an_error_in_junit(self, check_run, check_bench):
        cases = ET.parse(check_bench.folder / "junit.xml").iter("testcase")
        found = {case.get("name"): [child.tag for child in case] for case in cases}
        assert "error" in found["rmse[sim-pgkf]"]
        assert "failure" in found["panel_mismatch[sim]"]
        assert "failure" not in found["rmse[sim-pgkf]"]

    @pytest.mark.parametrize(
        "selection",
        [
            ("-k", "rmse"),
            ("--deselect", "mini.stbench.yaml::panel_mismatch[sim]"),
            ("-m", "stbench_metric"),
            ("mini.stbench.yaml::rmse[sim-pgkf]",),
        ],
        ids=["k", "deselect", "m", "node"],
    )
    def test_also_when_it_is_not_selected(self, check_bench, selection):
        run = check_bench.run("--stbench-model=mean", *selection)
        assert "panel_mismatch[sim]" not in run.names
        assert run.outcome("rmse[sim-pgkf]") == "blocked"
        line = run.line(f"blocked {len(run.of('blocked'))} item")
        assert "by panel_mismatch[sim]: " in line
        assert "80 " in line

    def test_a_check_of_one_split_holds_back_that_split(self, make_bench):
        bench = make_bench("split_check")
        rows = ["slide,patient,official"]
        rows += [f"P{n:02d}S1,P{min(n, 5):02d},{'test' if n in (1, 6) else 'train'}" for n in range(1, 7)]
        bench.write("samples.csv", "\n".join(rows) + "\n")
        bench.task(
            datasets={"sim": {"samples": "samples.csv"}},
            splits=[{"fixed": {"column": "official"}}, {"pgkf": {"k": 2}}],
            metrics=["rmse"], baselines=["train_mean"],
        )  # fmt: skip
        run = bench.run("--stbench-model=mean")
        assert run.outcome("patient_leakage[sim-fixed]") == "failed"
        assert run.outcome("patient_leakage[sim-pgkf]") == "passed"
        assert run.outcome("rmse[sim-fixed]") == "blocked"
        assert run.outcome("rmse[sim-pgkf]") != "blocked"


def test_check_that_warns_passes_and_is_seen(make_bench):
    bench = make_bench("warns")
    bench.task(**TWO_FOLDS, **WARNED)
    run = bench.run("-m", "stbench_check")
    assert run.code == 0
    assert run.outcome("too_few_patients[sim]") == "passed"
    warned = [text for text in run.warnings if text.startswith("too_few_patients[sim]: ")]
    assert len(warned) == 1
    line = run.line("WARN  too_few_patients[sim]")
    assert "6 patients" in line
    assert "mini.stbench.yaml:" not in run.out, "what stands in the summary is said there alone"
    assert re.search(r"checks  \d+ passed, \d+ warned", run.out)


def test_warnings_of_checks_can_be_made_errors(make_bench):
    bench = make_bench("warns")
    bench.task(**TWO_FOLDS, **WARNED)
    run = bench.run("-m", "stbench_check", "-W", "error::pytest_stbench.errors.StbenchWarning")
    assert run.outcome("too_few_patients[sim]") == "failed"


class TestFailedBaseline:
    """A baseline that fails is an item of its own; the scores beside it are blocked."""

    def test_baseline_that_raises(self, bench, monkeypatch):
        from pytest_stbench.baselines.libsize import Libsize

        def fit(self, train, task):
            message = "not enough of anything"
            raise ArithmeticError(message)

        monkeypatch.setattr(Libsize, "fit", fit)
        bench.task(**{**TWO_FOLDS, "baselines": ["libsize"]})
        run = bench.run("--stbench-model=mean")
        assert run.outcome("baselines[sim-pgkf-1]") == "failed"
        message = run.message("baselines[sim-pgkf-1]")
        assert "libsize" in message
        assert "ArithmeticError: not enough of anything" in message
        assert run.outcome("contract[sim-pgkf-1]") == "passed"
        assert run.outcome("rmse[sim-pgkf-1]") == "blocked"
        assert run.outcome("rmse[sim-pgkf]") == "blocked"
        assert "libsize" in run.line("by baselines[sim-pgkf-1]: ")

    def test_listed_baseline_that_lacks_what_it_needs(self, make_bench):
        bench = make_bench()
        bench.task(
            **{**TWO_FOLDS, "family": "expression", "imputation": None, "baselines": ["he_colour"],
               "metrics": ["pearson_gene"]},
        )  # fmt: skip
        run = bench.run("--stbench-model=mean")
        assert "he_colour" in run.message("baselines[sim-pgkf-1]")
        assert "image" in run.message("baselines[sim-pgkf-1]")
        assert run.outcome("pearson_gene[sim-pgkf]") == "blocked"


@pytest.fixture(scope="module")
def no_model_run(make_bench):
    bench = make_bench("no_model")
    bench.task(**TWO_FOLDS)
    return bench.run()


class TestWithoutAModel:
    """Without --stbench-model data are judged and everything else is blocked by one cause."""

    def test_checks_run(self, no_model_run):
        assert no_model_run.outcome("panel_mismatch[sim]") == "passed"

    def test_one_cause(self, no_model_run):
        behind = [name for name in no_model_run.names if re.match("contract|baselines|rmse|spearman", name)]
        assert no_model_run.of("blocked") == behind
        line = no_model_run.line(f"blocked {len(behind)} items by no model: ")
        assert "--stbench-model=NAME" in line
        assert no_model_run.code == 1


@pytest.fixture(scope="module")
def absent_bench(make_bench):
    bench = make_bench("absent")
    away = {"source": "h5ad", "path": "elsewhere/*.h5ad", "samples": "elsewhere/samples.csv"}
    bench.task(
        **{**TWO_FOLDS, "splits": ["lopo", {"pgkf": {"k": 2}}]},
        datasets={"sim": None, "away": {**away, "technology": "Visium", "resolution": "spot", "panel": "p"}},
    )
    return bench


@pytest.fixture(scope="module")
def absent_run(absent_bench):
    return absent_bench.run("--stbench-model=mean", "-rs")


class TestAbsentData:
    """Where data is not on the machine, items exist and skip with the reason."""

    def test_items_exist_per_data_set_and_split(self, absent_run):
        for name in (
            "panel_mismatch[away]",
            "patient_leakage[away-lopo]",
            "rmse[away-lopo]",
            "rmse[away-pgkf]",
        ):
            assert absent_run.outcome(name) == "skipped"
            assert "elsewhere" in absent_run.message(name)
        assert absent_run.code == 0

    def test_no_item_without_a_place(self, absent_run):
        assert all(re.search(r"\[away(-lopo|-pgkf)?\]$", name) for name in absent_run.names if "[" in name), (
            absent_run.names
        )

    def test_fails_under_no_skip(self, absent_bench):
        run = absent_bench.run(
            "--stbench-model=mean", "--stbench-no-skip", "-k", "rmse and lopo or panel_mismatch and away"
        )
        assert run.code == 1
        assert not run.of("skipped")
        assert not run.of("passed")
        assert len(run.names) >= 2
        assert "During handling of" not in run.out


def test_a_report_after_which_an_item_is_run_again_counts_for_nothing():
    """As pytest-rerunfailures marks it; what it tells of data and models is told once, and stays."""
    from types import SimpleNamespace

    from pytest_stbench.collection.item_outcomes import status
    from pytest_stbench.collection.reports import gathered_of, take_report

    config = SimpleNamespace(stash=pytest.Stash())

    def report(outcome):
        told = {
            "outcome": "blocked", "cause": "contract[m]", "detail": "it died", "task": "t", "order": ["a"],
            "models": [{"name": "m"}],
        }  # fmt: skip
        return SimpleNamespace(outcome=outcome, when="setup", stbench=told)

    first, last = report("rerun"), report("failed")
    assert status(first) is None
    assert status(last)[0] == "blocked"
    for one in (first, last):
        take_report(config, one)
    assert gathered_of(config).blocked == {("t", "contract[m]"): ("it died", 1)}
    assert len(gathered_of(config).records["models"]) == 2
