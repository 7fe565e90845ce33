"""Figures of real slides: what the data are known for is what is drawn."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.run.quality.data_checks import Judged

DATA = Path(os.environ.get("STBENCH_DATA", "nowhere"))
TASKS = Path(__file__).parents[2] / "tasks"


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Figures without the checks, which have tests of their own, and with numbers alone."""
    monkeypatch.setattr("pytest_stbench.report.figures.opened.check_data", lambda *args, **kwargs: Judged())
    monkeypatch.setattr("pytest_stbench.report.figures.folder.written", lambda drawing: (b"", b""))

    def make(*arguments):
        out = tmp_path / "out"
        done = CliRunner().invoke(main, ["figures", *map(str, arguments[:-1]), str(out), *arguments[-1]])
        assert done.exit_code == 0, done.output
        return out, done.stderr

    return make


def needs(*parts):
    path = DATA.joinpath(*parts)
    return pytest.mark.skipif(not path.exists(), reason=f"set STBENCH_DATA to a folder with {parts[0]}")


@needs("her2st")
def test_variable_genes_of_her2st_are_sparse_or_everywhere(drawn):
    out, said = drawn(TASKS / "her2st-niche-signatures.stbench.yaml", ["--stbench-data", str(DATA)])
    genes = pd.read_csv(out / "variable-genes.csv")
    kinds = genes["kind"].value_counts()
    assert kinds["HVG, sparse"] > 10
    assert kinds["HVG, everywhere"] >= 1
    assert genes.loc[genes["kind"] == "HVG, sparse", "detection"].max() < 0.05
    niches = pd.read_csv(out / "niche-signatures.csv").set_index("niche")
    assert {"invasive cancer", "connective tissue"} <= set(niches.index)
    assert (niches["niche_jaccard"].dropna() > niches["expected_by_chance"].dropna()).all()
    assert (out / "resolution.csv").exists()
    assert "panels: not made: all slides measured one panel" in said


@needs("cosmx_nsclc")
def test_cosmx_as_cells_and_as_spots(drawn):
    source = DATA / "cosmx_nsclc" / "cells" / "lung5_rep3_regions.h5ad"
    out, _ = drawn(source, ["--set", "technology=CosMx", "--set", "resolution=cell"])
    summary = pd.read_csv(out / "resolution.summary.csv").set_index("units")
    assert summary.loc["cells", "n"] == pytest.approx(13_463, rel=0.02)
    assert summary.loc["Xisium spots", "size_um"] == 55
    assert summary.loc["Xisium spots", "counts_total"] > 0.9 * summary.loc["cells", "counts_total"]
    assert set(pd.read_csv(out / "niche-signatures.csv")["niche"]) == {
        "Tumour", "Stroma", "Abnormal epithelium",
    }  # fmt: skip


@needs("xenium_breast")
def test_twenty_genes_are_in_both_panels_of_xenium_breast(drawn):
    cells = DATA / "xenium_breast" / "cells"
    out, _ = drawn(*sorted(cells.glob("*.h5ad")), ["--set", "technology=Xenium", "--set", "resolution=cell"])
    overlap = pd.read_csv(out / "panels.csv")
    assert sorted(overlap["shared"]) == [20, 20, 20, 380]
    assert (overlap["share_of_smaller"] == 1).all()
