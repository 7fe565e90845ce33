"""Runs on real data: each a pytest process of its own, as a user starts it, shared by the tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main

MODELS = '''
import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge


def colours(slide):
    """Mean and spread of the three channels of a spot-sized patch."""
    patches = slide.patches(size=31, mpp=3.25).reshape(slide.n_units, -1, 3) / 255
    return np.hstack([patches.mean(axis=1), patches.std(axis=1)])


def log_normalised(slide):
    counts = slide.units.X.toarray().astype(float)
    return np.log1p(1e3 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


class Mine:
    """Colour of the patch, or partial least squares on observed genes, by what the task asks."""

    name = "mine"
    revision = "1"

    def fit(self, train, task):
        self.features = colours if task.family == "expression" else log_normalised
        self.regression = Ridge() if task.family == "expression" else PLSRegression(n_components=8)
        inputs = np.vstack([self.features(slide) for slide in train])
        self.regression.fit(inputs, np.vstack([slide.target for slide in train]))

    def predict_expression(self, slide, genes):
        return self.regression.predict(self.features(slide)).astype(np.float32)

    def impute(self, slide, observed_genes, target_genes):
        return self.regression.predict(self.features(slide)).astype(np.float32)


@pytest.fixture
def mine():
    return Mine
'''

EXPRESSION = "tasks/her2st-expression.stbench.yaml"
IMPUTATION = "her2st-imputation.stbench.yaml"

TWO_EACH = "slides: [A1, A6, B2, B6, C4, C5, D2, D4, E2, E3, F1, F3]"
"""Two sections of each patient, for tasks that would look at all thirty: a third of the time."""

OWN = """\
stbench: 1
name: own
version: 1
family: expression
datasets:
  her2st:
    source: h5ad
    path: her2st/sections/*.h5ad
    samples: her2st/samples.csv
    keys: {patient: patient, slide: sample}
    scale: {um_per_px: "uns:um_per_px"}
    technology: ST
    resolution: spot
    panel: whole_transcriptome
    organ: breast
    disease: HER2+ carcinoma
    preservation: fresh_frozen
    absent_gene: zero
splits: [lopo]
preprocess:
  genes:
    select: list
    names: [ERBB2, GRB7, FASN, SCD, GNAS, KRT19, KRT8, CD74, HLA-DRA, COL1A1, COL3A1, SPARC, FN1, B2M, ACTB]
metrics: [pearson_gene, spearman_gene, rmse]
baselines: [coords, libsize]
"""


@dataclass(frozen=True)
class Finished:
    """A pytest process that has ended, and the results it saved."""

    code: int
    out: str
    results: dict

    @property
    def computed(self) -> int:
        """Cells computed, by the line of the summary about the store."""
        found = re.search(r"(\d+) cells computed, \d+ reused", self.out)
        assert found, self.out
        return int(found[1])

    def checks(self, task):
        """Return the checks of a task by name."""
        return {check["name"]: check for check in self.results["checks"] if check["task"] == task}

    def pooled(self, task):
        """Return the pooled scores of a task by (model, metric)."""
        return {
            (score["model"], score["metric"]): score
            for score in self.results["scores"]
            if score["task"] == task and score["fold"] is None
        }

    def verdicts(self, task):
        """Return the verdicts of a task by (model, metric)."""
        return {(v["model"], v["metric"]): v for v in self.results["verdicts"] if v["task"] == task}


@pytest.fixture(scope="session")
def data():
    folder = os.environ.get("STBENCH_DATA")
    if not folder:
        pytest.skip("real data: set STBENCH_DATA to the folder that holds her2st (docs/her2st.md)")
    if not (Path(folder) / "her2st" / "samples.csv").is_file():
        pytest.skip(f"real data: {folder} has no her2st/samples.csv (docs/her2st.md)")
    return Path(folder).resolve()


def run_tasks(folder, *arguments, save):
    """Run pytest in `folder`; return what it said and the results it wrote to `save`."""
    command = [sys.executable, "-m", "pytest", *arguments, f"--stbench-save={save}"]
    command += ["-p", "no:randomly", "-p", "no:cacheprovider", "--color=no"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    out = done.stdout + done.stderr
    assert (folder / save).is_file(), out
    return Finished(done.returncode, out, json.loads((folder / save).read_text()))


@pytest.fixture(scope="session")
def workspace(data, tmp_path_factory):
    """A folder with the shipped tasks and a conftest.py, as a user has it."""
    folder = tmp_path_factory.mktemp("her2st")
    CliRunner().invoke(main, ["tasks", "copy", str(folder / "tasks")], catch_exceptions=False)
    (folder / "conftest.py").write_text(MODELS)
    return folder


@pytest.fixture(scope="session", params=["twelve", pytest.param("thirty", marks=pytest.mark.exhaustive)])
def sections(request):
    """How many sections the task of imputation looks at: two of each patient, or all as it is shipped."""
    return request.param


@pytest.fixture(scope="session")
def both(workspace, sections):
    """The files of both shipped tasks, and two models."""
    text = (workspace / "tasks" / IMPUTATION).read_text()
    path = workspace / "tasks" / f"{sections}-{IMPUTATION}"
    path.write_text(text + (f"datasets: {{her2st: {{{TWO_EACH}}}}}\n" if sections == "twelve" else ""))
    return EXPRESSION, f"tasks/{path.name}", "--stbench-model=ridge", "--stbench-model=mine"


@pytest.fixture(scope="session")
def first(workspace, sections, both):
    """Both shipped tasks, two models, nothing of them in the store."""
    return run_tasks(workspace, *both, f"--stbench-store={sections}", save=f"first-{sections}.json")


@pytest.fixture(scope="session")
def second(workspace, sections, both, first):
    """The same again, without the checks."""
    again = ("-m", "not stbench_check", f"--stbench-store={sections}")
    return run_tasks(workspace, *both, *again, save=f"second-{sections}.json")


@pytest.fixture(scope="session")
def own(workspace):
    """A task file of a user's own: all sections, no image, a fixed list of genes."""
    (workspace / "own.stbench.yaml").write_text(OWN)
    return run_tasks(workspace, "own.stbench.yaml", "--stbench-model=ridge", save="own.json")
