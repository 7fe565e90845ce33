"""What a session takes from its store while task files are collected."""

from __future__ import annotations

import os
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.collection.session import load_items
from pytest_stbench.data.atomic import sealed, unsealed

TASK = """
stbench: 1
name: mini
version: 1
family: expression
datasets:
  d: {source: h5ad, path: "*.h5ad", technology: Visium, resolution: spot, panel: p, organ: breast,
      disease: carcinoma, preservation: FFPE}
splits: [lopo]
claim: exploratory
"""


@pytest.fixture
def patients(tmp_path):
    """Return the patients of two files as a session sees them, under --stbench-no-skip or not."""
    for name in ("A", "B"):
        made = ad.AnnData(
            np.ones((3, 2), np.float32), obs=pd.DataFrame({"patient": [name] * 3}, index=list("uvw"))
        )
        made.obsm["spatial"] = np.arange(6.0).reshape(3, 2)
        made.write_h5ad(tmp_path / f"{name}.h5ad")
        os.utime(tmp_path / f"{name}.h5ad", (1, 1))
    task = tmp_path / "mini.stbench.yaml"
    task.write_text(TASK)

    def of(no_skip):
        options = {"stbench_store": "store", "stbench_no_skip": no_skip, "stbench_model": []}
        config = SimpleNamespace(
            getoption=options.get, invocation_params=SimpleNamespace(dir=tmp_path),
            pluginmanager=SimpleNamespace(has_plugin=lambda name: False),
        )  # fmt: skip
        return [sample.patient for sample in load_items(task, config).grid.samples["d"]]

    return of


def test_without_skips_a_samples_table_is_read_anew(tmp_path, patients):
    assert patients(no_skip=False) == ["A", "B"]
    for entry in (tmp_path / "store" / "index").iterdir():
        path = next(path for path in tmp_path.glob("*.h5ad") if path.stem in entry.read_text())
        place = f"index {path.resolve()}"
        known, facts = unsealed(place, entry.read_bytes())
        facts["slides"][0]["patient"] = f"kept {path.stem}"
        entry.write_bytes(sealed(place, [known, facts]))
    assert patients(no_skip=False) == ["kept A", "kept B"]
    assert patients(no_skip=True) == ["A", "B"]
