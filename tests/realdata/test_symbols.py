"""The list of known symbols against public panels and sections, which are named by several annotations."""

from __future__ import annotations

import os
from pathlib import Path

import anndata
import pandas as pd
import pytest

from pytest_stbench.checks.symbols import unknown_symbols

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "her2st").is_dir(), reason="set STBENCH_DATA to the development data"
)
PANELS = [*sorted((DATA / "xenium_panels").glob("*/*.*")), DATA / "xenium_panels" / "cosmx_960.txt"]
TABLES = ("her2st/sections/A1.h5ad", "her2st/sections/C3.h5ad", "st_breast_layers/layer3.h5ad")


def known(symbols):
    """Return the share of known symbols."""
    found = unknown_symbols(symbols, None, 1.01)
    return found[0].statistic


@pytest.mark.parametrize("path", PANELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_panels_are_known(path):
    symbols = pd.read_csv(path)["gene"] if path.suffix == ".csv" else path.read_text().split()
    assert len(symbols) >= 260
    assert known(list(symbols)) > 0.96


@pytest.mark.parametrize("path", TABLES)
def test_sections_are_known(path):
    assert 0.935 < known(anndata.read_h5ad(DATA / path, backed="r").var_names.tolist()) < 0.96


def test_another_species_is_not():
    human = (DATA / "xenium_panels" / "cosmx_960.txt").read_text().split()
    assert known([name.capitalize() for name in human]) < 0.1
