"""What decorators keep of functions and classes, and the index that is made of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import pytest_stbench
from pytest_stbench import index
from pytest_stbench.cli import main
from pytest_stbench.errors import StbenchError
from pytest_stbench.extend import baseline, check, family, metric, reader, record_of, split
from pytest_stbench.families import Block
from pytest_stbench.families.question import question_of
from pytest_stbench.index import (
    ENTRY_POINT_GROUP,
    KINDS,
    NAME,
    declared,
    external_entries,
    loaded,
    own,
    read,
    stub_of,
    text_of,
)
from pytest_stbench.registry import Baseline, Catalogue, Check, Family, Metric, Reader, Split
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.task_model import task_model

INDEX = Path(pytest_stbench.__file__).with_name(NAME)


def statistic(truth):
    """Return something."""


def distance(truth, prediction, *, graph, power=1.0, measured=None, genes=None, patients=None):
    """Distance of ranks.

    More of it.
    """


def few(dataset, *, notes=None, least=3, across=("lotech",)):
    """Are there few?"""


class RowMean:
    """The mean of a row."""


class Rows(Block):
    """Are rows told apart?"""

    least: int = 3


def halves(samples, *, k=None, seed=0):
    """Two halves."""


def open_source(config, samples, roots):
    """Files of a lab."""


def index_source(config, roots, store):
    """List them."""


HERE = __name__


def test_a_metric():
    given = {"bounds": (0.0, None), "better": "down", "over": "slide", "source": "a paper"}
    found = metric("X1", params=("power",), inputs=("patients",), statistic=statistic, **given)(distance)
    assert found is distance
    assert record_of(distance) == Metric(
        id="X1", name="distance", summary="Distance of ranks", target=f"{HERE}:distance",
        inputs=("graph", "patients"), params={"power": 1.0}, statistic=f"{HERE}:statistic", **given,
    )  # fmt: skip


def test_a_check():
    reasons = {"least": "two are no sample", "across": "it asks for it"}
    check("X2", severity="fail", scope="dataset", reasons=reasons)(few)
    assert record_of(few) == Check(
        id="X2", name="few", summary="Are there few?", target=f"{HERE}:few", severity="fail", scope="dataset",
        params={"least": 3, "across": ("lotech",)}, reasons=reasons,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("dataset", "dataset"),
        ("split", "split"),
        ("task", "task"),
        ("model", "nothing"),
        ("results", "nothing"),
    ],
)
def test_what_a_check_holds_back_follows_from_its_scope(scope, held):
    assert Check(id="", name="", summary="", severity="fail", scope=scope, target="").blocks == held


def test_a_baseline_a_split_and_a_reader():
    baseline("X3", kind="model", families=("expression",))(RowMean)
    assert record_of(RowMean) == Baseline(
        id="X3", name="row_mean", summary="The mean of a row", kind="model", families=("expression",),
        target=f"{HERE}:RowMean",
    )  # fmt: skip
    split(min_patients=2)(halves)
    assert record_of(halves) == Split(
        id="halves", name="halves", summary="Two halves", target=f"{HERE}:halves", min_patients=2,
        params={"k": None, "seed": 0},
    )  # fmt: skip
    reader("X4", "lab", index=index_source, needs_path=True)(open_source)
    assert record_of(open_source) == Reader(
        id="X4", name="lab", summary="Files of a lab", target=f"{HERE}:open_source",
        index=f"{HERE}:index_source", needs_path=True,
    )  # fmt: skip


def test_a_family():
    given = {
        "method": "m", "primary": "rmse", "metrics": ("rmse",), "trivial": "row_mean", "simple": (),
        "baselines": (),
    }  # fmt: skip
    family("X5", question=RowMean, **given)(Rows)
    assert record_of(Rows) == Family(
        id="X5", name="rows", summary="Are rows told apart?", target=f"{HERE}:Rows",
        question=f"{HERE}:RowMean", **given,
    )  # fmt: skip
    with pytest.raises(StbenchError, match=r"the family rows: .*RowMean asks nothing: derive it from"):
        question_of(replace(record_of(Rows), target=f"{HERE}:Rows"))
    beside = type("Kinds", (Block,), {"__module__": "lab.kinds.declare", "__doc__": "Kinds?"})
    assert record_of(family("X6", **given)(beside)).question == "lab.kinds.ask:KindsQuestion"


@pytest.mark.parametrize("name", ["Metrics", "Blocks", "Extends", "ModelDump"])
def test_no_family_bears_the_name_of_a_key(name, monkeypatch):
    made = type(name, (Block,), {"__module__": HERE, "__doc__": "It.", "__qualname__": name})
    monkeypatch.setattr(sys.modules[HERE], name, made, raising=False)
    given = {"method": "m", "primary": "rmse", "metrics": (), "trivial": "t", "simple": (), "baselines": ()}
    record = record_of(family("X5", question=RowMean, **given)(made))
    registry = replace(builtin_registry(), families=Catalogue("family", [record]))
    with pytest.raises(StbenchError, match=f"no family can be called '{record.name}', which is a key"):
        task_model(registry)


def test_a_family_that_cannot_be_imported_is_named():
    lost = replace(next(iter(own(Family))), target="nowhere_at_all.declare:Lost", name="lost")
    registry = replace(builtin_registry(), families=Catalogue("family", [lost]))
    with pytest.raises(StbenchError, match=r"lost: nowhere_at_all.declare:Lost cannot be imported"):
        task_model(registry)


def test_a_subclass_is_not_what_its_parent_is():
    baseline("X3", kind="model", families=("expression",))(RowMean)
    assert record_of(type("Other", (RowMean,), {})) is None


@pytest.mark.parametrize(
    ("declare", "made", "said"),
    [
        (metric("X1", better="down"), distance, "missing 1 required keyword-only argument: 'bounds'"),
        (metric("X1", bounds=(0, 1), betters="up"), distance, "@metric knows no 'betters'; did you"),
        (metric("X1", params=("powr",)), distance, "params names 'powr', .* did you mean 'power'"),
        (metric("X1", inputs=("grph",)), distance, "inputs names 'grph', .* did you mean 'graph'"),
        (metric("X1", params=("graph",)), distance, "the parameter 'graph' needs a default"),
        (metric("X1"), few, "the first arguments are truth, prediction, not dataset"),
        (check("X2", reasons={"most": "so"}), few, "reasons names 'most', which is no keyword-only argument"),
        (split(least=2), halves, "@split knows no 'least'"),
        (family("X5"), RowMean, "stands on a class of settings: derive one from pytest_stbench.fam"),
        (family("X5"), Rows, "say which class asks: `question=CLASS`, or declare it in a file declare.py"),
        (family("X5", question=RowMean, methd="m"), Rows, "@family knows no 'methd'; did you mean 'method'"),
        (family("X5", question=RowMean, method="m"), Rows, "@family: missing .* 'primary'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_where_it_stands(declare, made, said):
    with pytest.raises(StbenchError, match=f"{HERE}:{made.__name__}: .*{said}"):
        declare(made)


def test_the_index_is_what_the_package_declares():
    assert INDEX.read_text(encoding="utf-8") == text_of(declared("pytest_stbench")), "run: stbench index"


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_record_is_read_as_it_was_declared(kind):
    assert own(kind)
    for record in own(kind):
        assert record_of(loaded(record)) == record
        assert record.summary
        assert not record.summary.endswith(".")


def test_an_index_that_is_older_than_its_module_names_the_command():
    record = next(iter(own(Check)))
    with pytest.raises(
        StbenchError, match=f"declares {record.name} otherwise: run `stbench index pytest_stbench`"
    ):
        loaded(replace(record, severity="warn", after="x"))
    with pytest.raises(StbenchError, match="run `stbench index pytest_stbench`"):
        loaded(replace(record, target="pytest_stbench.checks.metadata:gone"))


def test_what_declares_nothing_is_loaded_as_it_is():
    record = Metric(id="X", name="x", summary="", bounds=(0, 1), better="up", target="math:sqrt")
    assert loaded(record)(4) == 2


MODULE = '''
from pytest_stbench.extend import metric

@metric("X1", bounds=(0.0, None), better="down", params=("power", "cut"))
def distance(truth, prediction, *, power=1.0, cut=(0.5, None), measured=None, genes=None):
    """Distance of ranks."""
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "mypack"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("from mypack.deep.ranks import distance\n")
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "ranks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypack"]:
        del sys.modules[name]


def test_the_command_writes_the_index_of_a_package(package):
    done = CliRunner().invoke(main, ["index", "mypack"])
    assert done.exit_code == 0, done.output
    assert done.output == f"{package / NAME}: 1 records\n"
    (record,) = read(package / NAME)[Metric]
    assert (record.name, record.target) == ("distance", "mypack.deep.ranks:distance")
    assert record.params == {"power": 1.0, "cut": (0.5, None)}
    assert loaded(record)


FAMILY = '''
from pytest_stbench.extend import family
from pytest_stbench.families import Block

FACTS = {"primary": "rmse", "metrics": ("rmse",), "trivial": "train_mean", "simple": (), "baselines": ()}

@family("X2", method="impute", **FACTS)
class Again(Block):
    """Asks again."""
'''


def test_a_family_is_a_folder_of_two_files(package):
    (package / "deep" / "again").mkdir()
    (package / "deep" / "again" / "declare.py").write_text(FAMILY)
    (package / "deep" / "again" / "ask.py").write_text("import nowhere_at_all\n")
    done = CliRunner().invoke(main, ["index", "mypack"])
    assert done.exit_code == 0, done.output
    (record,) = read(package / NAME)[Family]
    assert (record.name, record.question) == ("again", "mypack.deep.again.ask:AgainQuestion")
    assert record.columns == "genes"


def test_the_stub_of_metrics_is_what_the_command_writes():
    stub = INDEX.parent / "metrics" / "__init__.pyi"
    text = stub.read_text(encoding="utf-8")
    assert stub_of(text, own(Metric)) == text, "run: stbench index"


def test_the_stub_offers_a_metric_that_is_added():
    text = "from .ranks import Ranks as Ranks, rank as rank\nfrom .scores import Scores as Scores\n"
    added = [
        Metric(id="X", name=name, summary="", bounds=(0, 1), better="up", target=f"mypack.{module}:{name}")
        for module, name in [("ranks", "median_rank"), ("error", "squared_error"), ("ranks", "rank")]
    ]
    assert stub_of(text, added) == (
        "from .error import squared_error as squared_error\n"
        "from .ranks import Ranks as Ranks, median_rank as median_rank, rank as rank\n"
        "from .scores import Scores as Scores\n"
    )


@pytest.mark.parametrize("broken", ["", "{}", '{"metrics": [{"id": "X"}]}'])
def test_the_command_mends_an_index_that_cannot_be_read(package, broken):
    (package / NAME).write_text(broken)
    done = CliRunner().invoke(main, ["index", "mypack"])
    assert done.exit_code == 0, done.output
    assert len(read(package / NAME)[Metric]) == 1


def test_an_index_of_something_else_names_the_command(package, brought):
    (package / NAME).write_text('{"metrics": [{"id": "X"}]}')
    with pytest.raises(StbenchError, match=r"index.json: is no index .*: run `stbench index mypack`"):
        brought("mypack")


def test_a_package_that_cannot_be_imported_is_named(package, brought):
    (package / "__init__.py").write_text("import nowhere_at_all")
    with pytest.raises(StbenchError, match=r"mine = mypack of .* cannot be imported: ModuleNotFound"):
        brought("mypack")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere_at_all", "package nowhere_at_all: No module named .*: name an installed package"),
        ("json.decoder", "json.decoder is no package"),
    ],
)
def test_the_command_says_what_is_no_package(name, said):
    done = CliRunner().invoke(main, ["index", name])
    assert done.exit_code == 2
    assert re.search(said, done.output), done.output


def test_a_function_without_docstring_has_no_summary(package):
    (package / "deep" / "ranks.py").write_text(MODULE.replace('"""Distance of ranks."""', "pass"))
    done = CliRunner().invoke(main, ["index", "mypack"])
    assert done.exit_code == 2
    assert "mypack.deep.ranks:distance needs a docstring: its first line is the summary" in done.output


def test_docstrings_may_be_gone():
    code = (
        "from pytest_stbench.index import loaded, own; from pytest_stbench.registry import Check\n"
        "record = next(r for r in own(Check) if r.needs == 'metadata'); loaded(record)\n"
        "import sys; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-OO", "-c", code], check=True)


def test_the_index_is_one_record_a_line():
    lines = INDEX.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line.rstrip(",")) for line in lines if line.startswith('{"id"')]
    assert len(records) == sum(len(own(kind)) for kind in KINDS.values())


@pytest.fixture
def brought(package):
    """What an entry point with this value brings."""
    info = package.parent / "mypack-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypack\nVersion: 1\n")

    def bring(value):
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nmine = {value}\n")
        index._entry_points.cache_clear()
        return [record for entry, records in external_entries() if entry.name == "mine" for record in records]

    yield bring
    index._entry_points.cache_clear()


def test_an_entry_point_names_a_package(brought, package):
    (record,) = brought("mypack")
    assert record.target == "mypack.deep.ranks:distance"
    for name in [name for name in sys.modules if name.startswith("mypack.")]:
        del sys.modules[name]
    (package / "__init__.py").write_text("")
    (package / NAME).write_text(text_of([record]))
    assert brought("mypack") == [record]
    assert "mypack.deep" not in sys.modules


def test_an_entry_point_names_what_is_declared_or_records(brought, package):
    (package / "__init__.py").write_text(
        "from mypack.deep.ranks import distance\nfrom pytest_stbench.extend import record_of\n"
        "BOTH = (distance, record_of(distance))\nWRONG = (distance, 3)\n"
    )
    one, other = brought("mypack:BOTH")
    assert one == other
    with pytest.raises(StbenchError, match=r"mine = mypack:WRONG of .*: 3 is no record and declares none"):
        brought("mypack:WRONG")
