"""A reference atlas in whole runs: given to models, and part of what a prediction depends on."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import yaml

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

REFERENCE = {"reference": {"source": "h5ad", "path": "atlas.h5ad", "labels": "kind"}, "metrics": ["rmse"]}
MODEL = """
from pathlib import Path


class Atlas:
    name, revision = "reference_atlas_user", "1"

    def fit(self, train, task):
        with (Path(__file__).parent / "asked").open("a") as file:
            file.write("fit\\n")
        cells = task.reference.cells()
        assert set(cells.obs["label"]) == {"B", "T"}
        values = np.log1p(cells[:, list(task.genes)].X.toarray()).mean(axis=0)
        cells.X = cells.X * 0
        self.values = values

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.values, (slide.n_units, 1)).astype(np.float32)


@pytest.fixture
def atlas_user():
    return Atlas
"""


def write(lab, task, counts):
    config = DatasetSpec.model_validate(yaml.safe_load(task.read_text())["datasets"]["sim"])
    genes = Dataset("sim", config, load_samples(config, "sim", []), []).genes.tolist()
    obs = pd.DataFrame({"kind": ["B", "T"] * 10}, index=[f"c{i}" for i in range(20)])
    values = np.random.default_rng(0).poisson(counts, size=(20, len(genes))).astype(np.float32)
    made = anndata.AnnData(X=values, obs=obs, var=pd.DataFrame(index=genes))
    made.write_h5ad(lab.folder / "atlas.h5ad")


def test_models_are_given_the_atlas_and_another_one_is_another_prediction(make_bench):
    lab = make_bench("lab")
    task = lab.task("atlas", REFERENCE, baselines=["train_mean"])
    lab.conftest(MODEL)
    write(lab, task, 2.0)
    item = "atlas.stbench.yaml::rmse[sim-lopo]"
    first = lab.run("--stbench-model=atlas_user", item).properties("rmse[sim-lopo]")["stbench.value"]
    folds = len((lab.folder / "asked").read_text().split())
    lab.run("--stbench-model=atlas_user", item)
    assert len((lab.folder / "asked").read_text().split()) == folds, "kept"
    write(lab, task, 20.0)
    other = lab.run("--stbench-model=atlas_user", item).properties("rmse[sim-lopo]")["stbench.value"]
    assert len((lab.folder / "asked").read_text().split()) == 2 * folds
    assert other != first
    (lab.folder / "atlas.h5ad").unlink()
    assert lab.run("--stbench-model=atlas_user", item).outcome("rmse[sim-lopo]") == "skipped"
