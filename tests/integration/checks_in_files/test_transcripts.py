"""Spots that the suite forms of transcripts: tables of single molecules are damaged."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from pytest_stbench.cli import main

GENES = [f"KRT{n}" for n in range(1, 21)]
SIDE = 1400
PER_UM2 = 0.06


def molecules(number):
    """A square of tissue in which genes follow x or y."""
    rng = np.random.default_rng([19, number])
    xy = rng.uniform(0, SIDE, (int(PER_UM2 * SIDE**2), 2))
    wave = (1 + np.sin(xy / 150)) / 2
    gene = np.where(rng.random(len(xy)) < wave[:, 0], 0, 10) + (10 * wave[:, 1] * rng.random(len(xy))).astype(
        int
    )
    return pd.DataFrame(
        {"x_location": xy[:, 0], "y_location": xy[:, 1], "feature_name": np.array(GENES)[gene], "qv": 35.0}
    )


def stripes(width):
    """Of every 100 um of tissue only a stripe is there."""
    return lambda table: table[table.x_location % 100 < width]


def with_controls(table):
    control = table[:2000].assign(feature_name="NegControlProbe_00042")
    return pd.concat([table, control], ignore_index=True)


@pytest.fixture
def judge(tmp_path):
    """Write six tables, the last of them changed, and run checks on them."""

    def run(check, change=lambda table: table, **bins):
        (tmp_path / "tables").mkdir()
        for number in range(1, 7):
            table = molecules(number)
            table = change(table) if number == 6 else table
            table.to_parquet(tmp_path / "tables" / f"S{number}.parquet")
        sheet = pd.DataFrame(
            {"slide": [f"S{n}" for n in range(1, 7)], "patient": [f"P{n}" for n in range(1, 7)]}
        )
        sheet.to_csv(tmp_path / "samples.csv", index=False)
        data = {
            "source": "xenium", "path": "tables/*.parquet", "samples": "samples.csv", "panel": "keratins",
            "organ": "skin", "disease": "carcinoma", "preservation": "FFPE", "technology": "Xenium",
            "resolution": "xisium", "bin": {"geometry": "visium", **bins},
        }  # fmt: skip
        task = {
            "stbench": 1, "name": "binned", "version": 1, "family": "imputation", "datasets": {"skin": data},
            "splits": ["lopo"], "imputation": {"hide": {"folds": 2}},
        }  # fmt: skip
        path = tmp_path / "binned.stbench.yaml"
        path.write_text(yaml.safe_dump(task), encoding="utf-8")
        done = CliRunner().invoke(main, ["check", str(path), "--format", "json", "--select", check])
        assert done.stdout.startswith("{"), (done.output, done.exception)
        return max(
            json.loads(done.stdout)["checks"], key=lambda r: ("pass", "warn", "fail").index(r["status"])
        )

    return run


def test_spots_of_whole_tissue_are_on_a_right_lattice(judge):
    assert judge("xisium_geometry")["status"] == "pass"


def test_spots_half_outside_the_tissue_are_told(judge):
    record = judge("xisium_geometry", stripes(30), min_tissue=0)
    assert record["status"] == "warn", record["message"]
    assert "S6" in record["slides"]
    assert record["fix"]


def test_spots_mostly_inside_the_tissue_are_fine(judge):
    assert judge("xisium_geometry", stripes(90), min_tissue=0)["status"] == "pass"


def test_controls_among_transcripts_never_become_genes(judge):
    assert judge("controls_in_matrix", with_controls)["status"] == "pass"
