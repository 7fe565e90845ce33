"""Published methods by name, and the terms that models state."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from pytest_stbench.errors import ModelError
from pytest_stbench.models.identity import Terms, terms
from pytest_stbench.published import names, published

SMALL = {"splits": [{"pgkf": {"k": 2}}], "metrics": ["spearman_gene"]}
LICENSED = """
import numpy as np
import pytest


class Mine:
    name, revision = "mine", "1"
    licence, commercial, gated = "CC-BY-NC-4.0", False, True

    def fit(self, train, task):
        self.mean = np.nanmean(np.vstack([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.mean, (slide.n_units, 1))


@pytest.fixture
def mine():
    return Mine


@pytest.fixture
def leiden():
    return Mine
"""


def test_a_method_runs_by_its_name_and_a_fixture_shadows_it(make_bench):
    bench = make_bench()
    bench.write("conftest.py", LICENSED)
    bench.task(**SMALL)
    run = bench.run(
        "--stbench-model=spage", "--stbench-model=mine", "--stbench-model=published:tangram",
        "--stbench-store=.own", "-k", "contract or spearman_gene", "--stbench-save=saved.json",
    )  # fmt: skip
    contract = {name: run.outcome(name) for name in run.names if name.startswith("contract")}
    assert {outcome for name, outcome in contract.items() if "tangram" not in name} == {"passed"}, run.out
    assert "model spage 1 (licence MIT)" in run.out
    assert "model mine 1 (licence CC-BY-NC-4.0, not for commercial use, weights behind a gate)" in run.out
    saved = {
        model["name"]: model for model in json.loads((bench.folder / "saved.json").read_text())["models"]
    }
    assert [saved["mine"][field] for field in ("licence", "commercial", "gated")] == [
        "CC-BY-NC-4.0",
        False,
        True,
    ]
    assert saved["spage"]["licence"] == "MIT"
    assert saved["spage"]["pretraining"] == []
    missing = "tangram needs tangram-sc and torch, not installed here: pip install 'pytest-stbench[impute]'"
    assert run.out.count(missing) == 1  # all its items are blocked by the one cause


def test_a_fixture_of_its_name_comes_first(make_bench):
    bench = make_bench()
    bench.write("conftest.py", LICENSED)
    bench.task(**SMALL)
    run = bench.run("--stbench-model=leiden", "--stbench-store=.own", "-k", "contract", "-x")
    assert run.of("passed"), run.out


def test_names_say_what_there_is():
    assert {"tangram", "timm", "lazyslide", "cellpose", "spage"} <= set(names())
    with pytest.raises(ModelError, match=r"no published method 'tangrum'; did you mean 'tangram'"):
        published("tangrum")
    with pytest.raises(ModelError, match=r"write spage$"):
        published("spage:large")


def test_a_file_of_the_name_of_a_module_is_not_its_package(tmp_path, monkeypatch):
    for module in ("celltypist", "banksy"):
        (tmp_path / f"{module}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(metadata, "version", absent)
    for method, package in (("celltypist", "celltypist"), ("banksy", "pybanksy")):
        with pytest.raises(ModelError, match=f"{method} needs {package}, not installed here: pip install"):
            published(method)


def absent(name):
    raise metadata.PackageNotFoundError(name)


def test_terms_are_read_and_wrong_ones_refused():
    class Model:
        licence, commercial = "MIT", True

    assert terms(Model()) == Terms(licence="MIT", commercial=True)
    assert terms(object()) == Terms()
    Model.gated = "yes"
    with pytest.raises(ModelError, match=r"`gated` of the model must be True or False, found 'yes'"):
        terms(Model())
