"""``stbench figures`` on files: what is made, what is not, and what is left of a run that failed."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.run.quality.data_checks import Judged

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:anndata")


def write(path, *, genes=130, spatial=True):
    rng = np.random.default_rng(genes)
    n = 64
    x, y = (axis.ravel() * 200.0 for axis in np.meshgrid(np.arange(8), np.arange(8)))
    data = anndata.AnnData(
        X=csr_matrix(rng.poisson(20 + x[:, None] / 100, (n, genes)).astype(np.float32)),
        obs=pd.DataFrame({"patient": "P1"}, index=[f"u{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(genes)]),
        obsm={"spatial": np.column_stack((x, y)) if spatial else np.full((n, 2), np.nan)},
    )
    data.write_h5ad(path)
    return path


def run(*arguments):
    return CliRunner().invoke(main, ["figures", *map(str, arguments)])


ABSENT = """
stbench: 1
name: absent
version: 1
family: expression
datasets:
  d: {source: h5ad, path: "none/*.h5ad", samples: none.csv, technology: ST, resolution: spot}
"""
SPOTS = ("--set", "technology=ST", "--set", "resolution=spot", "--set", "um_per_px=1")


@pytest.fixture
def quick(monkeypatch):
    """No checks, and pictures that are not written: both take seconds."""
    monkeypatch.setattr("pytest_stbench.report.figures.opened.check_data", lambda *args, **kwargs: Judged())
    monkeypatch.setattr("pytest_stbench.report.figures.folder.written", lambda drawing: (b"png", b"pdf"))


def test_one_slide_of_one_patient(tmp_path, quick):
    out = tmp_path / "new" / "figures"
    done = run(write(tmp_path / "s1.h5ad"), out, *SPOTS)
    assert done.exit_code == 0, done.output
    assert {"resolution.png", "resolution.pdf", "resolution.csv", "variable-genes.csv", "captions.md"} <= {
        path.name for path in out.iterdir()
    }
    assert "niche-signatures: not made: no slide of s1 has units of two niches" in done.output
    assert "name the column of niches" in done.output
    assert "panels: not made: all slides measured one panel (130 genes)" in done.output
    captions = (out / "captions.md").read_text(encoding="utf-8")
    assert "left out: cells: the slides have units of resolution 'spot'" in captions
    assert "coexpression" in captions
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "s1.h5ad"]
    assert [path.name for path in out.parent.iterdir()] == ["figures"]


def test_two_sources_have_their_names_and_an_overlap(tmp_path, quick):
    (tmp_path / "more").mkdir()
    first, second = write(tmp_path / "s.h5ad"), write(tmp_path / "more" / "s.h5ad", genes=120)
    done = run(first, second, tmp_path / "out", *SPOTS)
    assert done.exit_code == 0, done.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"s-resolution.csv", "s-2-resolution.csv", "panels.csv", "panels.maps.csv"} <= names
    overlap = pd.read_csv(tmp_path / "out" / "panels.csv")
    assert overlap["shared"].tolist() == [130, 120, 120, 120]


def test_slides_without_coordinates_say_so(tmp_path, quick):
    done = run(write(tmp_path / "s1.h5ad", spatial=False), tmp_path / "out", *SPOTS)
    assert done.exit_code == 1, done.output
    for name in ("variable-genes", "coexpression", "resolution"):
        assert (
            f"{name}: not made: no slide of s1 has 10 units with coordinates that pass the filter"
            in done.output
        )
    assert "no figure could be made of the data" in done.output
    assert "landscape.csv" in {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "absent.h5ad", "absent.h5ad"),
        (lambda folder: _text(folder / "broken.h5ad", "no hdf5"), "broken.h5ad"),
        (lambda folder: _text(folder / "who.csv", "slide,patient\na,b\n"), "a sheet has no counts to draw"),
        (lambda folder: _text(folder / "x.stbench.yaml", "stbench: 1\n"), "x.stbench.yaml"),
        (lambda folder: _text(folder / "x.stbench.yaml", ABSENT), "^d: "),
    ],
)
def test_what_cannot_be_read_leaves_nothing(tmp_path, make, message):
    source = make(tmp_path)
    done = run(source, tmp_path / "out")
    assert done.exit_code == 2
    assert re.search(message, done.output, re.MULTILINE)
    assert "Traceback" not in done.output
    assert {path.name for path in tmp_path.iterdir()} <= {source.name}


def _text(path, text):
    path.write_text(text)
    return path


def test_results_that_cannot_be_read_leave_nothing(tmp_path, quick):
    source = write(tmp_path / "s1.h5ad")
    done = run(source, tmp_path / "out", *SPOTS, "--results", _text(tmp_path / "run.json", "{"))
    assert done.exit_code == 2
    assert "run.json" in done.output
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_touched(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    _text(out / "mine.txt", "mine")
    done = run(write(tmp_path / "s1.h5ad"), out)
    assert done.exit_code == 2
    assert "exists: name a new folder" in done.output
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
