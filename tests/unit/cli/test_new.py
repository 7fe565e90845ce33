from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.run.registry import builtin_registry
from pytest_stbench.spec.validate import load_task


def write_slide(path, patient, *, n=64, genes=60, seed=0, column="donor"):
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(n))
    xy = np.column_stack([np.arange(n) % side, np.arange(n) // side]) * 100.0
    path.parent.mkdir(parents=True, exist_ok=True)
    anndata.AnnData(
        csr_matrix(rng.poisson(5, (n, genes)).astype(np.float32)),
        obs=pd.DataFrame(
            {column: patient, "region": rng.choice(["tumour", "stroma"], n)},
            index=[f"u{i}" for i in range(n)],
        ),
        var=pd.DataFrame(index=[f"GENE{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(genes)]),
        obsm={"spatial": xy},
    ).write_h5ad(path)


def propose(folder, monkeypatch, *arguments):
    monkeypatch.chdir(folder)
    return CliRunner().invoke(main, ["new", "mine", *arguments])


@pytest.fixture
def slides(tmp_path):
    for number, patient in enumerate(("P1", "P1", "P2")):
        write_slide(tmp_path / "slides" / f"S{number}.h5ad", patient, seed=number)
    return tmp_path


def test_the_file_names_what_was_found(slides, monkeypatch):
    done = propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    assert done.exit_code == 0, done.output
    assert "3 slides, 2 patients, 60 genes" in done.output
    spec = load_task(slides / "mine.stbench.yaml", builtin_registry()).spec
    assert spec.claim == "exploratory"
    config = next(iter(spec.datasets.values()))
    assert (config.source, config.path) == ("h5ad", "slides/*.h5ad")
    assert config.keys.patient == "donor"
    assert config.keys.niche == "region"


def test_the_file_runs(slides, monkeypatch):
    import subprocess
    import sys

    propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "mine.stbench.yaml", "--stbench-model=ridge", "-q", "-p",
         "no:cacheprovider"],
        cwd=slides, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert " error" not in done.stdout.splitlines()[-1]


def test_without_patients_a_sheet_is_written(tmp_path, monkeypatch):
    for number in range(2):
        write_slide(tmp_path / "slides" / f"A{number}.h5ad", "x", column="cluster", seed=number)
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad")
    assert done.exit_code == 0, done.output
    rows = (tmp_path / "mine.samples.csv").read_text().splitlines()
    assert rows[0] == "file,patient"
    assert {row.split(",")[0] for row in rows[1:]} == {"A0", "A1"}
    assert all(row.split(",")[1] == "" for row in rows[1:])
    spec = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec
    assert [split.name for split in spec.splits] == ["within"]


def test_nothing_is_overwritten(slides, monkeypatch):
    propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    before = (slides / "mine.stbench.yaml").read_text()
    again = propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    assert again.exit_code == 2
    assert (slides / "mine.stbench.yaml").read_text() == before


@pytest.mark.parametrize(
    ("pattern", "message"), [("nowhere/*", "nothing found below"), ("*.txt", "no file that is known")]
)
def test_what_cannot_be_proposed_is_told(slides, monkeypatch, pattern, message):
    (slides / "notes.txt").write_text("x")
    done = propose(slides, monkeypatch, "--data", pattern)
    assert done.exit_code == 2
    assert message in done.output
    assert not (slides / "mine.stbench.yaml").exists()
