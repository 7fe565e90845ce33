"""Metrics, checks, baselines, families, splits and hooks of a project's own conftest.py."""

from __future__ import annotations

import re

import pytest

from pytest_stbench.results import load

CONFTEST = '''
import numpy as np

from pytest_stbench.checks import CheckResult
from pytest_stbench.extend import baseline, check, metric, split
from pytest_stbench.metrics import Scores
from pytest_stbench.splits.table import Fold


@metric("L01", bounds=(0.0, None), better="down", group="error", params=("times",))
def median_error(truth, prediction, *, measured, genes, times=1.0):
    """Median absolute error of each gene."""
    with open("calls", "a") as file:
        file.write("median_error\\n")
    values = np.median(np.abs(truth - prediction), axis=0) * times
    reasons = np.where(measured, "", "gene_missing")
    return Scores(values=values, reasons=reasons, labels=np.asarray(genes))


@check("L02", severity="fail", scope="dataset", reasons={"most": "so it was agreed"})
def too_many_units(dataset, *, most=100_000):
    """Are there few units?"""
    n = sum(slide.n_units for slide in dataset.slides())
    status = "fail" if n > most else "pass"
    return CheckResult(status=status, statistic=n, threshold=most, message=f"{n} units", fix="take fewer")


@baseline("L03", kind="model", families=("imputation",))
class HalfMean:
    """Half of the mean of the training units."""

    name, revision, config = "half_mean", "1", {}

    def fit(self, train, task):
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0) / 2

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


@split(min_patients=2)
def first_out(samples, *, n=1):
    """The first patients are the test."""
    patients = sorted({sample.patient for sample in samples})[:n]
    test = tuple(s.slide for s in samples if s.patient in patients)
    return (Fold(name="first", train=tuple(s.slide for s in samples if s.slide not in test), test=test),)


def pytest_stbench_records():
    return [median_error, too_many_units, HalfMean, first_out]
'''

TASK = {
    "claim": "exploratory",
    "splits": [{"first_out": {"n": 2}}],
    "metrics": ["rmse", {"median_error": {"times": 2.0}}],
    "baselines": ["train_mean", "half_mean"],
}


@pytest.fixture
def project(make_bench):
    bench = make_bench("project")
    bench.task(**TASK)
    bench.conftest(CONFTEST)
    return bench


def test_a_task_names_what_the_conftest_declares(project):
    run = project.run("--stbench-model=mean", "--strict-markers", "-m", "not stbench_model_check")
    assert run.outcome("too_many_units[sim]") == "passed"
    assert run.outcome("median_error[sim-first_out-first]") == "passed"
    assert run.properties("median_error[sim-first_out-first]")["stbench.value"] > 0
    assert run.line("half_mean")
    # Nothing of it stays in this process.
    other = project.run("--collect-only", "-p", "no:cacheprovider", "--noconftest")
    assert "there is no metric 'median_error'" in "".join(other.collect_errors)


def test_a_baseline_of_the_project_may_change_its_training_slides(project):
    changes = """for slide in train:
            slide.target[...] = 7.0
        assert all((slide.target == 7.0).all() for slide in train)
        self.mean = """
    project.conftest(CONFTEST.replace("self.mean = ", changes))
    run = project.run("--stbench-model=half_mean", "mini.stbench.yaml::median_error")
    assert run.outcome("median_error[sim-first_out-first]") == "passed", run.out


def test_an_edited_metric_is_computed_anew(project):
    # In a store of its own: another test has scored the same with the same text.
    arguments = ("--stbench-model=ridge", "--stbench-store=own", "mini.stbench.yaml::median_error")
    assert project.run(*arguments).code == 0
    before = (project.folder / "calls").read_text().count("\n")
    assert project.run(*arguments).code == 0
    warm = (project.folder / "calls").read_text().count("\n") - before
    project.conftest(CONFTEST.replace("* times", "* times * 3"))
    assert project.run(*arguments).code == 0
    edited = (project.folder / "calls").read_text().count("\n") - before - warm
    assert edited > warm


def test_workers_know_it_too(project):
    run = project.run("--stbench-model=mean", "-n", "1", "mini.stbench.yaml::median_error")
    assert run.outcome("median_error[sim-first_out-first]") == "passed"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[len]", "pytest_stbench_records: <built-in function len> declares nothing"),
        ("3", "pytest_stbench_records: 'int' object is not iterable"),
        ("[metric('L', bounds=(0, 1), better='up')(rmse)]", "two metric records are called 'rmse'"),
    ],
)
def test_what_is_no_declaration_is_said_before_anything_runs(project, given, said):
    project.conftest(
        "from pytest_stbench.extend import metric\n\n"
        'def rmse(truth, prediction):\n    """Another."""\n\n'
        f"def pytest_stbench_records():\n    return {given}\n"
    )
    done = project.subprocess("--collect-only")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stderr


FAMILY = '''
import dataclasses

from pytest_stbench.extend import family
from pytest_stbench.families import Block
from pytest_stbench.families.imputation.ask import ImputationQuestion


class Largest(ImputationQuestion):
    """Asks for no gene that comes first by name."""

    def plan(self, train):
        plan = super().plan(train)
        return dataclasses.replace(plan, candidates=plan.candidates[self.settings.own.without :])


@family(
    "L05", method="impute", primary="rmse", metrics=("rmse",), trivial="train_mean",
    simple=("gene_gene_ridge",), baselines=(), inputs=("image", "counts"), question=Largest,
)
class FewGenes(Block):
    """Are few genes predicted as well as many?"""

    without: int
    least: int = 1

    def mistakes(self, known):
        if self.without < self.least:
            yield ("without",), f"found {self.without}; at least {self.least}"


def pytest_stbench_records():
    return [FewGenes]


def pytest_stbench_scored(item, score):
    with open("scored", "a") as file:
        file.write(f"{item.name} {score.fold} {score.metric} {score.value}\\n")


def pytest_stbench_update_results(config, results):
    return dataclasses.replace(results, scores=tuple(s for s in results.scores if s.fold is None))
'''
OWN = {
    "family": "few_genes",
    "imputation": None,
    "few_genes": {"without": 3},
    "metrics": ["rmse"],
}
SOME = ("--stbench-model=ridge", "--strict-markers", "-m", "few_genes and stbench_metric")


@pytest.fixture
def family(make_bench):
    bench = make_bench("family")
    bench.path = bench.task(claim="exploratory", **OWN)
    bench.conftest(FAMILY)
    return bench


def test_a_family_with_settings_of_the_conftest_and_its_hooks(family):
    run = family.run(*SOME, "--stbench-save=r.json")
    assert run.code == 0, run.out
    assert run.outcome("rmse[sim-lopo]") == "passed"
    assert run.lines("10 genes")
    scored = (family.folder / "scored").read_text().splitlines()
    (pooled,) = [line for line in scored if line.startswith("rmse[sim-lopo] None rmse ")]
    value = float(run.properties("rmse[sim-lopo]")["stbench.value"])
    assert float(pooled.rpartition(" ")[2]) == pytest.approx(value, rel=1e-5)
    assert sum(" None " not in line for line in scored) == 6
    saved = load(family.folder / "r.json")
    assert saved.scores
    assert {score.fold for score in saved.scores} == {None}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"without": 0}, "few_genes.without: found 0; at least 1"),
        ({"without": "many"}, "few_genes.without: found 'many'; expected a whole number"),
        (
            {"genes": 1, "lest": 2},
            "few_genes.lest: unknown key; did you mean 'least'?; allowed: without, least",
        ),
        ({"least": 0}, "few_genes.without: is missing: it is required"),
        (None, "few_genes: is missing: give without"),
    ],
)
def test_settings_of_a_project_are_held_as_those_of_the_package(family, settings, said):
    changed = {**OWN, "few_genes": settings}
    family.task(claim="exploratory", **({**changed, "few_genes": settings} if settings else changed))
    (error,) = family.run("--collect-only").collect_errors
    assert re.search(rf"mini\.stbench\.yaml:\d+: {re.escape(said)}", error), error


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Largest(ImputationQuestion)", "Largest",
         "Largest asks nothing: derive it from pytest_stbench.families.Question"),
        ("return dataclasses.replace(plan,", "return dict(",
         r"Largest.plan returned dict: it returns a pytest_stbench.families.Plan"),
        ("def pytest_stbench_scored(item, score):", "def pytest_stbench_scored(item, score):\n    1 / 0",
         r"/conftest.py:\d+: pytest_stbench_scored raised ZeroDivisionError: division by zero"),
        ("return dataclasses.replace(results,", "return dict(",
         "saved as they were: pytest_stbench_update_results returned dict: return pytest_stbench.results."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_the_words_of_its_author(family, old, new, said):
    assert old in FAMILY
    family.conftest(FAMILY.replace(old, new))
    run = family.run("--stbench-model=ridge", "--stbench-save=r.json", "mini.stbench.yaml::rmse")
    assert run.code == 1
    assert re.search(said, run.out), run.out
    assert "src/pytest_stbench" not in run.out
    assert "_callers" not in run.out


SHIFTED = '''
import dataclasses

from pytest_stbench.extend import family
from pytest_stbench.families import Block
from pytest_stbench.families.imputation.ask import ImputationQuestion


class Shift(ImputationQuestion):
    """Scores against values that a file shifts."""

    def truth(self, slide, fold):
        truth, given = super().truth(slide, fold), self.settings.resolve(self.settings.own.shift)
        return dataclasses.replace(truth, values=truth.values + float(given.read_text()))


@family(
    "L06", method="impute", primary="rmse", metrics=("rmse",), trivial="train_mean",
    simple=("gene_gene_ridge",), baselines=(), inputs=("image", "counts"), question=Shift,
)
class Shifted(Block):
    """Are shifted values predicted?"""

    shift: str

    def files(self):
        yield ("shift",), self.shift


def pytest_stbench_records():
    return [Shifted]
'''


def test_a_file_that_a_family_of_the_project_reads_is_read_anew(make_bench):
    bench = make_bench("shifted")
    own = {"family": "shifted", "imputation": None, "shifted": {"shift": "shift.txt"}, "metrics": ["rmse"]}
    bench.task(claim="exploratory", **own)
    bench.conftest(SHIFTED)

    def rmse(shift):
        (bench.folder / "shift.txt").write_text(shift)
        run = bench.run("--stbench-model=ridge", "-m", "stbench_metric")
        return float(run.properties("rmse[sim-lopo]")["stbench.value"])

    assert rmse("9.0") > rmse("0.0") + 5
