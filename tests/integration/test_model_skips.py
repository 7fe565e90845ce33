"""A model that skips, expects its failure or ends the process has not passed."""

from __future__ import annotations

import os

import pytest

FOLDS = ["P01", "P02", "P03", "P04", "P05", "P06"]
CONTRACT = "mini.stbench.yaml::contract"
TASK = {"baselines": ["train_mean", "ridge"], "claim": "exploratory"}

WAYS = '''
import asyncio
import os
import unittest
from pathlib import Path

HERE = Path(__file__).parent
ALL = {f"P0{number}" for number in range(1, 7)}


class SaysNothing(Exception):
    def __str__(self):
        raise SystemExit(0)


class Lazy:
    """An array that gives way when it is looked at."""

    def __init__(self, shape, way):
        self.shape = shape
        self.way = way

    def __array__(self, *arguments, **named):
        self.way()


def raises(error):
    raise error


WAYS = {
    "skip": lambda: pytest.skip("not today"),
    "importorskip": lambda: pytest.importorskip("no_such_module_at_all"),
    "xfail": lambda: pytest.xfail("known"),
    "fail": lambda: pytest.fail("no good"),
    "exit": lambda: pytest.exit("enough", returncode=0),
    "SkipTest": lambda: raises(unittest.SkipTest("neither")),
    "CancelledError": lambda: raises(asyncio.CancelledError()),
    "GeneratorExit": lambda: raises(GeneratorExit()),
    "no text": lambda: raises(SaysNothing()),
    "sys.exit": lambda: raises(SystemExit(0)),
}
WHERE = dict(zip(sorted(ALL), os.environ.get("WAYS", "").split(","), strict=False))


class GivesWay(Mean):
    """In each fold gives way in one of the ways; adds a line to a file for every fit."""

    where = "fit"

    def way(self):
        WAYS[WHERE[self.fold]]()

    def fit(self, train, task):
        (self.fold,) = ALL - {slide.meta.patient_id for slide in train}
        with (HERE / "fits").open("a") as file:
            file.write(self.fold + "\\\\n")
        if self.where == "fit":
            self.way()
        super().fit(train, task)

    def impute(self, slide, observed_genes, target_genes):
        if self.where == "predict":
            self.way()
        return Lazy((slide.n_units, len(target_genes)), self.way)


@pytest.fixture(scope="session", params=["fit", "predict", "output"])
def gives_way(request):
    return type("GivesWay", (GivesWay,), {"where": request.param})


class Built:
    def __init__(self):
        with (HERE / "built").open("a") as file:
            file.write("x")
        pytest.skip("no GPU")

    def impute(self, *arguments):
        pass


class Copied(Mean):
    def __deepcopy__(self, memo):
        pytest.skip("not to be copied")


class Asked(Mean):
    @property
    def name(self):
        pytest.xfail("nameless")


@pytest.fixture
def built():
    return Built


@pytest.fixture
def copied():
    return Copied()


@pytest.fixture
def asked():
    return Asked


@pytest.fixture
def skips():
    pytest.skip("no weights here")


@pytest.fixture(scope="session")
def exits():
    pytest.exit("enough", returncode=0)


@pytest.fixture(scope="session")
def weights():
    return pytest.importorskip("no_such_module_at_all")


@pytest.fixture
def needs(weights):
    return Mean()


@pytest.fixture
def leaves():
    yield Mean
    pytest.skip("after all")
'''.replace("\\\\", "\\")


@pytest.fixture
def bench(make_bench):
    made = make_bench("gives way")
    made.task(**TASK)
    made.conftest(WAYS)
    return made


@pytest.mark.parametrize(
    "ways",
    [
        ("skip", "importorskip", "xfail", "fail", "exit", "SkipTest"),
        ("CancelledError", "GeneratorExit", "no text", "sys.exit", "skip", "xfail"),
    ],
)
def test_a_model_that_gives_way_has_broken_its_contract_and_is_not_fitted_again(bench, monkeypatch, ways):
    monkeypatch.setenv("WAYS", ",".join(ways))
    run = bench.run("--stbench-model=gives_way", CONTRACT, "mini.stbench.yaml::rmse")
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.out
    for where in ("fit", "predict", "output"):
        for fold, way in zip(FOLDS, ways, strict=True):
            name = f"contract[{where}-sim-lopo-{fold}]"
            assert run.outcome(name) == "failed", run.out
            message = run.message(name)
            if where == "output" and "does not become one" in message:
                continue  # told as any other error of a conversion
            assert f"(in {where})" in message
            assert "conftest.py" in message
            if way in ("skip", "importorskip", "xfail", "fail", "exit"):
                call = "skip" if way == "importorskip" else way
                assert f"called pytest.{call}()" in message
                assert "has not passed" in message
            assert run.outcome(f"rmse[{where}-sim-lopo-{fold}]") == "blocked"
        assert run.outcome(f"rmse[{where}-sim-lopo]") == "blocked"
    assert set(run.categories) == {"failed", "blocked"}
    fits = (bench.folder / "fits").read_text().split()
    assert sorted(fits) == sorted(FOLDS * 3)


@pytest.mark.parametrize(
    "xdist",
    [
        pytest.param((), id="alone"),
        pytest.param(("-n", "1"), id="n1"),
        pytest.param(("-n", "2"), id="n2", marks=pytest.mark.exhaustive),
    ],
)
def test_a_fixture_or_constructor_that_gives_way_blocks_its_items(bench, xdist):
    if xdist:
        pytest.importorskip("xdist")
    names = ["built", "copied", "asked", "skips", "exits", "needs"]
    items = [f"{CONTRACT}[{name}-sim-lopo-P01]" for name in names]
    run = bench.run(*(f"--stbench-model={name}" for name in names), *items, *xdist)
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.out
    said = {
        "built": "building it called pytest.skip(): no GPU",
        "copied": "building it called pytest.skip(): not to be copied",
        "asked": "building it called pytest.xfail(): nameless",
        "skips": "its fixture skips called pytest.skip(): no weights here",
        "exits": "called pytest.exit(): enough",
        "needs": "called pytest.skip(): could not import 'no_such_module_at_all'",
    }
    for name in names:
        item = f"contract[{name}-sim-lopo-P01]"
        assert run.outcome(item) == "blocked", run.out
        assert said[name] in run.message(item)
    assert set(run.categories) == {"blocked"}


@pytest.mark.parametrize("name", ["needs", "exits"])
def test_the_fixtures_of_a_single_model_are_known_by_their_names(bench, name):
    run = bench.run(f"--stbench-model={name}", f"{CONTRACT}[sim-lopo-P01]", f"{CONTRACT}[sim-lopo-P02]")
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.out
    assert run.of("blocked") == ["contract[sim-lopo-P01]", "contract[sim-lopo-P02]"]
    assert set(run.categories) == {"blocked"}


def test_a_model_is_built_once_where_building_fails(bench):
    bench.run("--stbench-model=built", CONTRACT)
    assert (bench.folder / "built").read_text() == "x"


def test_a_fixture_that_skips_when_it_is_torn_down_is_an_error(bench):
    run = bench.run("--stbench-model=leaves", f"{CONTRACT}[sim-lopo-P01]")
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.out
    assert run.of("error") == ["contract[sim-lopo-P01]"]
    assert "after all" in run.message("contract[sim-lopo-P01]")


MARKS = """

@pytest.fixture(autouse=True)
def _not_here(request):
    if "P03" in request.node.name:
        pytest.skip("not on this machine")


def pytest_collection_modifyitems(items):
    for item in items:
        if "P01" in item.name:
            item.add_marker(pytest.mark.skip(reason="slow"))
        if "P02" in item.name:
            item.add_marker(pytest.mark.xfail(reason="flaky"))


class Raises(Mean):
    def fit(self, train, task):
        raise ValueError("no")


@pytest.fixture
def raises():
    return Raises
"""


def test_what_marks_and_other_fixtures_skip_is_allowed_but_under_no_skip(bench):
    bench.conftest(MARKS)
    arguments = ("--stbench-model=raises", *(f"{CONTRACT}[sim-lopo-P0{fold}]" for fold in "123"))
    free = bench.run(*arguments)
    assert free.of("skipped") == ["contract[sim-lopo-P01]", "contract[sim-lopo-P03]"]
    assert free.of("xfailed") == ["contract[sim-lopo-P02]"]
    strict = bench.run(*arguments, "--stbench-no-skip")
    assert strict.code == pytest.ExitCode.TESTS_FAILED
    assert not strict.of("skipped")
    assert not strict.of("xfailed")
    for fold, why in (("P01", "slow"), ("P02", "flaky"), ("P03", "not on this machine")):
        assert why in strict.message(f"contract[sim-lopo-{fold}]")
        assert "--stbench-no-skip" in strict.message(f"contract[sim-lopo-{fold}]")


def test_a_gate_that_the_task_file_knows_to_fail_is_a_reason_of_ours(bench):
    bench.task(
        **TASK,
        gates={"spearman_gene": {"min": 0.99}},
        xfail={"spearman_gene": "too little data"},
    )
    pooled = "mini.stbench.yaml::spearman_gene[sim-lopo]"
    run = bench.run("--stbench-model=mean", "--stbench-no-skip", pooled)
    assert run.of("xfailed") == ["spearman_gene[sim-lopo]"], run.out


LEAVES = """
import os
from os import _exit


class Leaves(Mean):
    def fit(self, train, task):
        _exit(0)


class Forks(Mean):
    def fit(self, train, task):
        os.fork()
        super().fit(train, task)


@pytest.fixture
def leaves():
    return Leaves()


@pytest.fixture
def forks():
    os.fork()
    return Forks()
"""


@pytest.fixture
def leaving(make_bench):
    made = make_bench("leaves")
    made.task(**TASK)
    made.conftest(LEAVES)
    return made


def test_a_model_that_ends_the_process_never_ends_it_well(leaving):
    done = leaving.subprocess("--stbench-model=leaves", f"{CONTRACT}[sim-lopo-P01]", timeout=300)
    assert done.returncode == 70, done.stdout
    assert "os._exit(0) was called before the run had ended" in done.stderr
    assert "in fit" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_is_no_second_run(leaving):
    done = leaving.subprocess("--stbench-model=forks", f"{CONTRACT}[sim-lopo-P01]", "-v", timeout=300)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 1
    assert done.stdout.count("1 passed") == 1
    assert done.stderr.count("came back from it and was ended") == 2, "one of the fixture, one of fit"


def test_exits_are_as_they_were_after_a_run(bench):
    before = os._exit
    bench.run("--stbench-model=ridge", "--collect-only", "-q")
    assert os._exit is before
