"""What notebooks call runs the same items, and saves the same file."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import warnings
from pathlib import Path

import anndata
import numpy as np
import pytest
from click.testing import CliRunner

import pytest_stbench
from pytest_stbench.cli import main
from pytest_stbench.data.images.tokens import FOLDER
from pytest_stbench.errors import ResultsError, StbenchError

DOCS = Path(__file__).parents[2] / "docs" / "python-api.md"
COSTS = ("seconds", "peak_memory_mb")
FOLDS = {
    "splits": [{"pgkf": {"k": 2}}],
    "baselines": ["train_mean", "shuffled"],
    "gates": {"rmse": {"max": 0.1}},
}


class Mean:
    """The mean of the training units, gene by gene; as in the conftest.py of the folder."""

    name = "mean"

    def fit(self, train, task):
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        sys.stdout.write("predicting")
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


class Broken(Mean):
    name = "broken"

    def impute(self, slide, observed_genes, target_genes):
        raise ValueError("no idea")


@pytest.fixture(scope="module")
def lab(make_bench):
    made = make_bench("api")
    made.task("mini", FOLDS)
    return made


@pytest.fixture(scope="module")
def found(lab, shared_store):
    # As in a notebook: what the run of these tests makes of warnings is not its business.
    with warnings.catch_warnings():
        warnings.resetwarnings()
        return pytest_stbench.evaluate(
            lab.folder / "mini.stbench.yaml", Mean(), store=shared_store, keep="maps"
        )


def stored(path):
    """A results file without times and the run."""
    results = json.loads(path.read_text(encoding="utf-8"))
    for name in ("run", "digests", "sha256"):  # these are of records with the seconds they took
        del results[name]
    for score in results["scores"]:
        for name in COSTS:
            del score[name]
    return results


def test_what_is_saved_is_what_pytest_saves(lab, found):
    lab.run("--stbench-model=mean", "--stbench-save=out.json", "--stbench-keep=maps")
    (lab.folder / "api").mkdir()
    found.save(lab.folder / "api" / "out.json")
    mine, theirs = stored(lab.folder / "api" / "out.json"), stored(lab.folder / "out.json")
    assert mine["scores"]
    assert mine["kept"]["maps"]
    assert mine == theirs
    order = [list(json.loads((lab.folder / name).read_text())) for name in ("api/out.json", "out.json")]
    assert order[0] == order[1]
    run = pytest_stbench.load(lab.folder / "api" / "out.json").results.run
    assert "pytest_stbench.evaluate(" in run.command


def test_a_missed_gate_is_told_and_raises_nothing(found, capsys):
    assert not found.passed
    assert list(found.failures) == ["rmse[sim-pgkf]"]
    assert "rmse 0." in found.failures["rmse[sim-pgkf]"]
    assert "stbench: mini v1" in found.text
    assert "results saved" not in found.text  # its file goes with the object
    assert capsys.readouterr().out == ""
    assert found.to_frame().query("role == 'model'").metric.tolist() == ["spearman_gene", "rmse"]
    assert len(found.single_scores.query("level == 'gene' and metric == 'rmse' and model == 'mean'")) == 60
    assert found.map(found.results.kept.maps[0].slide).n_vars == 10


def test_a_full_disk_is_one_sentence_and_the_folder_goes_with_the_results(lab, shared_store, monkeypatch):
    found = pytest_stbench.evaluate(lab.folder / "mini.stbench.yaml", "train_mean", store=shared_store)
    folder = found._place.parent
    assert (folder / "parts").is_dir()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_stbench.results.single_scores.write_scores", full)
    with pytest.raises(ResultsError, match=r"cannot be written to \(No space left on device\)"):
        found.save(lab.folder / "full" / "out.json")
    assert not (lab.folder / "full" / "out.json").exists()
    del found
    gc.collect()
    assert not folder.exists()


def test_saving_joins_what_is_there(lab, found, shared_store):
    path = lab.folder / "joined.json"
    other = pytest_stbench.evaluate(lab.folder / "mini.stbench.yaml", {"other": Mean}, store=shared_store)
    found.save(path)
    other.save(path)
    joined = pytest_stbench.load(path)
    assert {score.model for score in joined.results.scores if score.role == "model"} == {"mean", "other"}
    assert {"mean", "other"} < set(joined.single_scores.model)


def test_a_model_that_fails_is_told(lab, shared_store):
    environment = dict(os.environ)
    broken = pytest_stbench.evaluate(
        lab.folder / "mini.stbench.yaml", [Broken, "train_mean"], store=shared_store
    )
    assert "raised ValueError: no idea" in broken.failures["contract[broken-sim-pgkf-1]"]
    assert {score.model for score in broken.results.scores if score.role == "model"} == {"train_mean"}
    changed = {
        name
        for name in environment.keys() | os.environ.keys()
        if environment.get(name) != os.environ.get(name)
    }
    # The last one leads children of this process to images, for as long as it lives.
    assert changed <= {"PYTEST_CURRENT_TEST", "PYTEST_VERSION", FOLDER}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("stbench: 1\nnmae: x\n", {}, r"bad\.stbench\.yaml:2: nmae"),
        (None, {"gates": ["rmse.most=1"]}, r"rmse\.most=1"),
        (None, {"keep": "everything"}, "invalid choice: 'everything'"),
    ],
)
def test_what_cannot_be_run_says_so_without_a_traceback(lab, text, options, message):
    path = lab.folder / "mini.stbench.yaml"
    if text is not None:
        path = lab.write("bad/bad.stbench.yaml", text)
    with pytest.raises(StbenchError, match=message) as error:
        pytest_stbench.evaluate(path, "ridge", **options)
    assert "Traceback" not in str(error.value)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    rng = np.random.default_rng(0)
    made = anndata.AnnData(rng.poisson(1.0, size=(40, 30)).astype(np.float32))
    made.var_names = [f"GENE{i}" for i in range(30)]
    made.obsm["spatial"] = np.array([[i // 8, i % 8] for i in range(40)]) * 100.0
    made.write_h5ad(folder / "data.h5ad")
    return made, folder / "data.h5ad"


def test_data_are_judged_as_the_command_does(slides):
    made, path = slides
    given = {"settings": {"technology": "Visium", "um_per_px": 1.0}, "skip": ["patient_leakage"]}
    said = "--set technology=Visium --set um_per_px=1.0 --skip patient_leakage --format json"
    command = CliRunner().invoke(main, ["check", str(path), *said.split()])
    theirs = json.loads(command.stdout)
    found = pytest_stbench.check(path, **given)
    mine = found.results.to_dict()
    for data in (mine, theirs):
        del data["run"]
    assert mine["checks"]
    assert mine == theirs
    assert not found.passed
    assert "checks  " in found.text
    in_memory = pytest_stbench.check(made, **given)
    assert in_memory.to_frame("checks").equals(found.to_frame("checks"))


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("nowhere.h5ad", {}, "nowhere.h5ad"),
        (3, {}, "data 1 is int: give a path, or an AnnData"),
        ("x.h5ad", {"select": ["patient_leakge"]}, "did you mean 'patient_leakage"),
        ("x.h5ad", {"claim": "all"}, "choose population or exploratory"),
        ("x.h5ad", {"settings": {"tech": 1}}, "expected KEY=VALUE"),
    ],
)
def test_what_cannot_be_judged_says_so(data, options, message):
    with pytest.raises(StbenchError, match=re.escape(message)):
        pytest_stbench.check(data, **options)


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, shared_store):
    import matplotlib as mpl

    mpl.use("Agg")
    (code,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
        if "evaluate(" in block
    ]
    monkeypatch.chdir(tmp_path)
    made = {}
    exec(compile(code, str(DOCS), "exec"), made)
    assert made["results"].results.scores
    assert (tmp_path / "mean.json").exists()
    assert (tmp_path / "mean.kept" / "scores.parquet").exists()
