"""An encoder without ``fit`` on folds that share their slides, beside the same one asked anew in every fold.

Thirty simulated slides in six folds: 30 calls instead of 180. What is compared is the CPU of the encoder
alone, as it measures it, beside the time of the run.
Run: ``pytest tests/benchmarks/test_asked_once_speed.py --benchmark-columns=min,median``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

ENCODER = '''
import json
import time
from pathlib import Path

import numpy as np
import pytest


class Encoder:
    """As dear as a small network: a product of matrices for each slide."""

    name, revision = "encoder", "1"

    def embed(self, slide):
        start = time.process_time()
        net = np.random.default_rng(0).normal(size=(SIZE, SIZE))
        for _ in range(4):
            net = np.tanh(net @ net / SIZE)
        values = np.log1p(slide.units.X.toarray()) @ net[: slide.units.n_vars, :16]
        with (Path(__file__).parent / "calls").open("a") as file:
            file.write(json.dumps([slide.meta.slide_id, time.process_time() - start]) + chr(10))
        return values


class Anew(Encoder):
    """With a fit that does nothing, so that it is asked in every fold."""

    name = "anew"

    def fit(self, train, task):
        pass


@pytest.fixture
def once():
    return Encoder


@pytest.fixture
def anew():
    return Anew
'''


@pytest.fixture(scope="module")
def slides(sized):
    return max(4, sized(30))


@pytest.fixture(scope="module")
def folds(slides):
    return min(6, slides // 2)


@pytest.fixture(scope="module")
def project(tmp_path_factory, slides, folds, sized):
    folder = tmp_path_factory.mktemp("asked_once")
    task = {
        "stbench": 1, "name": "shared", "version": 1, "family": "embedding", "claim": "exploratory",
        "datasets": {
            "sim": {
                "source": "simulated", "technology": "Visium", "resolution": "spot",
                "params": {"patients": slides, "units": 60, "genes": 80, "image": False},
            }
        },
        "splits": [{"pgkf": {"k": folds}}],
        "preprocess": {"filter": {"min_counts": 0, "min_genes": 0}},
        "embedding": {"input": "expression"}, "metrics": ["knn_recall"],
        "checks": {"class_imbalance": {"waive": True, "reason": "few slides lack rare niches"}},
    }  # fmt: skip
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "shared.stbench.yaml").write_text(yaml.safe_dump(task))
    (folder / "conftest.py").write_text(ENCODER.replace("SIZE", str(max(100, sized(400)))))
    return folder


def run(folder, model, store):
    calls = folder / "calls"
    calls.unlink(missing_ok=True)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_stbench.plugin",
            f"--stbench-model={model}", f"--stbench-store={store}", "shared.stbench.yaml::contract",
        ],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in calls.read_text().splitlines()]


@pytest.mark.parametrize("model", ["once", "anew"])
def test_an_encoder_on_folds_that_share_slides(benchmark, project, tmp_path, slides, folds, model):
    benchmark.group = f"{slides} slides in {folds} folds"
    found = benchmark.pedantic(run, args=(project, model, tmp_path), rounds=1)
    assert len(found) == slides * (1 if model == "once" else folds)
    benchmark.extra_info["encoder_cpu_s"] = sum(seconds for _, seconds in found)
    benchmark.extra_info["calls"] = len(found)
