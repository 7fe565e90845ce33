from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from pytest_stbench.cli.describe import describe

TASK = """
stbench: 1
name: small
version: 1
family: expression
claim: exploratory
datasets:
  spots: {source: simulated, params: {patients: 2, units: 60, genes: 60, image: false}}
  alone: {source: simulated, params: {patients: 1, units: 60, genes: 60, image: false}}
"""
ABSENT = """  absent:
    {source: h5ad, path: "none/*.h5ad", samples: none.csv, keys: {patient: p, slide: s}, technology: ST}
"""


@pytest.fixture
def run(tmp_path):
    def call(text):
        path = tmp_path / "small.stbench.yaml"
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(describe, [str(path)])

    return call


def test_one_line_for_every_data_set(run):
    done = run(TASK)
    assert done.exit_code == 0, done.output
    header, spots, alone = done.output.splitlines()
    assert header.split()[:4] == ["DATA", "SET", "SLIDES", "PATIENTS"]
    assert spots.startswith("small: spots")
    assert spots.split()[2:6] == ["2", "2", "60", "60"]
    assert alone.split()[-1] == "-"
    assert len(header) == len(spots) == len(alone)


def test_absent_data_is_named_and_left_out(run):
    done = run(TASK + ABSENT)
    assert done.exit_code == 0, done.output
    assert "small: absent: not on this machine:" in done.output
    assert "small: spots" in done.output


def test_help_says_what_the_columns_are(run):
    text = CliRunner().invoke(describe, ["--help"]).output
    assert "Moran's I" in text
    assert "--data-root" in text


def test_planes_of_outlines_are_said(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "R1"
    folder.mkdir()
    cell = np.repeat(np.arange(1, 13), 20)
    pd.DataFrame(
        {"gene": rng.choice(list("ABCDE"), 240), "global_x": 20.0 * cell, "global_y": 5.0, "cell_id": cell}
    ).to_csv(folder / "detected_transcripts.csv", index=False)
    boxes = [shapely.to_wkb(shapely.box(20 * name - 4, 1, 20 * name + 4, 9)) for name in range(1, 13)]
    outlines = pd.DataFrame({"EntityID": np.arange(1, 13), "ZIndex": 3, "Geometry": boxes})
    both = pd.concat([outlines, outlines.iloc[:10].assign(ZIndex=0)])
    both.to_parquet(folder / "cell_boundaries.parquet")
    task = TASK.split("datasets:", maxsplit=1)[0] + "datasets:\n  d: {source: merscope, path: R1}\n"
    (tmp_path / "t.stbench.yaml").write_text(task, encoding="utf-8")
    done = CliRunner().invoke(describe, [str(tmp_path / "t.stbench.yaml")])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "small: d: outlines of kind cell: 10 of plane 0, 2 of plane 3"
