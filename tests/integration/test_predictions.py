"""Inputs to files, predictions from files: the same numbers as in one process."""

from __future__ import annotations

import contextlib
import json
import runpy
import shutil
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main

PREDICT = """
import json, pathlib, sys
import anndata, numpy as np, pandas as pd

source, out, ending = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
for facts in source.rglob("task.json"):
    fold = facts.parent
    task = json.loads(facts.read_text())
    train = [anndata.read_h5ad(path) for path in sorted((fold / "train").iterdir())]
    target = np.concatenate([slide.obsm["target"] for slide in train])
    depth = np.concatenate([np.log1p(np.asarray(s.X.sum(axis=1)).ravel()) for s in train])
    design = np.column_stack([np.ones_like(depth), depth])
    weights = np.linalg.lstsq(design, target.astype(float), rcond=None)[0]
    for path in sorted((fold / "test").iterdir()):
        slide = anndata.read_h5ad(path)
        x = np.log1p(np.asarray(slide.X.sum(axis=1)).ravel())
        values = (np.column_stack([np.ones_like(x), x]) @ weights).astype(np.float32)
        frame = pd.DataFrame(values, index=slide.obs_names, columns=task["genes"])
        frame = frame.sample(frac=1, random_state=0)[task["genes"][::-1]]
        where = out / fold.relative_to(source)
        where.mkdir(parents=True, exist_ok=True)
        name = where / f"{path.stem}.{ending}"
        if ending == "parquet":
            frame.to_parquet(name)
        elif ending == "npz":
            np.savez(name, values=frame.to_numpy(), units=list(frame.index), genes=list(frame.columns))
        else:
            anndata.AnnData(frame.to_numpy(), obs=pd.DataFrame(index=frame.index),
                            var=pd.DataFrame(index=frame.columns)).write_h5ad(name)
"""
SAME = """
class Depth:
    def fit(self, train, task):
        target = np.concatenate([slide.target for slide in train]).astype(float)
        design = np.concatenate([self._design(slide) for slide in train])
        self.weights = np.linalg.lstsq(design, target, rcond=None)[0]

    def _design(self, slide):
        x = np.log1p(np.asarray(slide.units.X.sum(axis=1)).ravel())
        return np.column_stack([np.ones_like(x), x])

    def impute(self, slide, observed_genes, target_genes):
        return (self._design(slide) @ self.weights).astype(np.float32)


@pytest.fixture
def depth():
    return Depth()
"""


@pytest.fixture(scope="module")
def exported(make_bench):
    bench = make_bench("files")
    bench.conftest(SAME)
    bench.task("mini", splits=[{"pgkf": {"k": 2}}], baselines=["train_mean"], claim="exploratory")
    done = CliRunner().invoke(
        main, ["export-inputs", str(bench.folder / "mini.stbench.yaml"), str(bench.folder / "inputs")]
    )
    assert done.exit_code == 0, done.output
    assert "wrote the inputs of 2 folds" in done.output
    bench.write("predict.py", PREDICT)
    return bench


def predict(bench, ending, out):
    with contextlib.chdir(bench.folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["predict.py", "inputs", out, ending])
        runpy.run_path("predict.py", run_name="__main__")
    manifest = json.loads((bench.folder / "inputs" / "stbench-predictions.json").read_text())
    (bench.folder / out / "stbench-predictions.json").write_text(json.dumps({**manifest, "name": out}))


@pytest.mark.parametrize("ending", ["h5ad", "parquet", "npz"])
def test_files_give_the_numbers_of_the_same_model(exported, ending):
    predict(exported, ending, f"v-{ending}")
    inside = exported.run("--stbench-model=depth")
    files = exported.run(f"--stbench-model=predictions:v-{ending}")

    assert files.of("passed") == inside.of("passed"), files.out
    for metric in ("spearman_gene", "rmse"):
        for place in ("", "-1", "-2"):
            item = f"{metric}[sim-pgkf{place}]"
            assert files.properties(item)["stbench.value"] == pytest.approx(
                inside.properties(item)["stbench.value"], rel=1e-5
            )
    assert files.properties("rmse[sim-pgkf]")["stbench.model"] == f"v-{ending}"


def test_exported_units_are_named_and_ordered_by_place(exported):
    import anndata

    for path in (exported.folder / "inputs").rglob("*.h5ad"):
        units = anndata.read_h5ad(path)
        assert units.obs_names[0] == "unit0000001"
        x, y = units.obsm["spatial"].T
        row = np.floor((y - y.min()) / 1000)
        assert np.array_equal(np.lexsort((y, x, row)), np.arange(len(x)))
    (train, *_) = sorted((exported.folder / "inputs").rglob("train/*.h5ad"))
    counts = anndata.read_h5ad(train.parents[1] / "counts" / train.name)
    given = anndata.read_h5ad(train)
    assert np.array_equal(counts[:, given.var_names].X.toarray(), given.X.toarray())


def test_two_folders_and_a_baseline_side_by_side_on_workers(exported):
    predict(exported, "npz", "one")
    predict(exported, "parquet", "two")
    run = exported.run(
        "-n", "2", "-m", "not stbench_check", "--stbench-model=predictions:one",
        "--stbench-model=predictions:two", "--stbench-model=ridge", "--stbench-save=out.json",
    )  # fmt: skip
    assert run.code == 0, run.out
    scores = json.loads((exported.folder / "out.json").read_text())["scores"]
    pooled = {
        s["model"]: s["value"]
        for s in scores
        if s["metric"] == "rmse" and s["fold"] is None and s["role"] == "model"
    }
    assert pooled["one"] == pytest.approx(pooled["two"])
    assert set(pooled) == {"one", "two", "ridge"}


def test_a_partial_folder_blocks_and_lists_what_is_missing(exported):
    predict(exported, "npz", "partial")
    gone = sorted((exported.folder / "partial").rglob("*.npz"))[-1]
    gone.unlink()
    run = exported.run("--stbench-model=predictions:partial")
    assert set(run.of("blocked")) >= {"contract[sim-pgkf-1]", "rmse[sim-pgkf]"}
    line = run.line("predictions:partial")
    assert "1 files are missing" in line
    assert str(gone.relative_to(exported.folder / "partial")).replace(".npz", ".h5ad") in line


def test_a_file_that_lacks_units_fails_its_contract(exported):
    predict(exported, "npz", "short")
    path = sorted((exported.folder / "short").rglob("*.npz"))[0]
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    np.savez(path, values=arrays["values"][1:], units=arrays["units"][1:], genes=arrays["genes"])
    run = exported.run("--stbench-model=predictions:short")
    assert len(run.of("failed")) == 1
    assert "1 of 60 units that were asked for are missing" in run.message(run.of("failed")[0])


def test_a_folder_that_is_not_there(exported):
    run = exported.run("--stbench-model=predictions:nowhere")
    assert run.lines("no such folder")
    assert not run.of("error")


def test_another_state_of_the_task_is_refused(exported):
    predict(exported, "npz", "old")
    shutil.copy(exported.folder / "mini.stbench.yaml", exported.folder / "kept.yaml")
    exported.task(
        "mini", splits=[{"pgkf": {"k": 2}}], baselines=["train_mean"], claim="exploratory",
        preprocess={"genes": {"n": 9}},
    )  # fmt: skip
    run = exported.run("--stbench-model=predictions:old")
    shutil.move(exported.folder / "kept.yaml", exported.folder / "mini.stbench.yaml")
    assert run.lines("another state of task mini")


def test_the_export_holds_no_truth_of_its_test_slides(exported):
    import anndata
    import numpy as np

    inputs = exported.folder / "inputs"
    for facts in inputs.rglob("task.json"):
        task = json.loads(facts.read_text())
        assert not set(task["train"]) & set(task["test"])
        assert {p.stem for p in (facts.parent / "counts").iterdir()} == set(task["train"])
        for path in (facts.parent / "test").iterdir():
            slide = anndata.read_h5ad(path)
            assert set(slide.obsm) == {"spatial"}
            assert list(slide.var_names) == task["observed_genes"]
            assert not set(task["genes"]) & set(slide.var_names)
            assert list(slide.obs.columns) == []
            assert not slide.layers
            assert not slide.uns
            hidden = anndata.read_h5ad(next(inputs.rglob(f"counts/{path.name}")))[
                :, task["genes"]
            ].X.toarray()
            for column in slide.X.toarray().T:
                assert not any(np.array_equal(column, other) for other in hidden.T if other.sum() > 20)


def test_an_export_never_overwrites(exported):
    done = CliRunner().invoke(
        main, ["export-inputs", str(exported.folder / "mini.stbench.yaml"), str(exported.folder / "inputs")]
    )
    assert done.exit_code == 2
    assert "exists: name a new folder" in done.output


def test_images_are_written_once(tmp_path, make_bench):
    import anndata
    import numpy as np
    import PIL.Image

    bench = make_bench("pictures")
    path = bench.task(
        "mini", family="expression", imputation=None, metrics=["pearson_gene"], splits=[{"pgkf": {"k": 2}}],
        datasets={"sim": {"params": {"patients": 4, "units": 40, "genes": 60, "image": True}}},
    )  # fmt: skip
    done = CliRunner().invoke(main, ["export-inputs", str(path), str(bench.folder / "inputs")])
    assert done.exit_code == 0, done.output
    pictures = sorted((bench.folder / "inputs" / "images" / "sim").iterdir())
    assert len(pictures) == 4
    slide = anndata.read_h5ad(next((bench.folder / "inputs").rglob("test/P01S1.h5ad")))
    assert slide.n_vars == 0
    with PIL.Image.open(pictures[0]) as picture:
        size = np.array(picture.size)
    assert (slide.obsm["image"] < size).all()
    assert slide.uns["image_mpp"] > 0
